//! Validation of document keys, before a path is built from them.

use crate::document_store::StoreError;

const MAX_KEY: usize = 512;
const MAX_SEGMENT: usize = 200;

/// Validates the key of a document or the name of a folder. `""` is the root folder.
pub(crate) fn validate(key: &str) -> Result<(), StoreError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let valid = |segment: &str| {
        (1..=MAX_SEGMENT).contains(&segment.len()) && !segment.starts_with('.') && segment.bytes().all(allowed)
    };
    if key.is_empty() || (key.len() <= MAX_KEY && key.split('/').all(valid)) {
        return Ok(());
    }
    let shown: String = key.chars().take(80).flat_map(char::escape_debug).collect();
    Err(StoreError::new(format!(
        "invalid key `{shown}`: expected segments of `A-Z a-z 0-9 . _ -` joined by `/`, none of which starts with a dot"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_segments_only() {
        for key in ["", "a", "session_s/session.json", "A.b_c-9/x"] {
            validate(key).unwrap();
        }
        let long = "x".repeat(MAX_SEGMENT + 1);
        for key in ["/", "/a", "a/", "a//b", "..", "a/../b", "a/.b", "a\\b", "a b", "é", "a\0", &long] {
            validate(key).unwrap_err();
        }
    }
}
