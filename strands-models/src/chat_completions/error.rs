//! Refusals of OpenAI, and of those who speak as it does, sorted by what the caller can do about them.

use serde_json::Value;
use strands_core::model::RefusalKind;

use crate::http::Refusal;

/// What one server alone says.
type Own = fn(&mut Refusal, &Value) -> Option<RefusalKind>;

/// What servers say of a conversation that is too long for the model, in small letters. Only OpenAI has a code for it.
const OVERFLOW: [&str; 9] = [
    "maximum context length",
    "context_length_exceeded",
    "too many tokens",
    "context length",
    "input is too long for requested model",
    "input length and `max_tokens` exceed context limit",
    "too many total text bytes",
    "exceeds the max_model_len",
    "exceeds the context window",
];

/// The kind of an error response.
pub(crate) fn sort(refusal: &mut Refusal, own: Own) -> RefusalKind {
    let body: Value = serde_json::from_str(&refusal.body).unwrap_or_default();
    // Some wrap the error, some are the error, and some put it in a list.
    let error = body.get("error").or_else(|| body.pointer("/0/error")).unwrap_or(&body);
    sort_error(refusal, error, own)
}

/// The kind of an error object, from a response or out of a stream.
pub(crate) fn refused(error: &Value, own: Own) -> (Refusal, RefusalKind) {
    let mut refusal = Refusal { body: error.to_string(), ..Refusal::default() };
    let kind = sort_error(&mut refusal, error, own);
    (refusal, kind)
}

fn sort_error(refusal: &mut Refusal, error: &Value, own: Own) -> RefusalKind {
    let word = |name: &str| error.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
    // Gateways put the status of the server behind them where OpenAI has a word.
    let number = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = refusal.status.or(number.filter(|code| (400..600).contains(code)));
    let code = word("code").or_else(|| word("type")).map(str::to_owned);
    refusal.code = code.or_else(|| number.map(|number| number.to_string()));
    if let Some(kind) = own(refusal, error) {
        return kind;
    }
    let words = word("message").or_else(|| error.as_str()).unwrap_or(&refusal.body).to_lowercase();
    let named = [word("code"), word("type")];
    let is = |name: &str| named.contains(&Some(name));
    if is("insufficient_quota") || is("billing_hard_limit_reached") {
        refusal.advice = Some("the account has no credit left: asking again does not help until there is some");
        return RefusalKind::InvalidRequest;
    }
    if is("context_length_exceeded") || is("string_above_max_length") {
        return RefusalKind::ContextOverflow;
    }
    let limited = status == Some(429) || is("rate_limit_exceeded") || is("rate_limit_error") || is("too_many_requests");
    // What is more than a minute's worth by itself no minute will do for.
    if limited && !words.contains("request too large") {
        return RefusalKind::Throttled;
    }
    // Bytes are what there is too much of, and what shortening takes away.
    if limited || status == Some(413) {
        return RefusalKind::ContextOverflow;
    }
    if is("content_filter") || is("content_policy_violation") || is("invalid_prompt") && words.contains("policy") {
        return RefusalKind::ContentFiltered;
    }
    // OpenRouter passes on what the server behind it said.
    let behind = error.pointer("/metadata/raw").and_then(Value::as_str).map(str::to_lowercase);
    let overflows =
        |words: &str| OVERFLOW.iter().any(|overflow| words.contains(overflow)) || words.contains("model maximum");
    if overflows(&words) || behind.as_deref().is_some_and(overflows) {
        return RefusalKind::ContextOverflow;
    }
    if is("invalid_api_key") || is("authentication_error") || is("permission_error") {
        return RefusalKind::Authentication;
    }
    if is("server_error") || is("internal_server_error") || is("overloaded_error") || is("service_unavailable") {
        return RefusalKind::Overloaded;
    }
    if is("model_not_found") {
        refusal.advice = Some("the host does not know this model id, or the key may not use it");
    }
    if status.is_none() && (is("invalid_request_error") || is("invalid_prompt")) {
        return RefusalKind::InvalidRequest;
    }
    RefusalKind::of_status(status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(status: Option<u16>, body: &Value) -> (RefusalKind, Option<String>) {
        let mut refusal = Refusal { status, body: body.to_string(), ..Refusal::default() };
        let kind = sort(&mut refusal, |_, _| None);
        (kind, refusal.code)
    }

    #[test]
    fn refusals_are_sorted_by_what_the_caller_can_do() {
        for (status, body, expected, code) in [
            (429, json!({"error": {"code": "rate_limit_exceeded"}}), RefusalKind::Throttled, "rate_limit_exceeded"),
            (429, json!({"error": {"type": "insufficient_quota"}}), RefusalKind::InvalidRequest, "insufficient_quota"),
            (413, json!({"error": {"code": "rate_limit_exceeded"}}), RefusalKind::Throttled, "rate_limit_exceeded"),
            (
                400,
                json!({"error": {"code": "context_length_exceeded"}}),
                RefusalKind::ContextOverflow,
                "context_length_exceeded",
            ),
            (
                400,
                json!({"error": {"message": "This model's maximum context length is 8"}}),
                RefusalKind::ContextOverflow,
                "",
            ),
            (400, json!([{"error": {"message": "bad"}}]), RefusalKind::InvalidRequest, ""),
            // What a gateway passes on, as OpenRouter does.
            (
                400,
                json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {
                    "raw": "{\"error\":{\"message\":\"This endpoint's maximum context length is 8 tokens.\"}}"}}}),
                RefusalKind::ContextOverflow,
                "400",
            ),
            // More than a minute's worth in one request: no minute will do.
            (
                413,
                json!({"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": "Request too large for model \
                    `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again."}}),
                RefusalKind::ContextOverflow,
                "rate_limit_exceeded",
            ),
            (
                429,
                json!({"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": "Request too large for gpt-4o \
                    on tokens per min (TPM): Limit 30000, Requested 50000. The input or output tokens must be reduced in \
                    order to run successfully."}}),
                RefusalKind::ContextOverflow,
                "rate_limit_exceeded",
            ),
            (400, json!({"error": {"code": "content_filter"}}), RefusalKind::ContentFiltered, "content_filter"),
            (401, json!({"error": {"code": "invalid_api_key"}}), RefusalKind::Authentication, "invalid_api_key"),
            (403, json!({}), RefusalKind::Authentication, ""),
            (404, json!({"error": {"code": "model_not_found"}}), RefusalKind::InvalidRequest, "model_not_found"),
            (500, json!({"error": {"type": "server_error"}}), RefusalKind::Overloaded, "server_error"),
            (502, json!("bad gateway"), RefusalKind::Overloaded, ""),
            (301, json!({}), RefusalKind::Protocol, ""),
        ] {
            let (kind, named) = kind(Some(status), &body);
            assert_eq!(kind, expected, "{status} {body}");
            assert_eq!(named.unwrap_or_default(), code, "{status} {body}");
        }
    }

    #[test]
    fn errors_in_a_stream_have_no_status_but_may_have_its_number() {
        for (error, expected) in [
            (json!({"code": 502, "message": "upstream"}), RefusalKind::Overloaded),
            (json!({"code": 429, "message": "slow down"}), RefusalKind::Throttled),
            (json!({"type": "server_error"}), RefusalKind::Overloaded),
            (json!({"code": "invalid_prompt", "message": "bad"}), RefusalKind::InvalidRequest),
            (json!({"message": "what"}), RefusalKind::Transport),
            (json!("what"), RefusalKind::Transport),
        ] {
            assert_eq!(refused(&error, |_, _| None).1, expected, "{error}");
        }
    }
}
