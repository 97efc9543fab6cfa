//! Classification of errors of OpenAI and of servers with its protocol.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::{ErrorResponse, permanent_error};

/// Classification of errors that only one server returns.
type Own = fn(&mut ErrorResponse, &Value) -> Option<ModelErrorKind>;

/// Returns the kind of an error response.
pub(crate) fn classify(error_response: &mut ErrorResponse, own: Own) -> ModelErrorKind {
    let body = error_response.json();
    // Some servers wrap the error in an object or a list, others do not.
    let error = body.get("error").or_else(|| body.pointer("/0/error")).unwrap_or(&body);
    classify_error(error_response, error, own)
}

/// Returns the kind of an error object, from a response or a stream.
pub(crate) fn refused(error: &Value, own: Own) -> (ErrorResponse, ModelErrorKind) {
    let mut error_response = ErrorResponse { body: error.to_string(), ..ErrorResponse::default() };
    let kind = classify_error(&mut error_response, error, own);
    (error_response, kind)
}

fn classify_error(error_response: &mut ErrorResponse, error: &Value, own: Own) -> ModelErrorKind {
    let word = |name: &str| error.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
    // Gateways send the status of the server behind them in place of OpenAI's code.
    let number = |name: &str| {
        let number = error.get(name)?;
        let number = number.as_u64().or_else(|| number.as_str()?.parse().ok())?;
        u16::try_from(number).ok().filter(|status| (400..600).contains(status))
    };
    let status = error_response.status.or_else(|| ["code", "status_code", "status"].into_iter().find_map(number));
    let code = word("code").or_else(|| word("type")).map(str::to_owned);
    error_response.code = code.or_else(|| error.get("code").and_then(Value::as_u64).map(|number| number.to_string()));
    if let Some(kind) = own(error_response, error) {
        return kind;
    }
    let message = word("message")
        .or_else(|| error.as_str())
        .or_else(|| word("detail"))
        .unwrap_or(&error_response.body)
        .to_owned();
    let named: Vec<&str> = [word("code"), word("type")].into_iter().flatten().collect();
    let is = |names: &[&str]| names.iter().any(|name| named.contains(name));
    if status == Some(402) || is(&OUT_OF_CREDIT) {
        error_response.advice = Some("the account has no credit left: asking again does not help until there is some");
        return ModelErrorKind::InvalidRequest;
    }
    if is(&["string_above_max_length"]) && is_of_the_conversation(word("param").unwrap_or_default()) {
        return ModelErrorKind::ContextOverflow;
    }
    // OpenRouter passes the message of the server behind it through.
    let behind = || ModelErrorKind::from_message(status, &[], error.pointer("/metadata/raw")?.as_str()?);
    if let Some(kind) = ModelErrorKind::from_message(status, &named, &message).or_else(behind) {
        return kind;
    }
    if is(&["invalid_prompt"]) && message.to_lowercase().contains("policy") {
        return ModelErrorKind::ContentFiltered;
    }
    if let Some(kind) = permanent_error(error_response, status, &message) {
        return kind;
    }
    if is(&["server_error", "internal_server_error", "overloaded_error", "service_unavailable"]) {
        return ModelErrorKind::Overloaded;
    }
    if is(&["model_not_found"]) || status == Some(404) && message.to_lowercase().contains("model") {
        error_response.advice = Some("the host does not know this model id, or the key may not use it");
    }
    if status.is_none() && is(&["invalid_request_error", "invalid_prompt"]) {
        return ModelErrorKind::InvalidRequest;
    }
    ModelErrorKind::from_status(status)
}

/// Permanent errors of an account that have the status of throttling.
const OUT_OF_CREDIT: [&str; 5] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "insufficient_balance",
    "exceeded_current_quota_error",
    "insufficient_user_quota",
];

