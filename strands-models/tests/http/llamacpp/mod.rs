//! llama.cpp's server: its wire format for the shared test suite.

mod recordings;
mod requests;
mod responses;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_models::{LlamaCppModel, LlamaCppModelBuilder};
use strands_testkit::expectation::{Expectation, llamacpp};
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{Cut, secretive, tuned};

use crate::chat_completions::{self, DONE, broken_off, call, delta, finish, pieces, stream};

#[derive(Clone, Copy, Debug)]
pub(crate) struct LlamaCpp;

strands_testkit::provider_tests!(LlamaCpp);

pub(crate) fn builder(server: &str) -> LlamaCppModelBuilder {
    LlamaCppModel::builder().base_url(format!("{server}/v1"))
}

/// Returns a model with default settings.
pub(crate) fn plain(server: &str) -> Arc<dyn Model> {
    Arc::new(builder(server).build().unwrap())
}

/// Returns the last chunk of a response.
pub(crate) fn counted() -> Value {
    json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        "timings": {"cache_n": 3, "prompt_n": 7, "prompt_ms": 30.958}})
}

pub(crate) fn error(status: u16, kind: &str, message: &str) -> Value {
    json!({"error": {"code": status, "message": message, "type": kind}})
}

#[async_trait]
impl Provider for LlamaCpp {
    fn name(&self) -> &'static str {
        "llamacpp"
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        Arc::new(tuned!(builder(server).api_key("test-key"), tuned).build().unwrap())
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
        json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine."}, "finish_reason": "stop"}]})
    }

    fn small_stream(&self) -> Bytes {
        stream(&[
            delta(&json!({"role": "assistant", "content": null})),
            delta(&json!({"reasoning_content": "hm"})),
            delta(&json!({"content": "It is "})),
            delta(&json!({"content": "süß 🍯."})),
            call("t-1", Some("get_weather"), "{\"city\":"),
            call("t-1", None, "\"Oslo\"}"),
            finish("tool_calls"),
            counted(),
        ])
    }

    fn half(&self) -> Bytes {
        pieces(&[delta(&json!({"content": "half"}))]).into()
    }

    fn content(&self, text: &str) -> Bytes {
        pieces(&[call("t", Some("t"), text)]).into()
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        llamacpp::of_stream(&String::from_utf8_lossy(stream))
    }

    /// A response without its last line is complete, unless the end of the HTTP response was cut off too.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        self.meaning(stream).stop_reason.is_some() && (stream.ends_with(DONE.as_bytes()) || cut == Cut::Clean)
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |kind, status, named: &'static str, message| {
            Refusal::new(kind, status, Some(named), error(status, named, message))
        };
        vec![
            // A local server does not throttle, but a proxy in front of it may.
            Refusal::new("throttled", 429, None, json!({"message": "slow down"})),
            refusal("overloaded", 503, "unavailable_error", "Loading model"),
            refusal("overloaded", 500, "server_error", "Compute error."),
            refusal("authentication", 401, "authentication_error", "Invalid API Key"),
            refusal("context overflow", 400, "exceed_context_size_error", "request (2009 tokens) exceeds 512 tokens"),
            refusal("invalid request", 400, "invalid_request_error", "the slot, the kv cache and the context are fine"),
            refusal("invalid request", 500, "server_error", "tools param requires --jinja flag"),
            refusal("invalid request", 501, "not_supported_error", "This server does not support it."),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        broken_off(&[
            ("overloaded", error(500, "server_error", "Compute error."), "Compute error."),
            ("context overflow", error(400, "exceed_context_size_error", "too long"), "too long"),
            ("transport", json!({"error": {"message": "what"}}), "what"),
        ])
    }
}

impl Structured for LlamaCpp {
    fn schema(&self, body: &Value) -> Option<Value> {
        chat_completions::schema(body)
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        chat_completions::says(pieces)
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        chat_completions::calls("t-1", tool, pieces)
    }
}
