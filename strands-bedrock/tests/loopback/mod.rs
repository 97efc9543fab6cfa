//! What the tests share: a model whose endpoint is a loopback server, and an answer put together from its events.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and fails with it")]

use std::sync::Arc;

use futures_util::StreamExt;
use strands_bedrock::{BedrockModel, BedrockModelBuilder};
use strands_core::message::Message;
use strands_core::model::{Model, ModelError, ModelRequest, StreamEvent, ToolSpecs, Turn, TurnBuilder};
use strands_core::tool::ToolSpec;

pub(crate) const CLAUDE: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
pub(crate) const NOVA: &str = "us.amazon.nova-pro-v1:0";

/// A builder for a model at this endpoint, with a key that is none.
pub(crate) fn builder(endpoint: &str) -> BedrockModelBuilder {
    BedrockModel::builder().model_id(CLAUDE).region("us-east-1").endpoint_url(endpoint).api_key("test-key")
}

pub(crate) async fn model(endpoint: &str) -> BedrockModel {
    builder(endpoint).build().await.unwrap()
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
pub(crate) async fn events(model: &BedrockModel, request: ModelRequest<'_>) -> (Vec<StreamEvent>, Option<ModelError>) {
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
    (events, None)
}

/// The whole answer.
pub(crate) async fn turn(model: &BedrockModel, request: ModelRequest<'_>) -> Result<Turn, ModelError> {
    let (events, error) = events(model, request).await;
    if let Some(error) = error {
        return Err(error);
    }
    let mut turn = TurnBuilder::new(usize::MAX);
    for event in &events {
        turn.push(event)?;
    }
    turn.finish()
}

/// The whole answer to one question.
pub(crate) async fn answer(model: &BedrockModel, question: &str) -> Result<Turn, ModelError> {
    turn(model, ModelRequest::new(&ask(question))).await
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
