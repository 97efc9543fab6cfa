//! What only Mistral says when it does not do what it was asked.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::Refusal;

/// Errors are no object in another: `{"object": "error", "message": .., "type": .., "code": "3051"}`. Types are told apart
/// here, since the words of a message may be about anything.
pub(super) fn sort(refusal: &mut Refusal, error: &Value) -> Option<ModelErrorKind> {
    if error.get("type")? != "invalid_model" {
        return None;
    }
    refusal.advice = Some("the host does not know this model id, or the key may not use it");
    Some(ModelErrorKind::InvalidRequest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat_completions;

    #[test]
    fn refusals_are_sorted_by_what_the_caller_can_do() {
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
            let mut refusal = Refusal { status: Some(status), body: body.to_string(), ..Refusal::default() };
            assert_eq!(chat_completions::sort(&mut refusal, sort), expected, "{status} {body}");
        }
    }
}
