//! Fingerprint of a tool call: it binds decisions, approvals and audit records to one call.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// SHA-256 of canonical JSON ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)), in hexadecimal: 64 characters.
///
/// Two values have the same fingerprint if they are the same JSON, whatever the order of their keys.
///
/// # Examples
///
/// ```
/// use strands::identity::Fingerprint;
/// use strands::serde_json::json;
///
/// assert_eq!(Fingerprint::of(&json!({"a": 1, "b": 2})), Fingerprint::of(&json!({"b": 2, "a": 1.0})));
/// assert_ne!(Fingerprint::of(&json!({"a": 1})), Fingerprint::of(&json!({"a": "1"})));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Returns the fingerprint of a JSON value.
    pub fn of(value: &Value) -> Self {
        // Canonical JSON exists for each JSON value: only NaN and infinities, which `Value` does not have, fail.
        let canonical = serde_json_canonicalizer::to_vec(value).unwrap_or_else(|_| value.to_string().into_bytes());
        let mut digits = String::with_capacity(64);
        for byte in Sha256::digest(canonical) {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self(digits)
    }

    /// Returns the fingerprint of a tool call: its id, the tool's name and the arguments.
    pub fn of_call(tool_use_id: &str, tool: &str, input: &Value) -> Self {
        Self::of(&json!({"tool_use_id": tool_use_id, "tool": tool, "input": input}))
    }

    /// Returns the hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
