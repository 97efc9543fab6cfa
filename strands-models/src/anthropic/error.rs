//! Refusals of Anthropic, sorted by what the caller can do about them. Source:
//! <https://platform.claude.com/docs/en/api/errors>.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::ErrorResponse;

/// The kind of an error response: `{"type": "error", "error": {"type": .., "message": ..}, "request_id": ..}`.
pub(super) fn sort(refusal: &mut ErrorResponse) -> ModelErrorKind {
    let body = refusal.json();
    sort_error(refusal, &body)
}

/// The kind of an error event in a stream, which looks the same.
pub(super) fn refused(event: &Value) -> (ErrorResponse, ModelErrorKind) {
    let mut refusal = ErrorResponse { body: event.to_string(), ..ErrorResponse::default() };
    let kind = sort_error(&mut refusal, event);
    (refusal, kind)
}

fn sort_error(refusal: &mut ErrorResponse, body: &Value) -> ModelErrorKind {
    let error = body.get("error").unwrap_or(body);
    let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, message) = (word(error, "type"), word(error, "message"));
    // Gateways have other forms.
    let message = if message.is_empty() { error.as_str().unwrap_or(&refusal.body).to_owned() } else { message };
    refusal.code = (!kind.is_empty()).then(|| kind.clone());
    if refusal.request_id.is_none() {
        refusal.request_id = Some(word(body, "request_id")).filter(|id| !id.is_empty());
    }
    let sorted = ModelErrorKind::of_words(refusal.status, &[&kind], &message).unwrap_or_else(|| match kind.as_str() {
        "overloaded_error" | "api_error" | "timeout_error" => ModelErrorKind::Overloaded,
        "billing_error" => {
            refusal.advice = Some("check the account's credit: asking again does not help until there is some");
            ModelErrorKind::InvalidRequest
        }
        "not_found_error" => {
            refusal.advice = Some("the host does not know this model id, or the key may not use it");
            ModelErrorKind::InvalidRequest
        }
        "invalid_request_error" => ModelErrorKind::InvalidRequest,
        _ => ModelErrorKind::of_status(refusal.status),
    });
    if message.contains("bound to a different conversation") {
        refusal.advice =
            Some("the history was changed behind thoughts of the model; use `.stale_thinking(StaleThinking::Drop)`");
    }
    sorted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(kind: &str, message: &str) -> Value {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
    }

    #[test]
    fn refusals_are_sorted_by_what_the_caller_can_do() {
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
            let mut refusal = ErrorResponse {
                status: Some(status),
                body: error(kind, message).to_string(),
                ..ErrorResponse::default()
            };
            assert_eq!(sort(&mut refusal), expected, "{status} {kind}");
            assert_eq!(refusal.code.as_deref(), Some(kind));
            assert_eq!(refusal.request_id.as_deref(), Some("req_1"));
        }
        let mut gateway = ErrorResponse { status: Some(502), body: "<html>".to_owned(), ..ErrorResponse::default() };
        assert_eq!(sort(&mut gateway), ModelErrorKind::Overloaded);
    }

    #[test]
    fn errors_in_a_stream_have_no_status() {
        for (kind, expected) in [
            ("overloaded_error", ModelErrorKind::Overloaded),
            ("rate_limit_error", ModelErrorKind::Throttled),
            ("api_error", ModelErrorKind::Overloaded),
            ("invalid_request_error", ModelErrorKind::InvalidRequest),
            ("new_error", ModelErrorKind::Transport),
        ] {
            let (refusal, sorted) = refused(&error(kind, "Overloaded"));
            assert_eq!(sorted, expected, "{kind}");
            assert!(refusal.body.contains("Overloaded"));
        }
    }

    #[test]
    fn thoughts_of_another_conversation_are_told_what_helps() {
        let message = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.";
        let (refusal, kind) = refused(&error("invalid_request_error", message));
        assert_eq!(kind, ModelErrorKind::InvalidRequest);
        assert!(refusal.advice.unwrap().contains("stale_thinking"));
    }
}
