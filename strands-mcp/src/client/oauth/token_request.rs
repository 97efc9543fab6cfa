//! Requests to a token endpoint, and how a client authenticates there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use rmcp::transport::auth::AuthorizationMetadata;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::assertion::SigningKey;
use super::error::{OAuthError, quoted};
use super::http::OAuthHttp;
use super::store::{Tokens, now};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client, as a token endpoint knows it.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) authentication: Authentication,
}

#[derive(Clone)]
pub(super) enum Authentication {
    /// Public client.
    None,
    Secret(SecretString),
    Key(SigningKey),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An authorization server, as its metadata describes it.
pub(super) struct AuthorizationServer<'a> {
    pub(super) metadata: &'a AuthorizationMetadata,
    /// Audience of client assertions instead of the issuer.
    pub(super) audience: Option<&'a str>,
}

impl AuthorizationServer<'_> {
    fn supports(&self, method: &str) -> Option<bool> {
        let methods = self.metadata.additional_fields.get("token_endpoint_auth_methods_supported")?.as_array()?;
        Some(methods.iter().any(|supported| supported.as_str() == Some(method)))
    }

    /// Returns true if a secret is sent by basic authentication. Without a list of methods, servers support it (RFC 8414).
    pub(super) fn prefers_basic(&self) -> bool {
        self.supports("client_secret_basic") != Some(false) || self.supports("client_secret_post") == Some(false)
    }

    /// Audience of a client assertion: the issuer, or the token endpoint of a server without one.
    fn audience(&self) -> &str {
        self.audience.or(self.metadata.issuer.as_deref()).unwrap_or(&self.metadata.token_endpoint)
    }

    /// Requests a token. The fields of the form are those of the grant.
    pub(super) async fn request(
        &self,
        http: &OAuthHttp,
        client: &Client,
        form: &[(&str, &str)],
    ) -> Result<TokenResponse, OAuthError> {
        let response = http.send(self.build(client, form)?).await?;
        TokenResponse::read(response.status(), response.body())
    }

    fn build(&self, client: &Client, form: &[(&str, &str)]) -> Result<Request<Vec<u8>>, OAuthError> {
        let mut body = Serializer::new(String::new());
        body.extend_pairs(form);
        let mut request = Request::post(&self.metadata.token_endpoint)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        match &client.authentication {
            Authentication::None => {
                body.append_pair("client_id", &client.id);
            }
            Authentication::Secret(secret) if self.prefers_basic() => {
                request = request.header(AUTHORIZATION, basic(&client.id, secret)?);
            }
            Authentication::Secret(secret) => {
                body.append_pair("client_id", &client.id).append_pair("client_secret", secret.expose_secret());
            }
            Authentication::Key(key) => {
                // No client id: the assertion names the client.
                body.append_pair("client_assertion_type", JWT_BEARER)
                    .append_pair("client_assertion", &key.assertion(&client.id, self.audience())?);
            }
        }
        request
            .body(body.finish().into_bytes())
            .map_err(|_| OAuthError::InvalidUrl(quoted(&self.metadata.token_endpoint)))
    }
}

fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, OAuthError> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose_secret())));
    let mut header = HeaderValue::try_from(format!("Basic {credentials}"))
        .map_err(|_| OAuthError::InvalidResponse("the client's credentials are no header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Tokens of a response.
pub(super) struct TokenResponse {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
    scopes: Option<Vec<String>>,
}

impl TokenResponse {
    fn read(status: StatusCode, body: &[u8]) -> Result<Self, OAuthError> {
        #[derive(Deserialize)]
        struct Body {
            access_token: Option<String>,
            token_type: Option<String>,
            refresh_token: Option<String>,
            expires_in: Option<Value>,
            scope: Option<String>,
            error: Option<String>,
            error_description: Option<String>,
        }
        let parsed = serde_json::from_slice::<Body>(body).ok();
        // Some servers send errors with status 200.
        let (Some(Body { error: None, .. }), true) = (&parsed, status.is_success()) else {
            let (code, description) = match parsed {
                Some(Body { error: Some(code), error_description, .. }) => (quoted(&code), error_description),
                _ if status.is_success() => return Err(OAuthError::InvalidResponse("expected a JSON object")),
                _ => ("no error code".to_owned(), None),
            };
            let description = description.map(|text| quoted(&text));
            return Err(OAuthError::Rejected { status: status.as_u16(), code, description });
        };
        let Some(body) = parsed else { return Err(OAuthError::InvalidResponse("expected a JSON object")) };
        if !body.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")) {
            return Err(OAuthError::InvalidResponse("the token's type is not `Bearer`"));
        }
        let access_token = body.access_token.ok_or(OAuthError::InvalidResponse("no access token"))?;
        Self::new(access_token, body.expires_in.as_ref().and_then(seconds), body.scope.as_deref().map(scopes))
            .map(|tokens| Self { refresh_token: body.refresh_token.filter(|token| !token.is_empty()), ..tokens })
    }

    /// A response without a refresh token.
    pub(super) fn new(
        access_token: String,
        expires_in: Option<u64>,
        scopes: Option<Vec<String>>,
    ) -> Result<Self, OAuthError> {
        if access_token.is_empty() || !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OAuthError::InvalidResponse("the access token is empty or has invalid characters"));
        }
        Ok(Self { access_token, refresh_token: None, expires_in, scopes })
    }

    /// Tokens to store. A response without scopes grants those that were requested (RFC 6749).
    pub(super) fn into_tokens(self, client_id: &str, requested_scopes: Vec<String>) -> Tokens {
        Tokens {
            access_token: self.access_token,
            refresh_token: self.refresh_token,
            client_id: client_id.to_owned(),
            received_at: now(),
            expires_in: self.expires_in,
            granted_scopes: self.scopes.unwrap_or_else(|| requested_scopes.clone()),
            requested_scopes,
        }
    }

    /// Tokens of a refresh, which may leave the refresh token and the scopes as they are.
    pub(super) fn refresh(self, previous: &Tokens) -> Tokens {
        let refresh_token = self.refresh_token.clone().or_else(|| previous.refresh_token.clone());
        let scopes = self.scopes.clone().unwrap_or_else(|| previous.granted_scopes.clone());
        let tokens = self.into_tokens(&previous.client_id, previous.requested_scopes.clone());
        Tokens { refresh_token, granted_scopes: scopes, ..tokens }
    }
}

/// Seconds, which some servers send as text or with a fraction.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).or_else(|| {
        let seconds = value.as_f64()?;
        (seconds >= 0.0).then_some(seconds as u64)
    })
}

/// Splits a list of scopes, without duplicates.
pub(super) fn scopes(text: &str) -> Vec<String> {
    union(&[], text.split_ascii_whitespace())
}

/// Scopes of both lists, each once.
pub(super) fn union<'a>(first: &[String], second: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut union = first.to_vec();
    for scope in second {
        if !union.iter().any(|known| known == scope) {
            union.push(scope.to_owned());
        }
    }
    union
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<TokenResponse, OAuthError> {
        TokenResponse::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn reads_tokens() {
        let body = r#"{"access_token":"a","token_type":"bearer","expires_in":60,"refresh_token":"r","scope":"x y x"}"#;
        let tokens = read(200, body).unwrap().into_tokens("client", vec!["z".to_owned()]);
        assert_eq!((tokens.access_token.as_str(), tokens.refresh_token.as_deref()), ("a", Some("r")));
        assert_eq!((tokens.expires_in, tokens.granted_scopes), (Some(60), vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(read(200, r#"{"access_token":"a","expires_in":"60"}"#).unwrap().expires_in, Some(60));
        assert_eq!(read(200, r#"{"access_token":"a","expires_in":60.5}"#).unwrap().expires_in, Some(60));
        let tokens = read(200, r#"{"access_token":"a"}"#).unwrap().into_tokens("client", vec!["z".to_owned()]);
        assert_eq!(tokens.granted_scopes, ["z"]);
    }

    #[test]
    fn rejects_responses_without_a_usable_token() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"a\r\nX-Injected: 1"}"#,
            r#"{"access_token":"a","token_type":"DPoP"}"#,
        ] {
            assert!(matches!(read(200, body), Err(OAuthError::InvalidResponse(_))), "{body}");
        }
    }

    #[test]
    fn reads_errors_also_of_successful_responses() {
        for status in [200, 400] {
            let body = r#"{"error":"invalid_grant","error_description":"expired\n\u001b[31m"}"#;
            let Err(OAuthError::Rejected { code, description, .. }) = read(status, body) else { panic!("no error") };
            assert_eq!((code.as_str(), description.as_deref()), ("invalid_grant", Some("expired  [31m")));
        }
        let Err(OAuthError::Rejected { status, .. }) = read(502, "<html>") else { panic!("no error") };
        assert_eq!(status, 502);
    }

    #[test]
    fn keeps_the_refresh_token_that_a_refresh_does_not_replace() {
        let first = read(200, r#"{"access_token":"a","refresh_token":"r","scope":"x"}"#).unwrap();
        let first = first.into_tokens("client", Vec::new());
        let second = read(200, r#"{"access_token":"b"}"#).unwrap().refresh(&first);
        assert_eq!((second.access_token.as_str(), second.refresh_token.as_deref()), ("b", Some("r")));
        assert_eq!(second.granted_scopes, ["x"]);
    }
}
