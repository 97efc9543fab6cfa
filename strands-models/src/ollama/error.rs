//! Refusals of Ollama, and of the servers behind it, sorted by what the caller can do about them.

use serde_json::Value;
use strands_core::models::ModelErrorKind;

use crate::http::{ErrorResponse, permanent_error};

/// The kind of an error response.
pub(super) fn sort(refusal: &mut ErrorResponse) -> ModelErrorKind {
    let body = refusal.json();
    sort_error(refusal, body.get("error").unwrap_or(&body))
}

/// The kind of an error that broke a stream off. Newer servers say which status it would have been.
pub(super) fn refused(error: &Value, status: Option<u16>) -> (ErrorResponse, ModelErrorKind) {
    let body = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
    let mut refusal = ErrorResponse { status, body, ..ErrorResponse::default() };
    let kind = sort_error(&mut refusal, error);
    (refusal, kind)
}

fn sort_error(refusal: &mut ErrorResponse, error: &Value) -> ModelErrorKind {
    let words = error.as_str().or_else(|| error.get("message")?.as_str()).unwrap_or(&refusal.body).to_lowercase();
    // Gateways, and the servers behind Ollama, have objects with a name for the error.
    let named = ["code", "type"].iter().find_map(|name| error.get(name)?.as_str().filter(|word| !word.is_empty()));
    refusal.code = named.map(str::to_owned);
    let named: Vec<&str> = named.into_iter().collect();
    if let Some(kind) = ModelErrorKind::of_words(refusal.status, &named, &words) {
        return with_advice(refusal, kind);
    }
    if words.contains("requires more system memory") {
        refusal.advice = Some("choose a smaller model, or a smaller `num_ctx`: asking again does not help");
        return ModelErrorKind::InvalidRequest;
    }
    let status = refusal.status;
    if let Some(kind) = permanent_error(refusal, status, &words) {
        return kind;
    }
    if refusal.status == Some(404) && words.contains("model") && words.contains("not found") {
        refusal.advice = Some("the server does not have this model; get it there with `ollama pull <model>`");
    } else if words.contains("does not support tools") {
        refusal.advice = Some("choose a model that can call tools, or give the agent none");
    }
    with_advice(refusal, ModelErrorKind::of_status(status))
}

fn with_advice(refusal: &mut ErrorResponse, kind: ModelErrorKind) -> ModelErrorKind {
    if kind == ModelErrorKind::Authentication {
        refusal.advice = Some("sign the server in with `ollama signin`, or give a key where the server wants one");
    }
    kind
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(status: u16, body: &str) -> (ModelErrorKind, &'static str) {
        let mut refusal = ErrorResponse { status: Some(status), body: body.to_owned(), ..ErrorResponse::default() };
        (sort(&mut refusal), refusal.advice.unwrap_or_default())
    }

    #[test]
    fn refusals_are_sorted_by_what_the_caller_can_do() {
        for (status, body, expected, advice) in [
            (404, r#"{"error":"model 'qwen3:8b' not found"}"#, ModelErrorKind::InvalidRequest, "`ollama pull <model>`"),
            (404, "404 page not found", ModelErrorKind::InvalidRequest, ""),
            (
                400,
                r#"{"error":"registry.ollama.ai/library/m does not support tools"}"#,
                ModelErrorKind::InvalidRequest,
                "give the agent none",
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
            let (kind, told) = sorted(status, body);
            assert_eq!(kind, expected, "{status} {body}");
            assert_eq!(told.is_empty(), advice.is_empty(), "{status} {body}: {told}");
            assert!(told.contains(advice), "{status} {body}: {told}");
        }
    }

    #[test]
    fn errors_in_a_stream_may_have_a_status() {
        for (error, status, expected) in [
            (json!("an error was encountered while running the model"), None, ModelErrorKind::Transport),
            (json!("slow down"), Some(429), ModelErrorKind::Throttled),
            (json!({"message": "the input length exceeds the context length"}), None, ModelErrorKind::ContextOverflow),
            (json!(7), Some(500), ModelErrorKind::Overloaded),
        ] {
            assert_eq!(refused(&error, status).1, expected, "{error}");
        }
    }
}
