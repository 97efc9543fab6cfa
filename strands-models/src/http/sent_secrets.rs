//! Secrets of a request: the key, and the values of headers and query parameters that a program added. A server that quotes
//! one in an error must not bring it into our error.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

/// Minimum length of a secret, in bytes. Shorter values, such as a version, are parts of many words.
const SHORTEST: usize = 8;
const HIDDEN: &str = "[redacted]";

/// The secrets of an endpoint's requests. `Debug` shows none.
#[derive(Clone, Default)]
pub(crate) struct SentSecrets(Arc<[SecretString]>);

impl SentSecrets {
    /// Creates the secrets from all values that may be some, longest first.
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a SecretString>) -> Self {
        let mut secrets: Vec<SecretString> =
            values.filter(|value| value.expose_secret().len() >= SHORTEST).cloned().collect();
        // A secret may be a part of another one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self(secrets.into())
    }

    /// Returns a text without them.
    pub(super) fn hidden_in(&self, mut text: String) -> String {
        for secret in &*self.0 {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), HIDDEN);
            }
        }
        text
    }
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
    fn what_was_sent_does_not_come_back() {
        let sent =
            ["hunter2-hunter2", "hunter2-hunter2-and-more", "v1"].map(|value| SecretString::from(value.to_owned()));
        let secrets = SentSecrets::new(sent.iter());
        let quoted = "`hunter2-hunter2-and-more` is no key, nor is `hunter2-hunter2`, for v1".to_owned();
        assert_eq!(secrets.hidden_in(quoted), "`[redacted]` is no key, nor is `[redacted]`, for v1");
        assert_eq!(format!("{secrets:?}"), HIDDEN);
    }
}
