//! Validation of session and agent ids, before a document key is built from them.

use strands_core::session::SessionError;

/// Maximum length of an id, in bytes.
const MAX_LENGTH: usize = 128;
/// Maximum number of characters of an invalid id in an error.
const SHOWN: usize = 40;

/// Validates the id of a session or an agent.
pub(crate) fn validate(what: &'static str, id: &str) -> Result<(), SessionError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = if id.is_empty() {
        "it is empty"
    } else if id.len() > MAX_LENGTH {
        "it is too long"
    } else if id.starts_with('.') {
        "it starts with a dot"
    } else if !id.bytes().all(allowed) {
        "it has a character that is not allowed in paths on all systems"
    } else {
        return Ok(());
    };
    Err(SessionError::InvalidId { what, id: shown(id), reason })
}

/// Returns the start of an id with control characters escaped: an id may be untrusted, and errors are logged.
fn shown(id: &str) -> String {
    let mut shown: String = id.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if id.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_valid_ids() {
        for id in ["a", "user-42", "A.b_c-9", "01a20242-75c1-7566-8d83-051dcf42f567", &"x".repeat(128)] {
            assert!(validate("session id", id).is_ok(), "{id}");
        }
    }

    #[test]
    fn rejects_invalid_ids_and_truncates_them_in_errors() {
        let long = "x".repeat(10_240);
        let hostile = [
            "",
            ".",
            "..",
            ".hidden",
            "/etc/passwd",
            "../up",
            "a/b",
            "a\\b",
            "a b",
            " ",
            "C:",
            "a\0b",
            "a\nb",
            "é",
            "日本",
            "a%2fb",
            "~",
            "a:b",
            "a*",
            &long,
        ];
        for id in hostile {
            let error = validate("session id", id).expect_err(id);
            let text = error.to_string();
            assert!(matches!(error, SessionError::InvalidId { what: "session id", .. }), "{id}");
            assert!(text.len() < 400 && !text.contains('\n') && !text.contains('\0'), "{text}");
        }
    }
}
