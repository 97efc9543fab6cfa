//! Fingerprint of a tool call: it binds decisions, approvals and audit records to one call.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Largest integer up to which a 64-bit float is exact.
const MAX_EXACT: u64 = 1 << 53;

/// SHA-256 of canonical JSON ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)), in hexadecimal: 64 characters. Integers
/// beyond 2^53, which canonical JSON rounds, count with all digits.
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
/// assert_ne!(Fingerprint::of(&json!(9_007_199_254_740_993_u64)), Fingerprint::of(&json!(9_007_199_254_740_992_u64)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Returns the fingerprint of a JSON value.
    pub fn of(value: &Value) -> Self {
        // Canonical JSON exists for each JSON value: only NaN and infinities, which `Value` does not have, fail.
        let mut canonical = serde_json_canonicalizer::to_vec(value).unwrap_or_else(|_| value.to_string().into_bytes());
        append_large_integers(value, &mut 0, &mut canonical);
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

/// Appends the digits of integers beyond 2^53, which canonical JSON rounds, each with its position among the numbers: two ids must
/// not have one fingerprint. No JSON has the zero byte before them.
fn append_large_integers(value: &Value, numbers: &mut usize, canonical: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            *numbers += 1;
            let size = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
            if size.is_some_and(|size| size > MAX_EXACT) {
                canonical.push(0);
                canonical.extend(format!("{numbers}:{number}").into_bytes());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| append_large_integers(item, numbers, canonical)),
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            let fields = names.iter().filter_map(|name| fields.get(*name));
            fields.for_each(|field| append_large_integers(field, numbers, canonical));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_integers_count_in_their_place() {
        // Canonical JSON is the same for each of these.
        let (large, float) = (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992.0));
        let of = |one: &Value, two: &Value| Fingerprint::of(&json!([one, {"b": two}]));
        assert_ne!(of(&large, &float), of(&float, &large));
        assert_ne!(of(&large, &float), of(&large, &large));
        assert_eq!(of(&large, &float), of(&large, &float));
    }
}
