//! OpenAI's two protocols: their wire formats for the shared test suite.

mod agent;
mod provider_state;
mod recordings;
mod requests;
mod response_content;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_models::{OpenAiModel, OpenAiModelBuilder, OpenAiResponsesModel, OpenAiResponsesModelBuilder};
use strands_testkit::expectation::{Expectation, openai};
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{Cut, secretive, tuned};

/// One of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Responses,
}

pub(crate) const BOTH: [Api; 2] = [Api::Chat, Api::Responses];

mod chat_completions {
    strands_testkit::provider_tests!(super::Api::Chat);
}

mod responses {
    strands_testkit::provider_tests!(super::Api::Responses);
}

pub(crate) fn chat(server: &str) -> OpenAiModelBuilder {
    OpenAiModel::builder().model_id("gpt-4o").base_url(format!("{server}/v1")).api_key("test-key")
}

pub(crate) fn responses(server: &str) -> OpenAiResponsesModelBuilder {
    OpenAiResponsesModel::builder().model_id("gpt-4o").base_url(format!("{server}/v1")).api_key("test-key")
}

impl Api {
    /// Returns a model with default settings.
    pub(crate) fn plain(self, server: &str) -> Arc<dyn Model> {
        self.tuned(server, Tuned::default())
    }

    fn tuned(self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        match self {
            Self::Chat => Arc::new(tuned!(chat(server), tuned).build().unwrap()),
            Self::Responses => Arc::new(tuned!(responses(server), tuned).build().unwrap()),
        }
    }

    fn text_delta(self, text: &str) -> Value {
        match self {
            Self::Chat => json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}),
            Self::Responses => {
                json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": text})
            }
        }
    }
}

/// Returns a stream of these events, each with its name if it has one.
pub(crate) fn sse<'a>(events: impl IntoIterator<Item = &'a Value>) -> String {
    let events = events.into_iter().map(|event| match event.get("type").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    });
    events.collect()
}

const DONE: &str = "data: [DONE]\n\n";

