//! JSON objects of tokens and keys, without duplicate members.

use serde_json::{Map, Value};
use strands_core::strict_json;

use super::reason::JwtReason;

/// Reads a JSON object in which no object, at any depth, has two members of one name.
pub(super) fn object(json: &[u8]) -> Result<Map<String, Value>, JwtReason> {
    match strict_json::from_slice(json) {
        Ok(Value::Object(object)) => Ok(object),
        Err(error) if error.is_data() => Err(JwtReason::DuplicateMember),
        Ok(_) | Err(_) => Err(JwtReason::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_objects_without_duplicate_members() {
        assert!(object(br#"{"a": 1}"#).is_ok());
        for (text, reason) in [
            (r#"{"a":1,"a":1}"#, JwtReason::DuplicateMember),
            ("[]", JwtReason::Malformed),
            ("1", JwtReason::Malformed),
            ("null", JwtReason::Malformed),
            ("{} x", JwtReason::Malformed),
        ] {
            assert_eq!(object(text.as_bytes()), Err(reason), "{text}");
        }
    }
}
