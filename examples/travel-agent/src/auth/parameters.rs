//! Parameters of a request, from its query or its form.

use std::collections::HashMap;

use strands::serve::axum::http::{HeaderMap, header::CONTENT_TYPE};

use super::error::OAuthError;

/// Longest value that the issuer repeats in a redirect or a token, in bytes.
const MAX_ECHO: usize = 1024;

/// Parameters by name. Each is there once.
#[derive(Debug)]
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Parses a query or a form. A parameter without a value counts as absent, as RFC 6749 says.
    pub(super) fn parse(encoded: &[u8]) -> Result<Self, OAuthError> {
        let mut values = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            if !value.is_empty() && values.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(OAuthError::invalid_request("a parameter is repeated"));
            }
        }
        Ok(Self(values))
    }

    /// Parses the form in the body of a request.
    pub(super) fn of_form(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OAuthError::invalid_request("the body must be a form: application/x-www-form-urlencoded"));
        }
        Self::parse(body)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a value that is repeated in a redirect or a token.
    pub(super) fn echo(&self, name: &str) -> Result<Option<String>, OAuthError> {
        match self.get(name) {
            Some(value) if value.len() > MAX_ECHO => Err(OAuthError::invalid_request("a parameter is too long")),
            value => Ok(value.map(str::to_owned)),
        }
    }
}
