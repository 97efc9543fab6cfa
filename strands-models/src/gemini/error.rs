//! Error classification: Google's errors by error kind.

use std::time::Duration;

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::ErrorResponse;

/// Returns the kind of an error response.
pub(super) fn classify(response: &mut ErrorResponse) -> ModelErrorKind {
    let body = response.json();
    // The error of a streaming request may be in an array.
    let error = body.get("error").or_else(|| body.get(0)?.get("error")).unwrap_or(&body);
    classify_error(response, error)
}

/// Returns an error in a stream with its kind.
pub(super) fn stream_error(error: &Value) -> (ErrorResponse, ModelErrorKind) {
    let mut response = ErrorResponse { body: error.to_string(), ..ErrorResponse::default() };
    let kind = classify_error(&mut response, error);
    (response, kind)
}

fn classify_error(response: &mut ErrorResponse, error: &Value) -> ModelErrorKind {
    let word = |name: &str| error.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
    let details = || error.get("details").and_then(Value::as_array).into_iter().flatten();
    let reason = |reason: &str| details().any(|detail| detail.get("reason").is_some_and(|known| known == reason));
    let number = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = response.status.or(number.filter(|code| (400..600).contains(code)));
    response.code = word("status").map(str::to_owned).or_else(|| number.map(|number| number.to_string()));
    // More exact than the header, which is usually missing.
    let delay = details().find_map(|detail| duration(detail.get("retryDelay")?.as_str()?));
    response.retry_after = delay.or(response.retry_after);
    let named = word("status").unwrap_or_default();
    let from_message = ModelErrorKind::from_message(status, &[named], word("message").unwrap_or(&response.body));
    match named {
        "RESOURCE_EXHAUSTED" => throttled(response, details()),
        _ if reason("API_KEY_INVALID") || reason("API_KEY_EXPIRED") => ModelErrorKind::Authentication,
        _ if from_message == Some(ModelErrorKind::Throttled) => throttled(response, details()),
        _ if let Some(kind) = from_message => kind,
        "UNAVAILABLE" | "INTERNAL" | "DEADLINE_EXCEEDED" | "ABORTED" | "CANCELLED" | "UNKNOWN" => {
            ModelErrorKind::Overloaded
        }
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => ModelErrorKind::InvalidRequest,
        "NOT_FOUND" => {
            response.advice = Some("unknown model id, or the key has no access to it; check the model id");
            ModelErrorKind::InvalidRequest
        }
        _ => ModelErrorKind::from_status(status),
    }
}

/// Adds advice for daily quotas, which do not reset within the retry delay.
fn throttled<'a>(response: &mut ErrorResponse, details: impl Iterator<Item = &'a Value>) -> ModelErrorKind {
    let violations = details.filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    let quotas = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
    if quotas.into_iter().any(|quota| quota.contains("PerDay")) {
        response.advice = Some("the daily quota is used up; retry after it resets");
    }
    ModelErrorKind::Throttled
}

/// Parses a duration of Google's JSON: seconds followed by `s`.
fn duration(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn classified(status: u16, body: &Value) -> (ModelErrorKind, ErrorResponse) {
        let mut response = ErrorResponse { status: Some(status), body: body.to_string(), ..ErrorResponse::default() };
        (classify(&mut response), response)
    }

    #[test]
    fn classifies_errors() {
        let error = |status: &str, message: &str| json!({"error": {"status": status, "message": message}});
        for (status, body, expected) in [
            (429, error("RESOURCE_EXHAUSTED", ""), ModelErrorKind::Throttled),
            (429, json!("slow down"), ModelErrorKind::Throttled),
            (503, error("UNAVAILABLE", "The model is overloaded."), ModelErrorKind::Overloaded),
            (500, error("INTERNAL", ""), ModelErrorKind::Overloaded),
            (504, error("DEADLINE_EXCEEDED", ""), ModelErrorKind::Overloaded),
            (499, error("CANCELLED", ""), ModelErrorKind::Overloaded),
            (502, json!(null), ModelErrorKind::Overloaded),
            (401, error("UNAUTHENTICATED", ""), ModelErrorKind::Authentication),
            (403, error("PERMISSION_DENIED", ""), ModelErrorKind::Authentication),
            (404, error("NOT_FOUND", "models/x is not found"), ModelErrorKind::InvalidRequest),
            (400, error("FAILED_PRECONDITION", "User location is not supported"), ModelErrorKind::InvalidRequest),
            (
                400,
                error("INVALID_ARGUMENT", "Function call is missing a thought_signature"),
                ModelErrorKind::InvalidRequest,
            ),
            (
                400,
                error("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
                ModelErrorKind::Authentication,
            ),
            (
                400,
                error(
                    "INVALID_ARGUMENT",
                    "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
                ),
                ModelErrorKind::ContextOverflow,
            ),
            (301, json!({}), ModelErrorKind::Protocol),
        ] {
            let (kind, response) = classified(status, &body);
            assert_eq!(kind, expected, "{status} {body}");
            let code = body.pointer("/error/status").and_then(Value::as_str);
            assert_eq!(response.code.as_deref(), code, "{status} {body}");
        }
    }

    #[test]
    fn an_invalid_key_is_an_authentication_error() {
        let body = json!({"error": {"code": 400, "message": "API Key expired.", "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}});
        assert_eq!(classified(400, &body).0, ModelErrorKind::Authentication);
    }

    #[test]
    fn reads_the_retry_delay_of_errors_in_arrays() {
        let body = json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32.5s"},
        ]}}]);
        let (kind, response) = classified(429, &body);
        assert_eq!(kind, ModelErrorKind::Throttled);
        assert_eq!(response.retry_after, Some(Duration::from_millis(32_500)));
        assert!(response.advice.is_some_and(|advice| advice.contains("daily")));
        for bad in ["32", "s", "-1s", "NaNs"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn classifies_stream_errors() {
        for (error, expected) in [
            (json!({"code": 503, "status": "UNAVAILABLE"}), ModelErrorKind::Overloaded),
            (json!({"code": 429}), ModelErrorKind::Throttled),
            (json!({"code": 400, "status": "INVALID_ARGUMENT"}), ModelErrorKind::InvalidRequest),
            (json!({"message": "what"}), ModelErrorKind::Transport),
        ] {
            assert_eq!(stream_error(&error).1, expected, "{error}");
        }
    }
}
