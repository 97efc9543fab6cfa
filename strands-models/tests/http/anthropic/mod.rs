//! Anthropic's Messages: how it words things, for the suite that all providers share.

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
use strands_models::{AnthropicModel, AnthropicModelBuilder};
use strands_testkit::expectation::{Expectation, anthropic};
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{Cut, secretive, tuned};

strands_testkit::provider_tests!(Anthropic);

pub(crate) struct Anthropic;

/// A model with nothing special about it.
pub(crate) fn model(server: &str) -> AnthropicModelBuilder {
    AnthropicModel::builder().base_url(server).model_id("claude-sonnet-4-6").api_key("test-key")
}

/// A stream of these events.
pub(crate) fn sse<'a>(events: impl IntoIterator<Item = &'a Value>) -> String {
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.into_iter().map(event).collect()
}

pub(crate) fn message_start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 10, "output_tokens": 1}}})
}

pub(crate) fn block_start(index: usize, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

pub(crate) fn block_delta(index: usize, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

pub(crate) fn block_stop(index: usize) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

/// Events of a block: start, deltas, stop.
pub(crate) fn block(index: usize, begin: Value, pieces: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let pieces = pieces.into_iter().map(|piece| block_delta(index, piece));
    [block_start(index, begin)].into_iter().chain(pieces).chain([block_stop(index)]).collect()
}

pub(crate) fn text(index: usize, text: &str) -> Vec<Value> {
    block(index, json!({"type": "text", "text": ""}), [json!({"type": "text_delta", "text": text})])
}

/// The last events.
pub(crate) fn end(reason: &str) -> [Value; 2] {
    let delta = json!({"stop_reason": reason, "stop_sequence": null, "stop_details": null});
    [json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}), json!({"type": "message_stop"})]
}

/// A whole stream of these blocks.
pub(crate) fn stream(blocks: impl IntoIterator<Item = Vec<Value>>, reason: &str) -> String {
    let blocks = blocks.into_iter().flatten();
    let events: Vec<_> = [message_start()].into_iter().chain(blocks).chain(end(reason)).collect();
    sse(&events)
}

#[async_trait]
impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        Arc::new(tuned!(model(server), tuned).build().unwrap())
    }

    async fn secretive(&self, server: &str) -> Secretive {
        let mut secretive = secretive!(model(server).beta("files-api-2025-04-14"), "x-api-key", "s3cret-key");
        secretive.sent.extend([("anthropic-version", "2023-06-01"), ("anthropic-beta", "files-api-2025-04-14")]);
        secretive
    }

    fn path(&self) -> String {
        "/v1/messages".to_owned()
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::ServerSentEvents
    }

    fn fine(&self) -> Bytes {
        stream([text(0, "fine.")], "end_turn").into()
    }

    fn fine_document(&self) -> Value {
        json!({"type": "message", "content": [{"type": "text", "text": "fine."}], "stop_reason": "end_turn"})
    }

    fn small_stream(&self) -> Bytes {
        let thought = json!({"type": "thinking", "thinking": "", "signature": ""});
        let call = json!({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}, "caller": {"type": "direct"}});
        let ping = vec![json!({"type": "ping"})];
        stream(
            [
                ping,
                block(
                    0,
                    thought,
                    [
                        json!({"type": "thinking_delta", "thinking": "h"}),
                        json!({"type": "thinking_delta", "thinking": "m"}),
                        json!({"type": "signature_delta", "signature": "c2lnbmF0dXJl"}),
                    ],
                ),
                block(
                    1,
                    json!({"type": "text", "text": ""}),
                    ["It is ", "süß 🍯."].map(|text| json!({"type": "text_delta", "text": text})),
                ),
                block(
                    2,
                    call,
                    ["", "{\"city\":", "\"Oslo\"}"]
                        .map(|json| json!({"type": "input_json_delta", "partial_json": json})),
                ),
            ],
            "tool_use",
        )
        .into()
    }

    fn half(&self) -> Bytes {
        let mut events = vec![message_start()];
        events.extend(text(0, "half").into_iter().take(2));
        sse(&events).into()
    }

    fn content(&self, text: &str) -> Bytes {
        let delta = json!({"type": "text_delta", "text": text});
        sse(&[block_start(0, json!({"type": "text", "text": ""})), block_delta(0, delta)]).into()
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        // What a cut through a letter has left of it is in no whole event.
        anthropic::of_stream(&String::from_utf8_lossy(stream))
    }

    /// A response is complete without its last event if the stream ended properly.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        let ended = String::from_utf8_lossy(stream).ends_with("{\"type\":\"message_stop\"}\n\n");
        self.meaning(stream).stop_reason.is_some() && (ended || cut == Cut::Clean)
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |kind, status, code: &'static str, message: &str| {
            let error = json!({"type": code, "message": message});
            Refusal::new(kind, status, Some(code), json!({"type": "error", "error": error, "request_id": "req_1"}))
        };
        vec![
            refusal("throttled", 429, "rate_limit_error", "slow down"),
            refusal("overloaded", 529, "overloaded_error", "Overloaded"),
            refusal("overloaded", 503, "overloaded_error", "Overloaded"),
            refusal("overloaded", 500, "api_error", "Internal server error"),
            refusal("overloaded", 504, "timeout_error", "late"),
            refusal("authentication", 401, "authentication_error", "invalid x-api-key"),
            refusal("authentication", 403, "permission_error", "no"),
            refusal("context overflow", 400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            refusal("context overflow", 413, "request_too_large", "Request exceeds the maximum size"),
            refusal("invalid request", 400, "invalid_request_error", "temperature: range: 0..1"),
            refusal("invalid request", 402, "billing_error", "no credit"),
            refusal("invalid request", 404, "not_found_error", "model: x"),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        let broken = [
            ("overloaded", "overloaded_error", "Overloaded"),
            ("overloaded", "api_error", "Internal server error"),
            ("throttled", "rate_limit_error", "slow down"),
            ("transport", "newer_error", "what"),
        ];
        let broken = broken.into_iter().map(|(kind, code, says)| {
            let error = json!({"type": "error", "error": {"type": code, "message": says}});
            let stream = [self.half(), sse([&error]).into()].concat().into();
            BrokenOff { kind, says, stream }
        });
        broken.collect()
    }

    fn refusing_documents(&self) -> Vec<(Value, &'static str)> {
        let error = json!({"type": "overloaded_error", "message": "Overloaded"});
        vec![(json!({"type": "error", "error": error}), "overloaded")]
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }

    fn event_head(&self) -> &'static str {
        "event: content_block_delta\n"
    }
}

impl Structured for Anthropic {
    /// The last message has a schema that the provider does not support.
    fn schema(&self, body: &Value) -> Option<Value> {
        let told = || {
            let last = body["messages"].as_array()?.last()?["content"].as_array()?.last()?["text"].as_str()?;
            serde_json::from_str(last.split_once("of this JSON schema: ")?.1).ok()
        };
        body.pointer("/output_config/format/schema").cloned().or_else(told)
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        let pieces = pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece}));
        stream([block(0, json!({"type": "text", "text": ""}), pieces)], "end_turn").into()
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        let call = json!({"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}});
        let pieces = pieces.iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
        stream([block(0, call, pieces)], "tool_use").into()
    }
}
