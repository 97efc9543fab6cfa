//! Hand-written agent loop for one provider and one tool, the baseline of the benchmarks. It has no hooks, limits,
//! cancellation, metrics, retry or events.

use futures_util::stream::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strands_core::Tool;

use crate::script::{self, Responses};
use crate::tools;
use crate::wire::{self, Playback};

#[derive(Serialize)]
pub(crate) struct Message {
    role: &'static str,
    content: Vec<Block>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Block {
    Text(String),
    ToolUse { tool_use_id: String, name: String, input: Value },
    ToolResult { tool_use_id: String, status: &'static str, content: Vec<Block> },
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    MessageStart {},
    ContentBlockStart { content_block_index: usize, start: Start },
    ContentBlockDelta { content_block_index: usize, delta: Delta },
    ContentBlockStop {},
    MessageStop { stop_reason: String },
    Metadata { usage: Usage },
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Start {
    tool_use: ToolStart,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolStart {
    tool_use_id: String,
    name: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Delta {
    Text(String),
    ToolUse(ToolInput),
}

#[derive(Clone, Deserialize)]
pub(crate) struct ToolInput {
    input: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    input_tokens: u64,
    output_tokens: u64,
}

#[derive(Deserialize)]
struct Arguments {
    city: String,
    days: u8,
}

/// Request body with the same bytes as that of the agent's model.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    messages: &'a [Message],
    system: &'a [Block],
    tool_config: &'a Value,
}

/// Sends requests and returns the events of responses.
pub(crate) trait Transport {
    fn send<'s>(&'s self, request: &Request<'_>) -> impl Stream<Item = Event> + use<'s, Self>;
}

/// Transport without serialization: the events are already parsed.
pub(crate) struct Bare(Playback<Event>);

impl Bare {
    pub(crate) fn new(responses: Responses) -> Self {
        Self(wire::parsed(responses))
    }
}

impl Transport for Bare {
    fn send<'s>(&'s self, _: &Request<'_>) -> impl Stream<Item = Event> + use<'s> {
        self.0.next().map(Clone::clone)
    }
}

/// Transport that serializes the request and parses each line of the response.
pub(crate) struct Wire(Playback<String>);

impl Wire {
    pub(crate) fn new(responses: Responses) -> Self {
        Self(wire::lines(responses))
    }
}

impl Transport for Wire {
    fn send<'s>(&'s self, request: &Request<'_>) -> impl Stream<Item = Event> + use<'s> {
        divan::black_box(serde_json::to_vec(request).unwrap());
        self.0.next().map(|line| serde_json::from_str(line).unwrap())
    }
}

/// A conversation with its system prompt and tools.
pub(crate) struct Chat {
    pub(crate) messages: Vec<Message>,
    system: Vec<Block>,
    tool_config: Value,
    usage: Usage,
}

impl Chat {
    pub(crate) fn new() -> Self {
        Self {
            messages: Vec::new(),
            system: vec![Block::Text(script::SYSTEM_PROMPT.to_owned())],
            tool_config: json!({"tools": [{"toolSpec": tools::Forecast.spec()}]}),
            usage: Usage::default(),
        }
    }

    /// Creates a conversation with a history of this many messages.
    pub(crate) fn with_history(messages: usize) -> Self {
        let mut chat = Self::new();
        let message = |at: usize| Message {
            role: if at.is_multiple_of(2) { "user" } else { "assistant" },
            content: vec![Block::Text(script::PROMPT.to_owned())],
        };
        chat.messages = (0..messages).map(message).collect();
        chat
    }

    fn request(&self) -> Request<'_> {
        Request { messages: &self.messages, system: &self.system, tool_config: &self.tool_config }
    }

    /// Returns the body of the next request.
    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.request()).unwrap()
    }

    /// Sends the prompt, and runs tools until the model ends its turn. Calls `on_text` with each text delta.
    pub(crate) async fn prompt(&mut self, model: &impl Transport, mut on_text: impl FnMut(&str)) -> String {
        self.messages.push(Message { role: "user", content: vec![Block::Text(script::PROMPT.to_owned())] });
        loop {
            let mut content: Vec<Block> = Vec::new();
            let mut inputs: Vec<(usize, String)> = Vec::new();
            let mut stopped = String::new();
            let mut events = std::pin::pin!(model.send(&self.request()));
            let mut usage = Usage::default();
            while let Some(event) = events.next().await {
                match event {
                    Event::ContentBlockStart { content_block_index, start: Start { tool_use } } => {
                        let ToolStart { tool_use_id, name } = tool_use;
                        content.push(Block::ToolUse { tool_use_id, name, input: Value::Null });
                        inputs.push((content_block_index, String::new()));
                    }
                    Event::ContentBlockDelta { delta: Delta::Text(piece), .. } => {
                        on_text(&piece);
                        match content.last_mut() {
                            Some(Block::Text(text)) => text.push_str(&piece),
                            _ => content.push(Block::Text(piece)),
                        }
                    }
                    Event::ContentBlockDelta { content_block_index, delta: Delta::ToolUse(piece) } => {
                        let open = inputs.iter_mut().rev().find(|(index, _)| *index == content_block_index);
                        open.unwrap().1.push_str(&piece.input);
                    }
                    Event::MessageStop { stop_reason } => stopped = stop_reason,
                    Event::Metadata { usage: spent } => usage = spent,
                    Event::MessageStart {} | Event::ContentBlockStop {} => {}
                }
            }
            self.usage.input_tokens += usage.input_tokens;
            self.usage.output_tokens += usage.output_tokens;
            let mut inputs = inputs.into_iter();
            let mut results = Vec::new();
            for block in &mut content {
                if let Block::ToolUse { tool_use_id, name, input } = block {
                    let (_, text) = inputs.next().unwrap();
                    *input =
                        if text.is_empty() { Value::Object(Map::new()) } else { serde_json::from_str(&text).unwrap() };
                    let answer = match name.as_str() {
                        "forecast" => match Arguments::deserialize(&*input) {
                            Ok(Arguments { city, days }) => Ok(tools::forecast(city, days).await),
                            Err(error) => Err(error.to_string()),
                        },
                        _ => Err(format!("unknown tool {name}")),
                    };
                    let (status, text) = match answer {
                        Ok(text) => ("success", text),
                        Err(text) => ("error", text),
                    };
                    let tool_use_id = tool_use_id.clone();
                    results.push(Block::ToolResult { tool_use_id, status, content: vec![Block::Text(text)] });
                }
            }
            let said: String = content
                .iter()
                .filter_map(|block| match block {
                    Block::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            self.messages.push(Message { role: "assistant", content });
            if stopped != "tool_use" {
                return said;
            }
            self.messages.push(Message { role: "user", content: results });
        }
    }
}
