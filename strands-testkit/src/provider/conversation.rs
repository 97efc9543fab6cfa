//! Requests to a model, and helpers that read its events.

use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message};
use strands_core::models::{
    BlockDelta, Model, ModelError, ModelRequest, ReasoningDelta, StreamEvent, ToolSpecs, Turn, TurnBuilder,
};
use strands_core::tool::ToolSpec;

use crate::expectation::{Expectation, Kind};

/// Returns a conversation with one user message.
pub fn ask(text: &str) -> Vec<Arc<Message>> {
    vec![Arc::new(Message::user(text))]
}

/// Returns one tool, `get_weather`, which takes a `city`.
pub fn weather_tools() -> ToolSpecs {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    [ToolSpec::new("get_weather", "The weather in a city.", schema)].into_iter().collect()
}

/// Collects the events of a response, including the error at the end if there is one. Panics if anything follows the
/// end.
pub async fn events(model: &dyn Model, request: ModelRequest<'_>) -> (Vec<StreamEvent>, Option<ModelError>) {
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

/// Returns the complete response.
///
/// # Errors
/// Returns the model's error.
pub async fn turn(model: &dyn Model, request: ModelRequest<'_>) -> Result<Turn, ModelError> {
    let (events, error) = events(model, request).await;
    error.map_or_else(|| together(&events), Err)
}

/// Assembles these events into a turn.
///
/// # Errors
/// Returns an error if they are not a complete response.
pub fn together(events: &[StreamEvent]) -> Result<Turn, ModelError> {
    let mut turn = TurnBuilder::new(usize::MAX);
    for event in events {
        turn.push(event)?;
    }
    turn.finish()
}

/// Returns the complete response to one prompt.
///
/// # Errors
/// Returns the model's error.
pub async fn answer(model: &dyn Model, question: &str) -> Result<Turn, ModelError> {
    turn(model, ModelRequest::new(&ask(question))).await
}

/// Returns the text in these events.
pub fn text(events: &[StreamEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        StreamEvent::ContentBlockDelta { delta: BlockDelta::Text(text), .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Returns the reasoning in these events.
pub fn reasoning_text(events: &[StreamEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        StreamEvent::ContentBlockDelta { delta: BlockDelta::ReasoningContent(ReasoningDelta::Text(text)), .. } => {
            Some(text.as_str())
        }
        _ => None,
    });
    texts.collect()
}

/// Returns name, id and argument text of the calls in these events, including those that are not run because the
/// response was cut.
pub fn calls_in(events: &[StreamEvent]) -> Vec<(String, String, String)> {
    let mut calls: Vec<(usize, (String, String, String))> = Vec::new();
    for event in events {
        match event {
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                if let Some(start) = &start.tool_use {
                    let call = (start.name.clone(), start.tool_use_id.clone(), String::new());
                    calls.push((*content_block_index, call));
                }
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta: BlockDelta::ToolUse(piece) } => {
                let begun = calls.iter_mut().rev().find(|(index, _)| index == content_block_index);
                let (_, call) = begun.unwrap_or_else(|| panic!("arguments of a call that has not begun: {event:?}"));
                call.2 += &piece.input;
            }
            _ => {}
        }
    }
    calls.into_iter().map(|(_, call)| call).collect()
}

/// Returns the kinds of a message's blocks, in order, with adjacent blocks of one kind (other than calls) merged.
pub fn order_of(message: &Message) -> Vec<Kind> {
    let mut order = Expectation::default();
    for block in &message.content {
        order.goes_on(match block {
            ContentBlock::Reasoning(_) => Kind::Reasoning,
            ContentBlock::ToolUse(_) => Kind::Call,
            ContentBlock::Provider(_) => Kind::Provider,
            _ => Kind::Text,
        });
    }
    order.order.unwrap_or_default()
}

/// Returns the provider's own counts in these events; `Null` if there are none.
pub fn reported_usage(events: &[StreamEvent]) -> Value {
    let counts = events.iter().filter_map(|event| match event {
        StreamEvent::Metadata { provider_usage, .. } => provider_usage.as_deref().cloned(),
        _ => None,
    });
    counts.last().unwrap_or_default()
}

/// Returns the name of an error's kind, for messages and comparisons.
pub fn kind(error: &ModelError) -> &'static str {
    match error {
        ModelError::Throttled { .. } => "throttled",
        ModelError::Overloaded { .. } => "overloaded",
        ModelError::Unreachable { .. } => "unreachable",
        ModelError::Transport { .. } => "transport",
        ModelError::MalformedOutput { .. } => "malformed output",
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
