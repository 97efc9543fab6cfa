//! Errors that only Mistral has.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::ErrorResponse;

/// Classifies an error by its type, since a message may contain any words. Errors are not nested in another object:
/// `{"object": "error", "message": .., "type": .., "code": "3051"}`.
pub(super) fn classify(error_response: &mut ErrorResponse, error: &Value) -> Option<ModelErrorKind> {
    if error.get("type")? != "invalid_model" {
        return None;
    }
    error_response.advice = Some("the host does not know this model id, or the key may not use it");
    Some(ModelErrorKind::InvalidRequest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat_completions;

    #[test]
    fn classifies_errors_by_kind() {
        for (status, body, expected) in [
            (
                400,
                json!({"object": "error", "type": "invalid_request_prompt", "code": "3051",
                    "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum \
                                context length"}),
                ModelErrorKind::ContextOverflow,
            ),
            (
                400,
                json!({"object": "error", "message": "Invalid temperature: generate less", "type": "invalid_request_error"}),
                ModelErrorKind::InvalidRequest,
            ),
            (400, json!({"message": "Invalid model: m", "type": "invalid_model"}), ModelErrorKind::InvalidRequest),
            (401, json!({"message": "Unauthorized", "request_id": "r"}), ModelErrorKind::Authentication),
            (
                422,
                json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "x"]}]}),
                ModelErrorKind::InvalidRequest,
            ),
            (429, json!({"message": "Requests rate limit exceeded"}), ModelErrorKind::Throttled),
            (
                429,
                json!({"type": "service_tier_capacity_exceeded", "code": "3505", "message": "exceeded"}),
                ModelErrorKind::Throttled,
            ),
            (500, json!({"object": "error", "message": "Service unavailable."}), ModelErrorKind::Overloaded),
        ] {
            let mut error_response =
                ErrorResponse { status: Some(status), body: body.to_string(), ..ErrorResponse::default() };
            assert_eq!(chat_completions::classify(&mut error_response, classify), expected, "{status} {body}");
        }
    }
}
