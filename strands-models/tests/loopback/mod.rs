//! What the tests share: models whose server is a loopback one, and an answer put together from its events.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and fails with it")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use strands_core::message::Message;
use strands_core::model::{
    BlockDelta, Model, ModelError, ModelRequest, ReasoningDelta, StreamEvent, ToolSpecs, Turn, TurnBuilder,
};
use strands_core::tool::ToolSpec;
use strands_models::{OpenAiModel, OpenAiModelBuilder, OpenAiResponsesModel, OpenAiResponsesModelBuilder};
use strands_testkit::Response;

/// One of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Responses,
}

pub(crate) const BOTH: [Api; 2] = [Api::Chat, Api::Responses];

pub(crate) fn chat(server: &str) -> OpenAiModelBuilder {
    OpenAiModel::builder().model_id("gpt-4o").base_url(format!("{server}/v1")).api_key("test-key")
}

pub(crate) fn responses(server: &str) -> OpenAiResponsesModelBuilder {
    OpenAiResponsesModel::builder().model_id("gpt-4o").base_url(format!("{server}/v1")).api_key("test-key")
}

/// What both builders can be told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tuned {
    pub(crate) whole: bool,
    pub(crate) connect: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) max: Option<usize>,
}

impl Api {
    pub(crate) fn model(self, server: &str) -> Arc<dyn Model> {
        self.tuned(server, Tuned::default())
    }

    pub(crate) fn tuned(self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        macro_rules! build {
            ($builder:expr) => {{
                let mut builder = $builder.streaming(!tuned.whole);
                if let Some(timeout) = tuned.connect {
                    builder = builder.connect_timeout(timeout);
                }
                if let Some(timeout) = tuned.idle {
                    builder = builder.idle_timeout(timeout);
                }
                if let Some(bytes) = tuned.max {
                    builder = builder.max_response_bytes(bytes);
                }
                Arc::new(builder.build().unwrap())
            }};
        }
        match self {
            Self::Chat => build!(chat(server)),
            Self::Responses => build!(responses(server)),
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }
}

/// A stream of these events, each with a name where it has one.
pub(crate) fn sse<'a>(events: impl IntoIterator<Item = &'a Value>) -> String {
    let events = events.into_iter().map(|event| match event.get("type").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    });
    events.collect()
}

/// The answer "fine." as a stream.
pub(crate) fn fine(api: Api) -> Response {
    Response::sse(match api {
        Api::Chat => {
            let chunk =
                serde_json::json!({"choices": [{"index": 0, "delta": {"content": "fine."}, "finish_reason": "stop"}]});
            format!("{}data: [DONE]\n\n", sse([&chunk]))
        }
        Api::Responses => sse([
            &serde_json::json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "fine."}),
            &serde_json::json!({"type": "response.completed", "response": {"status": "completed"}}),
        ]),
    })
}

/// A conversation of one message.
pub(crate) fn ask(text: &str) -> Vec<Arc<Message>> {
    vec![Arc::new(Message::user(text))]
}

pub(crate) fn weather_tools() -> ToolSpecs {
    let schema =
        serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    [ToolSpec::new("get_weather", "The weather in a city.", schema)].into_iter().collect()
}

/// The events of an answer, up to and with the error if there is one.
pub(crate) async fn events(model: &dyn Model, request: ModelRequest<'_>) -> (Vec<StreamEvent>, Option<ModelError>) {
    let mut stream = match model.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (events, Some(error));
            }
        }
    }
    assert!(stream.next().await.is_none(), "nothing follows the end");
    (events, None)
}

/// The whole answer.
pub(crate) async fn turn(model: &dyn Model, request: ModelRequest<'_>) -> Result<Turn, ModelError> {
    let (events, error) = events(model, request).await;
    error.map_or_else(|| together(&events), Err)
}

pub(crate) fn together(events: &[StreamEvent]) -> Result<Turn, ModelError> {
    let mut turn = TurnBuilder::new(usize::MAX);
    for event in events {
        turn.push(event)?;
    }
    turn.finish()
}

/// The whole answer to one question.
pub(crate) async fn answer(model: &dyn Model, question: &str) -> Result<Turn, ModelError> {
    turn(model, ModelRequest::new(&ask(question))).await
}

/// The text in these events.
pub(crate) fn text(events: &[StreamEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        StreamEvent::ContentBlockDelta { delta: BlockDelta::Text(text), .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// The thoughts in these events.
pub(crate) fn thoughts(events: &[StreamEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        StreamEvent::ContentBlockDelta { delta: BlockDelta::ReasoningContent(ReasoningDelta::Text(text)), .. } => {
            Some(text.as_str())
        }
        _ => None,
    });
    texts.collect()
}

/// What kind of error it is, for messages and comparisons.
pub(crate) fn kind(error: &ModelError) -> &'static str {
    match error {
        ModelError::Throttled { .. } => "throttled",
        ModelError::Overloaded { .. } => "overloaded",
        ModelError::Transport { .. } => "transport",
        ModelError::Timeout { .. } => "timeout",
        ModelError::ContextOverflow { .. } => "context overflow",
        ModelError::Authentication { .. } => "authentication",
        ModelError::InvalidRequest { .. } => "invalid request",
        ModelError::ContentFiltered { .. } => "content filtered",
        ModelError::ResponseTooLarge { .. } => "response too large",
        ModelError::Protocol { .. } => "protocol",
        _ => "another",
    }
}
