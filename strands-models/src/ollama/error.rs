//! Error classification: errors of Ollama, and of the servers behind it, by error kind.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::{ErrorResponse, permanent_error};

/// Returns the kind of an error response.
pub(super) fn classify(response: &mut ErrorResponse) -> ModelErrorKind {
    let body = response.json();
    classify_error(response, body.get("error").unwrap_or(&body))
}

/// Returns an error that ended a stream, with its kind. Newer servers send the HTTP status that it would have had.
pub(super) fn stream_error(error: &Value, status: Option<u16>) -> (ErrorResponse, ModelErrorKind) {
    let body = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
    let mut response = ErrorResponse { status, body, ..ErrorResponse::default() };
    let kind = classify_error(&mut response, error);
    (response, kind)
}

fn classify_error(response: &mut ErrorResponse, error: &Value) -> ModelErrorKind {
    let words = error.as_str().or_else(|| error.get("message")?.as_str()).unwrap_or(&response.body).to_lowercase();
    // Gateways, and the servers behind Ollama, send objects with a code or a type.
    let named = ["code", "type"].iter().find_map(|name| error.get(name)?.as_str().filter(|word| !word.is_empty()));
    response.code = named.map(str::to_owned);
    let named: Vec<&str> = named.into_iter().collect();
    if let Some(kind) = ModelErrorKind::from_message(response.status, &named, &words) {
        return with_advice(response, kind);
    }
    if words.contains("requires more system memory") {
        response.advice = Some("choose a smaller model, or a smaller `num_ctx`: a retry does not help");
        return ModelErrorKind::InvalidRequest;
    }
    let status = response.status;
    if let Some(kind) = permanent_error(response, status, &words) {
        return kind;
    }
    if response.status == Some(404) && words.contains("model") && words.contains("not found") {
        response.advice = Some("the server does not have this model; download it with `ollama pull <model>`");
    } else if words.contains("does not support tools") {
        response.advice = Some("choose a model that supports tools, or remove the tools from the agent");
    }
    with_advice(response, ModelErrorKind::from_status(status))
}

fn with_advice(response: &mut ErrorResponse, kind: ModelErrorKind) -> ModelErrorKind {
    if kind == ModelErrorKind::Authentication {
        response.advice = Some("sign in with `ollama signin`, or set the API key that the server requires");
    }
    kind
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn classified(status: u16, body: &str) -> (ModelErrorKind, &'static str) {
        let mut response = ErrorResponse { status: Some(status), body: body.to_owned(), ..ErrorResponse::default() };
        (classify(&mut response), response.advice.unwrap_or_default())
    }

    #[test]
    fn classifies_errors_with_advice() {
        for (status, body, expected, advice) in [
            (404, r#"{"error":"model 'qwen3:8b' not found"}"#, ModelErrorKind::InvalidRequest, "`ollama pull <model>`"),
            (404, "404 page not found", ModelErrorKind::InvalidRequest, ""),
            (
                400,
                r#"{"error":"registry.ollama.ai/library/m does not support tools"}"#,
                ModelErrorKind::InvalidRequest,
                "remove the tools",
            ),
            (400, r#"{"error":"\"m\" does not support thinking"}"#, ModelErrorKind::InvalidRequest, ""),
            (
                400,
                r#"{"error":"The prompt is longer than the context length currently available to the model"}"#,
                ModelErrorKind::ContextOverflow,
                "",
            ),
            (500, r#"{"error":"the input length exceeds the context length"}"#, ModelErrorKind::ContextOverflow, ""),
            (
                400,
                r#"{"error":{"code":400,"message":"request (302 tokens) exceeds the available context size","type":"x"}}"#,
                ModelErrorKind::ContextOverflow,
                "",
            ),
            (
                400,
                r#"{"error":"prompt too long; exceeded max context length by 7 tokens"}"#,
                ModelErrorKind::ContextOverflow,
                "",
            ),
            (
                401,
                r#"{"error":"unauthorized","signin_url":"https://ollama.com/connect"}"#,
                ModelErrorKind::Authentication,
                "signin",
            ),
            (429, r#"{"error":"slow down"}"#, ModelErrorKind::Throttled, ""),
            (
                503,
                r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
                ModelErrorKind::Overloaded,
                "",
            ),
            (
                500,
                r#"{"error":"model requires more system memory (9 GiB) than is available (7 GiB)"}"#,
                ModelErrorKind::InvalidRequest,
                "num_ctx",
            ),
            (
                500,
                r#"{"error":"error parsing tool call: raw='{', err=unexpected end of JSON input"}"#,
                ModelErrorKind::MalformedOutput,
                "",
            ),
            (
                500,
                r#"{"error":"failed to process inputs: image: unknown format"}"#,
                ModelErrorKind::InvalidRequest,
                "another format",
            ),
            (
                500,
                r#"{"error":"template: :3:2: executing \"\" at <.Tools>"}"#,
                ModelErrorKind::InvalidRequest,
                "template",
            ),
            (500, r#"{"error":"llama runner process has terminated"}"#, ModelErrorKind::Overloaded, ""),
            (502, "bad gateway", ModelErrorKind::Overloaded, ""),
            (301, "", ModelErrorKind::Protocol, ""),
        ] {
            let (kind, given) = classified(status, body);
            assert_eq!(kind, expected, "{status} {body}");
            assert_eq!(given.is_empty(), advice.is_empty(), "{status} {body}: {given}");
            assert!(given.contains(advice), "{status} {body}: {given}");
        }
    }

    #[test]
    fn classifies_stream_errors_with_and_without_status() {
        for (error, status, expected) in [
            (json!("an error was encountered while running the model"), None, ModelErrorKind::Transport),
            (json!("slow down"), Some(429), ModelErrorKind::Throttled),
            (json!({"message": "the input length exceeds the context length"}), None, ModelErrorKind::ContextOverflow),
            (json!(7), Some(500), ModelErrorKind::Overloaded),
        ] {
            assert_eq!(stream_error(&error, status).1, expected, "{error}");
        }
    }
}