#[async_trait]
impl Provider for Api {
    fn name(&self) -> &'static str {
        match self {
            Self::Chat => "openai",
            Self::Responses => "openai_responses",
        }
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        self.tuned(server, tuned)
    }

    async fn secretive(&self, server: &str) -> Secretive {
        match self {
            Self::Chat => secretive!(chat(server), "authorization", "Bearer s3cret-key"),
            Self::Responses => secretive!(responses(server), "authorization", "Bearer s3cret-key"),
        }
    }

    fn path(&self) -> String {
        match self {
            Self::Chat => "/v1/chat/completions".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
        }
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::ServerSentEvents
    }

    fn fine(&self) -> Bytes {
        match self {
            Self::Chat => {
                let chunk = json!({"choices": [{"index": 0, "delta": {"content": "fine."}, "finish_reason": "stop"}]});
                (sse([&chunk]) + DONE).into()
            }
            Self::Responses => {
                let completed = json!({"type": "response.completed", "response": {"status": "completed"}});
                sse([&self.text_delta("fine."), &completed]).into()
            }
        }
    }

    fn fine_document(&self) -> Value {
        match self {
            Self::Chat => json!({"choices": [{"message": {"content": "fine."}, "finish_reason": "stop"}]}),
            Self::Responses => {
                let message = json!({"type": "message", "content": [{"type": "output_text", "text": "fine."}]});
                json!({"status": "completed", "output": [message]})
            }
        }
    }

    fn small_stream(&self) -> Bytes {
        match self {
            Self::Chat => {
                let delta =
                    |delta| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}], "usage": null});
                let call = |function| delta(json!({"tool_calls": [{"index": 0, "id": "t-1", "function": function}]}));
                let stream = sse([
                    &delta(json!({"role": "assistant", "content": "", "reasoning_content": "hm"})),
                    &delta(json!({"content": "It is "})),
                    &delta(json!({"content": "süß 🍯."})),
                    &call(json!({"name": "get_weather", "arguments": ""})),
                    &call(json!({"arguments": "{\"city\":"})),
                    &call(json!({"arguments": "\"Oslo\"}"})),
                    &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
                    &json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}),
                ]);
                (stream + DONE).into()
            }
            Self::Responses => {
                let thought = json!({"type": "reasoning", "id": "rs", "encrypted_content": "xyz",
                    "summary": [{"type": "summary_text", "text": "hm"}]});
                let call = |arguments| {
                    json!({"type": "function_call", "id": "fc", "call_id": "t-1", "name": "get_weather",
                        "arguments": arguments})
                };
                let message = json!({"type": "message", "content": [{"type": "output_text", "text": "It is süß 🍯."}]});
                let usage = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
                let whole = call("{\"city\":\"Oslo\"}");
                let output = json!([thought, message, whole]);
                let added = |at: usize, item: &Value| json!({"type": "response.output_item.added", "output_index": at, "item": item});
                let done = |at: usize, item: &Value| json!({"type": "response.output_item.done", "output_index": at, "item": item});
                let arguments = |delta: &str| json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": delta});
                sse([
                    &json!({"type": "response.created", "response": {"status": "in_progress"}}),
                    &added(0, &json!({"type": "reasoning", "id": "rs", "summary": []})),
                    &json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "hm"}),
                    &done(0, &thought),
                    &self.text_delta("It is "),
                    &self.text_delta("süß 🍯."),
                    &done(1, &message),
                    &added(2, &call("")),
                    &arguments("{\"city\":"),
                    &arguments("\"Oslo\"}"),
                    &done(2, &whole),
                    &json!({"type": "response.completed", "response": {"status": "completed", "output": output, "usage": usage}}),
                ])
                .into()
            }
        }
    }

    fn half(&self) -> Bytes {
        sse([&self.text_delta("half")]).into()
    }

    fn content(&self, text: &str) -> Bytes {
        let event = match self {
            Self::Chat => {
                json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "t", "arguments": text}}]}}]})
            }
            Self::Responses => self.text_delta(text),
        };
        sse([&event]).into()
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        // Bytes of a partial character are never part of a complete event.
        let stream = String::from_utf8_lossy(stream);
        match self {
            Self::Chat => openai::of_chat_stream(&stream),
            Self::Responses => openai::of_responses_stream(&stream),
        }
    }

    /// A Chat Completions response without its last line is complete, unless the end of the HTTP response was cut off
    /// too.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        let marked = *self == Self::Responses || stream.ends_with(DONE.as_bytes());
        self.meaning(stream).stop_reason.is_some() && (marked || cut == Cut::Clean)
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |kind, status, code: &'static str| {
            Refusal::new(kind, status, Some(code), json!({"error": {"code": code, "message": "no"}}))
        };
        let typed = |kind, status, name: &'static str| {
            Refusal::new(kind, status, Some(name), json!({"error": {"type": name, "message": "no", "code": null}}))
        };
        let said =
            |kind, status, message: &str| Refusal::new(kind, status, None, json!({"error": {"message": message}}));
        vec![
            refusal("throttled", 429, "rate_limit_exceeded"),
            refusal("throttled", 413, "rate_limit_exceeded"),
            refusal("overloaded", 503, "server_error"),
            typed("overloaded", 500, "server_error"),
            refusal("authentication", 401, "invalid_api_key"),
            said("authentication", 403, "no"),
            refusal("context overflow", 400, "context_length_exceeded"),
            said("context overflow", 400, "This model's maximum context length is 8 tokens."),
            typed("invalid request", 400, "invalid_request_error"),
            refusal("invalid request", 404, "model_not_found"),
            typed("invalid request", 429, "insufficient_quota"),
            refusal("content filtered", 400, "content_filter"),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        let errors = [
            ("throttled", json!({"code": "rate_limit_exceeded", "message": "slow down"}), "slow down"),
            ("overloaded", json!({"code": "server_error", "message": "oops"}), "oops"),
            ("context overflow", json!({"code": "context_length_exceeded", "message": "long"}), "long"),
            ("overloaded", json!({"code": 502, "message": "upstream"}), "upstream"),
            ("transport", json!({"message": "what"}), "what"),
        ];
        let mut broken = Vec::new();
        let mut breaks = |kind, says, event: &Value| {
            let stream = (sse([&self.text_delta("half"), event]) + DONE).into();
            broken.push(BrokenOff { kind, says, stream });
        };
        for (kind, error, says) in &errors {
            let forms = match self {
                Self::Chat => [
                    json!({"error": error}),
                    json!({"choices": [{"index": 0, "delta": {}, "error": error, "finish_reason": "error"}]}),
                ],
                Self::Responses => [
                    json!({"type": "response.failed", "response": {"status": "failed", "error": error}}),
                    json!({"type": "error", "error": error}),
                ],
            };
            forms.iter().for_each(|event| breaks(kind, says, event));
        }
        match self {
            Self::Chat => {
                for (finish, kind) in [("error", "transport"), ("insufficient_system_resource", "overloaded")] {
                    breaks(kind, "", &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}));
                }
            }
            Self::Responses => {
                let flat =
                    json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null});
                breaks("throttled", "slow down", &flat);
            }
        }
        broken
    }

    fn refusing_documents(&self) -> Vec<(Value, &'static str)> {
        match self {
            Self::Chat => vec![(json!({"error": {"code": 429, "message": "slow down"}}), "throttled")],
            Self::Responses => {
                let error = json!({"code": "rate_limit_exceeded", "message": "slow down"});
                vec![(json!({"status": "failed", "output": [], "error": error}), "throttled")]
            }
        }
    }

    fn event_head(&self) -> &'static str {
        match self {
            Self::Chat => "",
            Self::Responses => "event: response.output_text.delta\n",
        }
    }
}

#[async_trait]
impl Structured for Api {
    async fn following(&self, server: &str) -> Arc<dyn Model> {
        match self {
            Self::Chat => Arc::new(chat(server).structured_output(true).build().unwrap()),
            Self::Responses => Arc::new(responses(server).structured_output(true).build().unwrap()),
        }
    }

    fn schema(&self, body: &Value) -> Option<Value> {
        match self {
            Self::Chat => crate::chat_completions::schema(body),
            Self::Responses => body.pointer("/text/format/schema").cloned(),
        }
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        if *self == Self::Chat {
            return crate::chat_completions::says(pieces);
        }
        let completed = json!({"type": "response.completed", "response": {"status": "completed"}});
        let events: Vec<_> = pieces.iter().map(|piece| self.text_delta(piece)).chain([completed]).collect();
        sse(&events).into()
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        if *self == Self::Chat {
            return crate::chat_completions::calls("t-1", tool, pieces);
        }
        let item = |arguments: &str| json!({"type": "function_call", "id": "fc", "call_id": "t-1", "name": tool, "arguments": arguments});
        let whole = item(&pieces.concat());
        let event = |kind: &str, item: &Value| json!({"type": kind, "output_index": 0, "item": item});
        let arguments = pieces
            .iter()
            .map(|piece| json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece}));
        let done = event("response.output_item.done", &whole);
        let response = json!({"status": "completed", "output": [whole]});
        let completed = json!({"type": "response.completed", "response": response});
        let added = event("response.output_item.added", &item(""));
        let events: Vec<_> = [added].into_iter().chain(arguments).chain([done, completed]).collect();
        sse(&events).into()
    }
}
