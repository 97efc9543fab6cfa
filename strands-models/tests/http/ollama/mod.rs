//! Ollama's chat: how it words things, for the suite that all providers share.

mod agent;
mod recordings;
mod requests;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_models::{OllamaModel, OllamaModelBuilder};
use strands_testkit::Cut;
use strands_testkit::expectation::{Expectation, ollama};
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{secretive, tuned};

strands_testkit::provider_tests!(Ollama);

pub(crate) struct Ollama;

/// A model with nothing special about it.
pub(crate) fn model(server: &str) -> OllamaModelBuilder {
    OllamaModel::builder().base_url(server).model_id("qwen3:8b").api_key("test-key")
}

pub(crate) fn builder(server: &str, tuned: Tuned) -> OllamaModelBuilder {
    tuned!(model(server), tuned)
}

fn lines(documents: &[Value]) -> Bytes {
    documents.iter().map(|document| format!("{document}\n")).collect::<String>().into()
}

fn said(message: Value) -> Value {
    json!({"model": "qwen3:8b", "created_at": "2026-08-05T08:10:56.372032Z", "message": message, "done": false})
}

fn done(content: &str) -> Value {
    json!({"model": "qwen3:8b", "created_at": "2026-08-05T08:10:57.181289Z",
        "message": {"role": "assistant", "content": content}, "done": true, "done_reason": "stop",
        "total_duration": 7_577_982_042_u64, "prompt_eval_count": 10, "eval_count": 5})
}

#[async_trait]
impl Provider for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        Arc::new(builder(server, tuned).build().unwrap())
    }

    async fn secretive(&self, server: &str) -> Secretive {
        secretive!(builder(server, Tuned::default()), "authorization", "Bearer s3cret-key")
    }

    fn path(&self) -> String {
        "/api/chat".to_owned()
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::JsonLines
    }

    fn fine(&self) -> Bytes {
        lines(&[done("fine.")])
    }

    fn fine_document(&self) -> Value {
        done("fine.")
    }

    fn small_stream(&self) -> Bytes {
        let call =
            json!({"id": "call_1", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Oslo"}}});
        lines(&[
            said(json!({"role": "assistant", "content": "", "thinking": "h"})),
            said(json!({"role": "assistant", "content": "", "thinking": "m"})),
            said(json!({"role": "assistant", "content": "It is "})),
            said(json!({"role": "assistant", "content": "süß 🍯."})),
            said(json!({"role": "assistant", "content": "", "tool_calls": [call]})),
            done(""),
        ])
    }

    fn half(&self) -> Bytes {
        lines(&[said(json!({"role": "assistant", "content": "half"}))])
    }

    fn content(&self, text: &str) -> Bytes {
        lines(&[said(json!({"role": "assistant", "content": text}))])
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        ollama::of_lines(&String::from_utf8_lossy(stream))
    }

    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        // The last line needs its end where the response has none.
        let whole = stream.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let seen = if cut == Cut::Clean { stream } else { &stream[..whole] };
        self.meaning(seen).stop_reason.is_some()
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |kind, status, body| Refusal::new(kind, status, None, body);
        vec![
            refusal("throttled", 429, json!({"error": "too many requests"})),
            refusal(
                "overloaded",
                503,
                json!({"error": "server busy, please try again.  maximum pending requests exceeded"}),
            ),
            refusal("overloaded", 500, json!({"error": "llama runner process has terminated: exit status 2"})),
            refusal(
                "authentication",
                401,
                json!({"error": "unauthorized", "signin_url": "https://ollama.com/connect"}),
            ),
            refusal("invalid request", 404, json!({"error": "model 'qwen3:8b' not found"})),
            refusal(
                "invalid request",
                400,
                json!({"error": "registry.ollama.ai/library/gemma:2b does not support tools"}),
            ),
            refusal(
                "context overflow",
                400,
                json!({"error": "the prompt is longer than the context length currently available to the model; shorten the prompt"}),
            ),
            refusal("context overflow", 500, json!({"error": "the input length exceeds the context length"})),
            Refusal::new(
                "context overflow",
                400,
                Some("exceed_context_size_error"),
                json!({"error": {"code": 400, "type": "exceed_context_size_error",
                    "message": "request (302 tokens) exceeds the available context size (256 tokens), try increasing it"}}),
            ),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        let broken = |kind, says: &'static str, error: Value| {
            let stream = [self.half(), lines(&[error])].concat().into();
            BrokenOff { kind, says, stream }
        };
        vec![
            broken(
                "transport",
                "while running the model",
                json!({"error": "an error was encountered while running the model: unexpected EOF"}),
            ),
            broken(
                "context overflow",
                "context length",
                json!({"error": "the input length exceeds the context length"}),
            ),
            broken("overloaded", "exit status", json!({"error": "llama-server died: exit status 2", "status": 500})),
            broken("throttled", "slow down", json!({"error": {"message": "slow down"}, "status": 429})),
        ]
    }

    fn refusing_documents(&self) -> Vec<(Value, &'static str)> {
        vec![(json!({"error": "the input length exceeds the context length"}), "context overflow")]
    }
}

impl Structured for Ollama {
    fn schema(&self, body: &Value) -> Option<Value> {
        body.get("format").cloned()
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        let pieces = pieces.iter().map(|piece| said(json!({"role": "assistant", "content": piece})));
        lines(&pieces.chain([done("")]).collect::<Vec<_>>())
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        let arguments: Value = serde_json::from_str(&pieces.concat()).unwrap();
        let call = json!({"id": "call_1", "function": {"index": 0, "name": tool, "arguments": arguments}});
        lines(&[said(json!({"role": "assistant", "content": "", "tool_calls": [call]})), done("")])
    }
}
