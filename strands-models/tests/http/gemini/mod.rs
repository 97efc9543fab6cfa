//! Gemini: how it words things, for the suite that all providers share.

mod agent;
mod recordings;
mod requests;
mod responses;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_models::{GeminiModel, GeminiModelBuilder};
use strands_testkit::expectation::{Expectation, gemini};
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{secretive, tuned};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Gemini;

strands_testkit::provider_tests!(Gemini);

pub(crate) fn builder(server: &str) -> GeminiModelBuilder {
    GeminiModel::builder().model_id("gemini-3.5-flash").base_url(format!("{server}/v1beta")).api_key("test-key")
}

/// A model with nothing special about it.
pub(crate) fn plain(server: &str) -> Arc<dyn Model> {
    Arc::new(builder(server).build().unwrap())
}

/// A chunk with these parts.
pub(crate) fn chunk(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}], "modelVersion": "m"})
}

pub(crate) fn said(text: &str) -> Value {
    chunk(&json!([{"text": text}]))
}

/// The last chunk of a response.
pub(crate) fn finish(reason: &str) -> Value {
    json!({"candidates": [{"finishReason": reason, "index": 0}]})
}

/// A stream of these chunks.
pub(crate) fn sse(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

#[async_trait]
impl Provider for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        Arc::new(tuned!(builder(server), tuned).build().unwrap())
    }

    async fn secretive(&self, server: &str) -> Secretive {
        secretive!(builder(server), "x-goog-api-key", "s3cret-key")
    }

    fn path(&self) -> String {
        "/v1beta/models/gemini-3.5-flash:streamGenerateContent".to_owned()
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::ServerSentEvents
    }

    fn fine(&self) -> Bytes {
        sse(&[said("fine."), finish("STOP")]).into()
    }

    fn fine_document(&self) -> Value {
        let mut whole = said("fine.");
        whole["candidates"][0]["finishReason"] = json!("STOP");
        whole
    }

    fn small_stream(&self) -> Bytes {
        let call =
            json!({"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2ln"});
        let mut last = chunk(&json!([call]));
        last["candidates"][0]["finishReason"] = json!("STOP");
        last["usageMetadata"] = json!({"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2,
            "totalTokenCount": 15});
        sse(&[chunk(&json!([{"text": "hm", "thought": true}])), said("It is "), said("süß 🍯."), last]).into()
    }

    fn half(&self) -> Bytes {
        sse(&[said("half")]).into()
    }

    fn content(&self, text: &str) -> Bytes {
        sse(&[chunk(&json!([{"functionCall": {"name": "f", "args": {"text": text}}}]))]).into()
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        gemini::of_stream(&String::from_utf8_lossy(stream))
    }

    /// Finish reasons can come again.
    fn has_end_mark(&self) -> bool {
        false
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |kind, code: u16, status: &'static str, message: &str| {
            Refusal::new(kind, code, Some(status), error(code, status, message))
        };
        let in_array = json!([error(400, "INVALID_ARGUMENT", "no")]);
        vec![
            refusal("throttled", 429, "RESOURCE_EXHAUSTED", "slow down"),
            refusal("overloaded", 503, "UNAVAILABLE", "The model is overloaded."),
            refusal("overloaded", 500, "INTERNAL", "oops"),
            refusal("overloaded", 504, "DEADLINE_EXCEEDED", "too slow"),
            refusal("authentication", 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
            refusal("authentication", 401, "UNAUTHENTICATED", "who?"),
            refusal("authentication", 403, "PERMISSION_DENIED", "no"),
            refusal(
                "context overflow",
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
            ),
            refusal("invalid request", 400, "INVALID_ARGUMENT", "no"),
            refusal("invalid request", 400, "FAILED_PRECONDITION", "User location is not supported."),
            refusal("invalid request", 404, "NOT_FOUND", "models/x is not found"),
            Refusal::new("invalid request", 400, Some("INVALID_ARGUMENT"), in_array),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        let mut malformed = finish("MALFORMED_FUNCTION_CALL");
        malformed["candidates"][0]["finishMessage"] = json!("Malformed function call: print(1)");
        [
            ("overloaded", error(503, "UNAVAILABLE", "overloaded"), "overloaded"),
            ("throttled", error(429, "RESOURCE_EXHAUSTED", "slow down"), "slow down"),
            ("transport", json!({"error": {"message": "what"}}), "what"),
            ("malformed output", malformed, "print(1)"),
            ("malformed output", finish("UNEXPECTED_TOOL_CALL"), "UNEXPECTED_TOOL_CALL"),
            (
                "content filtered",
                json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
                "PROHIBITED_CONTENT",
            ),
        ]
        .into_iter()
        .map(|(kind, event, says)| BrokenOff { kind, says, stream: sse(&[said("half"), event]).into() })
        .collect()
    }

    fn refusing_documents(&self) -> Vec<(Value, &'static str)> {
        vec![
            (error(429, "RESOURCE_EXHAUSTED", "slow down"), "throttled"),
            (json!([error(503, "UNAVAILABLE", "overloaded")]), "overloaded"),
            (json!({"promptFeedback": {"blockReason": "SAFETY"}}), "content filtered"),
        ]
    }
}

impl Structured for Gemini {
    fn schema(&self, body: &Value) -> Option<Value> {
        body.pointer("/generationConfig/responseJsonSchema").cloned()
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        let chunks: Vec<_> = pieces.iter().map(|piece| said(piece)).chain([finish("STOP")]).collect();
        sse(&chunks).into()
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        let args: Value = serde_json::from_str(&pieces.concat()).unwrap();
        sse(&[chunk(&json!([{"functionCall": {"name": tool, "args": args}}])), finish("STOP")]).into()
    }
}