/// Returns true if a text that is too long is the conversation: truncating it does not help with other texts.
fn is_of_the_conversation(param: &str) -> bool {
    param.is_empty()
        || (param.starts_with("messages") || param.starts_with("input"))
            && !param.ends_with("id")
            && !param.ends_with("name")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(status: Option<u16>, body: &Value) -> (ModelErrorKind, Option<String>) {
        let mut error_response = ErrorResponse { status, body: body.to_string(), ..ErrorResponse::default() };
        let kind = classify(&mut error_response, |_, _| None);
        (kind, error_response.code)
    }

    #[test]
    fn classifies_errors_by_kind() {
        for (status, body, expected, code) in [
            (429, json!({"error": {"code": "rate_limit_exceeded"}}), ModelErrorKind::Throttled, "rate_limit_exceeded"),
            (
                429,
                json!({"error": {"type": "insufficient_quota"}}),
                ModelErrorKind::InvalidRequest,
                "insufficient_quota",
            ),
            (413, json!({"error": {"code": "rate_limit_exceeded"}}), ModelErrorKind::Throttled, "rate_limit_exceeded"),
            (
                400,
                json!({"error": {"code": "context_length_exceeded"}}),
                ModelErrorKind::ContextOverflow,
                "context_length_exceeded",
            ),
            (
                400,
                json!({"error": {"message": "This model's maximum context length is 8"}}),
                ModelErrorKind::ContextOverflow,
                "",
            ),
            (400, json!([{"error": {"message": "bad"}}]), ModelErrorKind::InvalidRequest, ""),
            // Passed through by a gateway such as OpenRouter.
            (
                400,
                json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {
                    "raw": "{\"error\":{\"message\":\"This endpoint's maximum context length is 8 tokens.\"}}"}}}),
                ModelErrorKind::ContextOverflow,
                "400",
            ),
            // One request exceeds the limit of a minute, so a retry can't succeed.
            (
                413,
                json!({"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": "Request too large for model \
                    `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again."}}),
                ModelErrorKind::ContextOverflow,
                "rate_limit_exceeded",
            ),
            (
                429,
                json!({"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": "Request too large for gpt-4o \
                    on tokens per min (TPM): Limit 30000, Requested 50000. The input or output tokens must be reduced in \
                    order to run successfully."}}),
                ModelErrorKind::ContextOverflow,
                "rate_limit_exceeded",
            ),
            (400, json!({"error": {"code": "content_filter"}}), ModelErrorKind::ContentFiltered, "content_filter"),
            (401, json!({"error": {"code": "invalid_api_key"}}), ModelErrorKind::Authentication, "invalid_api_key"),
            (403, json!({}), ModelErrorKind::Authentication, ""),
            (404, json!({"error": {"code": "model_not_found"}}), ModelErrorKind::InvalidRequest, "model_not_found"),
            (500, json!({"error": {"type": "server_error"}}), ModelErrorKind::Overloaded, "server_error"),
            (
                500,
                json!({"error": {"code": 500, "type": "server_error", "message": "Error: Jinja Exception: Conversation \
                roles must alternate user/assistant"}}),
                ModelErrorKind::InvalidRequest,
                "server_error",
            ),
            (
                500,
                json!({"error": {"type": "server_error", "message": "Failed to load image or audio file"}}),
                ModelErrorKind::InvalidRequest,
                "server_error",
            ),
            (
                500,
                json!({"error": {"type": "server_error", "message": "Failed to parse tool call arguments as JSON"}}),
                ModelErrorKind::InvalidRequest,
                "server_error",
            ),
            (
                500,
                json!({"error": {"type": "server_error", "message": "Failed to parse input at pos 12"}}),
                ModelErrorKind::MalformedOutput,
                "server_error",
            ),
            (
                400,
                json!({"error": {"code": "tool_use_failed", "type": "invalid_request_error", "message": "Failed"}}),
                ModelErrorKind::MalformedOutput,
                "tool_use_failed",
            ),
            (
                400,
                json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {
                "raw": "{\"error\":{\"message\":\"Failed to call a function.\",\"code\":\"tool_use_failed\"}}"}}}),
                ModelErrorKind::MalformedOutput,
                "400",
            ),
            (
                400,
                json!({"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***ai."}),
                ModelErrorKind::Authentication,
                "",
            ),
            (
                400,
                json!({"error": {"code": "string_above_max_length", "param": "messages[1].content"}}),
                ModelErrorKind::ContextOverflow,
                "string_above_max_length",
            ),
            (
                400,
                json!({"error": {"code": "string_above_max_length", "param": "tools[0].function.description"}}),
                ModelErrorKind::InvalidRequest,
                "string_above_max_length",
            ),
            (
                400,
                json!({"error": {"code": "string_above_max_length", "param": "messages[2].tool_calls[0].id"}}),
                ModelErrorKind::InvalidRequest,
                "string_above_max_length",
            ),
            (
                402,
                json!({"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
                ModelErrorKind::InvalidRequest,
                "unknown_error",
            ),
            (502, json!("bad gateway"), ModelErrorKind::Overloaded, ""),
            (301, json!({}), ModelErrorKind::Protocol, ""),
        ] {
            let (kind, named) = kind(Some(status), &body);
            assert_eq!(kind, expected, "{status} {body}");
            assert_eq!(named.unwrap_or_default(), code, "{status} {body}");
        }
    }

    #[test]
    fn classifies_an_error_with_half_a_character() {
        let body = r#"{"error": {"message": "cut \ud83d", "code": "context_length_exceeded"}}"#.to_owned();
        let mut error_response = ErrorResponse { status: Some(400), body, ..ErrorResponse::default() };
        assert_eq!(classify(&mut error_response, |_, _| None), ModelErrorKind::ContextOverflow);
        assert_eq!(error_response.code.as_deref(), Some("context_length_exceeded"));
    }

    #[test]
    fn classifies_errors_in_a_stream_by_number() {
        for (error, expected) in [
            (json!({"code": 502, "message": "upstream"}), ModelErrorKind::Overloaded),
            (json!({"code": 429, "message": "slow down"}), ModelErrorKind::Throttled),
            (json!({"code": "429", "message": "slow down"}), ModelErrorKind::Throttled),
            (json!({"code": "x", "status_code": 503, "message": "no"}), ModelErrorKind::Overloaded),
            (json!({"message": "Error rendering prompt with jinja template"}), ModelErrorKind::InvalidRequest),
            (json!({"type": "server_error"}), ModelErrorKind::Overloaded),
            (json!({"code": "invalid_prompt", "message": "bad"}), ModelErrorKind::InvalidRequest),
            (json!({"message": "what"}), ModelErrorKind::Transport),
            (json!("what"), ModelErrorKind::Transport),
        ] {
            assert_eq!(refused(&error, |_, _| None).1, expected, "{error}");
        }
    }
}
