//! Removal of secrets from JSON and text: keys and tokens in well-known formats, and values of fields such as `password`.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use regex_lite::Regex;
use serde_json::{Map, Value};

/// Replacement of a secret. No pattern matches it, so scrubbing is idempotent.
pub(super) const SCRUBBED: &str = "[scrubbed]";

/// Maximum number of passes over a text.
const ROUNDS: usize = 8;

/// Names of fields with secret values.
const NAMES: &str = "[a-z0-9_-]*(?:authorization|api[_-]?key|password|passwd|passphrase|secret|secret[_-]?key|\
                     secret[_-]?access[_-]?key|private[_-]?key|cookie|\
                     (?:access|refresh|auth|bearer|session|security)[_-]?token)|(?:id[_-]?)?token";

/// Patterns of keys and tokens, with their replacements.
fn patterns() -> Vec<(String, &'static str)> {
    let whole = |pattern: &str| (pattern.to_owned(), SCRUBBED);
    vec![
        whole(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"),
        // JSON Web Tokens.
        whole(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*"),
        // AWS access keys, by the prefixes in its documentation of unique identifiers.
        whole(r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}"),
        // OpenAI, Anthropic, OpenRouter, DeepSeek.
        whole(r"\bsk-[A-Za-z0-9_-]{16,}"),
        // Slack.
        whole(r"xox[a-z]-[A-Za-z0-9-]{10,}"),
        whole(r"xapp-[A-Za-z0-9-]{10,}"),
        // Google.
        whole(r"AIza[A-Za-z0-9_-]{30,}"),
        whole(r"ya29\.[A-Za-z0-9_-]{20,}"),
        // GitHub, GitLab.
        whole(r"gh[pousr]_[A-Za-z0-9]{20,}"),
        whole(r"github_pat_[A-Za-z0-9_]{20,}"),
        whole(r"glpat-[A-Za-z0-9_-]{16,}"),
        // Groq, xAI, Hugging Face.
        whole(r"\bgsk_[A-Za-z0-9]{20,}"),
        whole(r"\bxai-[A-Za-z0-9_-]{20,}"),
        whole(r"\bhf_[A-Za-z0-9]{20,}"),
        // A user and a password in a URL.
        (r"://[^/\s:@]+:[^/\s@]+@".to_owned(), "://[scrubbed]@"),
        // Fields in JSON, which may be truncated.
        (
            format!(r#"(?i)"({NAMES})"(\s*:\s*)(?:"(?:[^"\\]|\\.)+(?:"|\\?$)|-?[0-9][0-9.e+-]*)"#),
            r#""${1}"${2}"[scrubbed]""#,
        ),
        // Headers and configuration files.
        (
            format!(
                r#"(?i)\b({NAMES})(\s*[:=]\s*)(?:"[^"]+"|'[^']+'|(?:(?:basic|bearer|digest|token)\s+)?[^\s"'&,;<>{{}}]+)"#
            ),
            "${1}${2}[scrubbed]",
        ),
        // Error messages about a key, which may already be masked.
        (r#"(?i)\b(api[ _-]key(?: provided| supplied| given)?\s*[:=]\s*)[^\s,;"'`]+"#.to_owned(), "${1}[scrubbed]"),
        (r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}".to_owned(), "${1}[scrubbed]"),
    ]
}

static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    patterns().into_iter().filter_map(|(pattern, becomes)| Some((Regex::new(&pattern).ok()?, becomes))).collect()
});

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i)^(?:{NAMES})$")).ok());

type Scrub = dyn Fn(&mut Value) + Send + Sync;

/// Scrubbing of recorded data, and of the requests that are compared with it.
#[derive(Clone, Default)]
pub(super) struct Scrubbers {
    /// Functions of the program, called after the removal of well-known secrets.
    custom: Vec<Arc<Scrub>>,
}

impl Scrubbers {
    pub(super) fn push(&mut self, scrub: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.custom.push(Arc::new(scrub));
    }

    pub(super) fn scrub(&self, value: &mut Value) {
        well_known(value);
        for scrub in &self.custom {
            scrub(value);
        }
    }

    pub(super) fn scrubbed(&self, mut value: Value) -> Value {
        self.scrub(&mut value);
        value
    }
}

fn well_known(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(scrubbed) = text_without_secrets(text) {
                *text = scrubbed;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(well_known),
        Value::Object(fields) => {
            for (name, value) in &mut *fields {
                let secret = match value {
                    Value::Null | Value::Bool(_) => false,
                    Value::String(text) if text.is_empty() => false,
                    _ => NAME.as_ref().is_some_and(|names| names.is_match(name)),
                };
                if secret { *value = Value::from(SCRUBBED) } else { well_known(value) }
            }
            if fields.keys().any(|name| text_without_secrets(name).is_some()) {
                let renamed: Map<_, _> = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, value)| (text_without_secrets(&name).unwrap_or(name), value))
                    .collect();
                *fields = renamed;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns the text without its secrets, or `None` if it has none.
pub(in crate::models) fn text_without_secrets(text: &str) -> Option<String> {
    // JSON within a text, such as a tool result, is parsed: escapes may hide the names of fields.
    if text.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        let mut scrubbed = value.clone();
        well_known(&mut scrubbed);
        return (scrubbed != value).then(|| scrubbed.to_string());
    }
    let mut scrubbed: Option<String> = None;
    // Removing one secret may expose another. Few texts have secrets, so few take a second pass.
    for _ in 0..ROUNDS {
        let before = scrubbed.clone();
        for (pattern, becomes) in &*PATTERNS {
            let now = scrubbed.as_deref().unwrap_or(text);
            if let Cow::Owned(changed) = pattern.replace_all(now, *becomes) {
                scrubbed = Some(changed);
            }
        }
        if scrubbed == before {
            break;
        }
    }
    scrubbed.filter(|scrubbed| scrubbed != text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pattern_is_valid() {
        assert_eq!(PATTERNS.len(), patterns().len());
        assert!(NAME.is_some());
    }

    /// Invented keys in the formats that providers document.
    const SECRETS: &[&str] = &[
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "sk-proj-abcdEFGH1234_5678-ijkl",
        "sk-ant-api03-abcdefghijklmnop",
        "xoxb-1234567890-abcdefghij",
        "xapp-1-A0123456789-abcdef",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "ya29.a0AfH6SMBabcdefghijklmnop",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijklmnop",
        "glpat-abcdefghij0123456789",
        "gsk_abcdefghijklmnopqrstuvwxyz",
        "xai-abcdefghijklmnopqrstuvwxyz",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnop",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabcd\n-----END RSA PRIVATE KEY-----",
    ];

    #[test]
    fn removes_well_known_secrets_at_any_position() {
        for secret in SECRETS {
            for mut value in [
                json!(format!("use {secret} please")),
                json!({"nested": [{"argument": secret}]}),
                json!({*secret: 1}),
                json!(json!({"argument": secret}).to_string()),
                json!(format!("cut off: {{\"argument\": \"{secret}")),
            ] {
                well_known(&mut value);
                let end = secret.get(secret.len() - 6..).unwrap();
                assert!(!value.to_string().contains(end), "{secret}: {value}");
            }
        }
    }

    #[test]
    fn removes_values_of_secret_fields_only() {
        for name in [
            "password",
            "apiKey",
            "X-Api-Key",
            "client_secret",
            "token",
            "accessToken",
            "Authorization",
            "aws_secret_access_key",
        ] {
            for mut value in [
                json!({name: "hunter2"}),
                json!({name: ["hunter2"]}),
                json!({name: {"is": "hunter2"}}),
                json!(format!("{{\"{name}\": \"hunter2\"}} and more")),
                json!(format!("{{\"{name}\": \"hunter2")),
                json!(format!("{name}=hunter2")),
                json!(format!("{name}: Basic hunter2")),
                json!(format!("{name}: 'hunter2'")),
            ] {
                well_known(&mut value);
                assert!(!value.to_string().contains("hunter2"), "{name}: {value}");
            }
        }
        let usage =
            json!({"inputTokens": 1539, "maxTokens": 10, "nextToken": "page-2", "password": null, "token": true});
        assert_eq!(Scrubbers::default().scrubbed(usage.clone()), usage);
        let prose =
            json!("The secret of a good password is its length; a token of thanks for task-management-software.");
        assert_eq!(Scrubbers::default().scrubbed(prose.clone()), prose);
    }

    proptest! {
        #[test]
        fn scrubbing_is_idempotent(
            fragments in prop::collection::vec(prop_oneof![
                prop::sample::select(SECRETS).prop_map(str::to_owned),
                prop::sample::select(&["password", "\"token\"", ": ", "=", "Bearer ", "\"", "\\", "{", "}", "://a:b@", " ", "[scrubbed]"][..])
                    .prop_map(str::to_owned),
                "[a-z0-9:,]{0,6}",
            ], 0..8),
        ) {
            let once = Scrubbers::default().scrubbed(json!(fragments.concat()));
            prop_assert_eq!(&Scrubbers::default().scrubbed(once.clone()), &once);
        }
    }
}
