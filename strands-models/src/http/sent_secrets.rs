//! Secrets of a request: the API key, and the values of headers and query parameters that a program added. A server may quote
//! them, and errors must not contain them.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// Minimum length of a secret, in bytes. Shorter values, such as a version, occur in many words.
const SHORTEST: usize = 8;
const HIDDEN: &str = "[redacted]";

/// Secrets of an endpoint's requests. `Debug` shows none.
#[derive(Clone, Default)]
pub(crate) struct SentSecrets(Arc<[SecretString]>);

impl SentSecrets {
    /// Creates the secrets from all values that may be secret, longest first.
    ///
    /// Servers quote a value unchanged, escaped as in JSON, or encoded as in a URL.
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a SecretString>) -> Self {
        let mut secrets: Vec<SecretString> = values
            .filter(|value| value.expose_secret().len() >= SHORTEST)
            .flat_map(|value| {
                // In a header the key follows the name of its scheme.
                let value = value.expose_secret();
                let bare = value.strip_prefix("Bearer ").unwrap_or(value).trim();
                [value, bare].map(forms).concat()
            })
            .filter(|form| form.len() >= SHORTEST)
            .map(SecretString::from)
            .collect();
        // A secret may be part of another one.
        secrets.sort_by(|one, other| {
            let (one, other) = (one.expose_secret(), other.expose_secret());
            other.len().cmp(&one.len()).then_with(|| one.cmp(other))
        });
        secrets.dedup_by(|one, other| one.expose_secret() == other.expose_secret());
        Self(secrets.into())
    }

    /// Returns a text without the secrets.
    pub(super) fn hidden_in(&self, mut text: String) -> String {
        for secret in &*self.0 {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), HIDDEN);
            }
        }
        text
    }
}

/// Returns the forms in which a value may be quoted.
fn forms(value: &str) -> Vec<String> {
    let json = Value::from(value).to_string();
    let in_json = json.get(1..json.len() - 1).unwrap_or_default().to_owned();
    let mut forms = vec![value.to_owned(), in_json];
    if let Ok(url) = Url::parse_with_params("http://host/", [("", value)]) {
        let in_query = url.query().unwrap_or_default().trim_start_matches('=');
        forms.extend([in_query.to_owned(), in_query.replace('+', "%20")]);
    }
    forms
}

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_secrets_in_errors() {
        let sent =
            ["hunter2-hunter2", "hunter2-hunter2-and-more", "v1"].map(|value| SecretString::from(value.to_owned()));
        let secrets = SentSecrets::new(sent.iter());
        let quoted = "`hunter2-hunter2-and-more` is no key, nor is `hunter2-hunter2`, for v1".to_owned();
        assert_eq!(secrets.hidden_in(quoted), "`[redacted]` is no key, nor is `[redacted]`, for v1");
        assert_eq!(format!("{secrets:?}"), HIDDEN);
    }

    #[test]
    fn finds_secrets_in_each_form() {
        let sent = ["Bearer k3y/with+signs=", "say \"hunter2\" here"].map(|value| SecretString::from(value.to_owned()));
        let secrets = SentSecrets::new(sent.iter());
        for quoted in [
            "k3y/with+signs=",
            "Bearer k3y/with+signs=",
            "k3y%2Fwith%2Bsigns%3D",
            "say \"hunter2\" here",
            r#"say \"hunter2\" here"#,
            "say+%22hunter2%22+here",
            "say%20%22hunter2%22%20here",
        ] {
            assert_eq!(secrets.hidden_in(format!("<{quoted}>")), "<[redacted]>", "{quoted}");
        }
    }
}
