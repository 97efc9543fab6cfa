//! What only llama.cpp's server says when it does not do what it was asked.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::Refusal;

/// Words that come with the status 500 of requests that this server alone will never answer, with advice.
const NEVER: [(&str, &str); 2] = [
    ("cannot use", "an answer is held to one form: a grammar, a JSON schema or tools"),
    ("grammar", "the server can't make a grammar of what was asked for; look at its log"),
];

/// Errors have types of the server's own: `{"error": {"code": 400, "message": .., "type": "exceed_context_size_error"}}`.
/// Everything that goes wrong while a request is read is a `server_error`, as is everything while it is answered.
pub(super) fn sort(refusal: &mut Refusal, error: &Value) -> Option<ModelErrorKind> {
    let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    match word("type") {
        "unavailable_error" => {
            refusal.advice = Some("the server is still loading the model: ask again in a while");
            Some(ModelErrorKind::Overloaded)
        }
        "not_supported_error" => {
            refusal.advice = Some("the server was started without what this request needs");
            Some(ModelErrorKind::InvalidRequest)
        }
        "server_error" => {
            let message = word("message").to_lowercase();
            let (_, advice) = NEVER.iter().find(|(said, _)| message.contains(said))?;
            refusal.advice = Some(advice);
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
    fn refusals_are_sorted_by_what_the_caller_can_do() {
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
            let mut refusal = Refusal { status: Some(status), body, ..Refusal::default() };
            assert_eq!(chat_completions::sort(&mut refusal, sort), expected, "{status} {message}");
            assert_eq!(refusal.code.as_deref(), Some(kind));
        }
    }
}
