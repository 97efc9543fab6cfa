//! Error classification: Anthropic's errors by error kind. Source:
//! <https://platform.claude.com/docs/en/api/errors>.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::ErrorResponse;

/// Returns the kind of an error response: `{"type": "error", "error": {"type": .., "message": ..}, "request_id": ..}`.
pub(super) fn classify(response: &mut ErrorResponse) -> ModelErrorKind {
    let body = response.json();
    classify_error(response, &body)
}

/// Returns the error of an error event, which has the same form, with its kind.
pub(super) fn stream_error(event: &Value) -> (ErrorResponse, ModelErrorKind) {
    let mut response = ErrorResponse { body: event.to_string(), ..ErrorResponse::default() };
    let kind = classify_error(&mut response, event);
    (response, kind)
}

fn classify_error(response: &mut ErrorResponse, body: &Value) -> ModelErrorKind {
    let error = body.get("error").unwrap_or(body);
    let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, message) = (word(error, "type"), word(error, "message"));
    // Gateways send errors in other forms.
    let message = if message.is_empty() { error.as_str().unwrap_or(&response.body).to_owned() } else { message };
    response.code = (!kind.is_empty()).then(|| kind.clone());
    if response.request_id.is_none() {
        response.request_id = Some(word(body, "request_id")).filter(|id| !id.is_empty());
    }
    let error_kind =
        ModelErrorKind::from_message(response.status, &[&kind], &message).unwrap_or_else(|| match kind.as_str() {
            "overloaded_error" | "api_error" | "timeout_error" => ModelErrorKind::Overloaded,
            "billing_error" => {
                response.advice = Some("check the account's credit; a retry does not help until it is topped up");
                ModelErrorKind::InvalidRequest
            }
            "not_found_error" => {
                response.advice = Some("unknown model id, or the key has no access to it; check the model id");
                ModelErrorKind::InvalidRequest
            }
            "invalid_request_error" => ModelErrorKind::InvalidRequest,
            _ => ModelErrorKind::from_status(response.status),
        });
    if message.contains("bound to a different conversation") {
        response.advice =
            Some("messages before the model's reasoning were changed; use `.stale_thinking(StaleThinking::Drop)`");
    }
    error_kind
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(kind: &str, message: &str) -> Value {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
    }

    #[test]
    fn classifies_errors() {
        for (status, kind, message, expected) in [
            (400, "invalid_request_error", "temperature: range: 0..1", ModelErrorKind::InvalidRequest),
            (
                400,
                "invalid_request_error",
                "prompt is too long: 209 tokens > 200 maximum",
                ModelErrorKind::ContextOverflow,
            ),
            (
                400,
                "invalid_request_error",
                "input length and `max_tokens` exceed context limit: 9 + 9 > 10",
                ModelErrorKind::ContextOverflow,
            ),
            (401, "authentication_error", "API key is invalid.", ModelErrorKind::Authentication),
            (402, "billing_error", "no credit", ModelErrorKind::InvalidRequest),
            (403, "permission_error", "no", ModelErrorKind::Authentication),
            (404, "not_found_error", "model: x", ModelErrorKind::InvalidRequest),
            (413, "request_too_large", "too many bytes", ModelErrorKind::ContextOverflow),
            (429, "rate_limit_error", "slow down", ModelErrorKind::Throttled),
            (500, "api_error", "oh", ModelErrorKind::Overloaded),
            (504, "timeout_error", "late", ModelErrorKind::Overloaded),
            (529, "overloaded_error", "Overloaded", ModelErrorKind::Overloaded),
            (418, "new_error", "?", ModelErrorKind::InvalidRequest),
        ] {
            let mut response = ErrorResponse {
                status: Some(status),
                body: error(kind, message).to_string(),
                ..ErrorResponse::default()
            };
            assert_eq!(classify(&mut response), expected, "{status} {kind}");
            assert_eq!(response.code.as_deref(), Some(kind));
            assert_eq!(response.request_id.as_deref(), Some("req_1"));
        }
        let mut gateway = ErrorResponse { status: Some(502), body: "<html>".to_owned(), ..ErrorResponse::default() };
        assert_eq!(classify(&mut gateway), ModelErrorKind::Overloaded);
    }

    #[test]
    fn classifies_stream_errors() {
        for (kind, expected) in [
            ("overloaded_error", ModelErrorKind::Overloaded),
            ("rate_limit_error", ModelErrorKind::Throttled),
            ("api_error", ModelErrorKind::Overloaded),
            ("invalid_request_error", ModelErrorKind::InvalidRequest),
            ("new_error", ModelErrorKind::Transport),
        ] {
            let (response, classified) = stream_error(&error(kind, "Overloaded"));
            assert_eq!(classified, expected, "{kind}");
            assert!(response.body.contains("Overloaded"));
        }
    }

    #[test]
    fn advises_dropping_reasoning_of_another_conversation() {
        let message = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.";
        let (response, kind) = stream_error(&error("invalid_request_error", message));
        assert_eq!(kind, ModelErrorKind::InvalidRequest);
        assert!(response.advice.unwrap().contains("stale_thinking"));
    }
}
