//! Errors that only llama.cpp's server has.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::ErrorResponse;

/// Parts of messages of permanent errors with the status 500, with advice.
const PERMANENT: [(&str, &str); 2] = [
    ("cannot use", "a request has one of a grammar, a JSON schema and tools"),
    ("grammar", "the server can't compile the grammar or the JSON schema; look at its log"),
];

/// Classifies an error by the server's own types: `{"error": {"code": 400, "message": .., "type": "exceed_context_size_error"}}`.
/// All faults of a request are a `server_error`, as are those of the server.
pub(super) fn classify(error_response: &mut ErrorResponse, error: &Value) -> Option<ModelErrorKind> {
    let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    match word("type") {
        "unavailable_error" => {
            error_response.advice = Some("the server is still loading the model; retry later");
            Some(ModelErrorKind::Overloaded)
        }
        "not_supported_error" => {
            error_response.advice = Some("the server was started without a feature that this request needs");
            Some(ModelErrorKind::InvalidRequest)
        }
        "server_error" => {
            let message = word("message").to_lowercase();
            let (_, advice) = PERMANENT.iter().find(|(words, _)| message.contains(words))?;
            error_response.advice = Some(advice);
            Some(ModelErrorKind::InvalidRequest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat_completions;

    #[test]
    fn classifies_errors_by_kind() {
        for (status, kind, message, expected) in [
            (
                400,
                "exceed_context_size_error",
                "request (2009 tokens) exceeds the available",
                ModelErrorKind::ContextOverflow,
            ),
            (400, "invalid_request_error", "the slot and its context are fine", ModelErrorKind::InvalidRequest),
            (401, "authentication_error", "Invalid API Key", ModelErrorKind::Authentication),
            (500, "server_error", "tools param requires --jinja flag", ModelErrorKind::InvalidRequest),
            (500, "server_error", "image input is not supported - hint: mmproj", ModelErrorKind::InvalidRequest),
            (500, "server_error", "Cannot use both json_schema and grammar", ModelErrorKind::InvalidRequest),
            (500, "server_error", "Compute error.", ModelErrorKind::Overloaded),
            (501, "not_supported_error", "This server does not support it.", ModelErrorKind::InvalidRequest),
            (503, "unavailable_error", "Loading model", ModelErrorKind::Overloaded),
        ] {
            let body = json!({"error": {"code": status, "type": kind, "message": message}}).to_string();
            let mut error_response = ErrorResponse { status: Some(status), body, ..ErrorResponse::default() };
            assert_eq!(chat_completions::classify(&mut error_response, classify), expected, "{status} {message}");
            assert_eq!(error_response.code.as_deref(), Some(kind));
        }
    }
}
