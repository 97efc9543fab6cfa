//! Mistral: its wire format for the shared test suite.

mod recordings;
mod requests;
mod responses;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_models::{MistralModel, MistralModelBuilder};
use strands_testkit::expectation::{Expectation, openai};
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{Cut, secretive, tuned};

use crate::chat_completions::{self, DONE, broken_off, call, delta, finish, pieces, stream};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Mistral;

strands_testkit::provider_tests!(Mistral);

pub(crate) fn builder(server: &str) -> MistralModelBuilder {
    MistralModel::builder().base_url(format!("{server}/v1")).api_key("test-key")
}

/// Returns a model with default settings.
pub(crate) fn plain(server: &str) -> Arc<dyn Model> {
    Arc::new(builder(server).build().unwrap())
}

pub(crate) fn thought(text: &str) -> Value {
    delta(&json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}))
}

fn error(kind: &str, code: Option<&str>, message: &str) -> Value {
    json!({"object": "error", "message": message, "type": kind, "param": null, "code": code})
}

#[async_trait]
impl Provider for Mistral {
    fn name(&self) -> &'static str {
        "mistral"
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        Arc::new(tuned!(builder(server), tuned).build().unwrap())
    }

    async fn secretive(&self, server: &str) -> Secretive {
        secretive!(builder(server), "authorization", "Bearer s3cret-key")
    }

    fn path(&self) -> String {
        "/v1/chat/completions".to_owned()
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::ServerSentEvents
    }

    fn fine(&self) -> Bytes {
        stream(&[json!({"choices": [{"index": 0, "delta": {"content": "fine."}, "finish_reason": "stop"}]})])
    }

    fn fine_document(&self) -> Value {
        json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine.", "tool_calls": null}, "finish_reason": "stop"}]})
    }

    fn small_stream(&self) -> Bytes {
        let mut last = finish("tool_calls");
        last["usage"] = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
        stream(&[
            delta(&json!({"role": "assistant", "content": ""})),
            thought("hm"),
            delta(&json!({"content": "It is "})),
            delta(&json!({"content": [{"type": "text", "text": "süß 🍯."}]})),
            call("D681PevKs", Some("get_weather"), "{\"city\":"),
            call("D681PevKs", None, "\"Oslo\"}"),
            last,
        ])
    }

    fn half(&self) -> Bytes {
        pieces(&[delta(&json!({"content": "half"}))]).into()
    }

    fn content(&self, text: &str) -> Bytes {
        pieces(&[call("D681PevKs", Some("t"), text)]).into()
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        openai::of_chat_stream(&String::from_utf8_lossy(stream))
    }

    /// A response without its last line is complete, unless the end of the HTTP response was cut off too.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        self.meaning(stream).stop_reason.is_some() && (stream.ends_with(DONE.as_bytes()) || cut == Cut::Clean)
    }

    fn refusals(&self) -> Vec<Refusal> {
        let too_long =
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length";
        vec![
            Refusal::new("throttled", 429, None, json!({"message": "Requests rate limit exceeded"})),
            Refusal::new("throttled", 429, Some("3505"), error("service_tier_capacity_exceeded", Some("3505"), "full")),
            Refusal::new("overloaded", 500, Some("internal_server_error"), error("internal_server_error", None, "no")),
            Refusal::new("overloaded", 503, None, json!({"message": "no"})),
            Refusal::new("authentication", 401, None, json!({"message": "Unauthorized", "request_id": "r"})),
            Refusal::new(
                "context overflow",
                400,
                Some("3051"),
                error("invalid_request_prompt", Some("3051"), too_long),
            ),
            Refusal::new(
                "invalid request",
                400,
                Some("3280"),
                error("invalid_function_call", Some("3280"), "generated rate"),
            ),
            Refusal::new(
                "invalid request",
                400,
                Some("1500"),
                error("invalid_model", Some("1500"), "Invalid model: m"),
            ),
            Refusal::new(
                "invalid request",
                422,
                None,
                json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "x"]}]}),
            ),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        broken_off(&[
            ("throttled", json!({"error": error("rate_limited", None, "slow down")}), "slow down"),
            ("overloaded", json!({"error": {"type": "internal_server_error", "message": "oops"}}), "oops"),
            ("transport", json!({"error": {"message": "what"}}), "what"),
            ("transport", finish("error"), ""),
        ])
    }

    fn request_id_header(&self) -> &'static str {
        "mistral-correlation-id"
    }
}

impl Structured for Mistral {
    fn schema(&self, body: &Value) -> Option<Value> {
        chat_completions::schema(body)
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        chat_completions::says(pieces)
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        chat_completions::calls("D681PevKs", tool, pieces)
    }
}
