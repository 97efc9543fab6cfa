//! A hand-written loop over the AWS SDK's client, with aws-smithy-eventstream and serde_json, for one model and one tool.

use std::sync::Arc;

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message as Frame;
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands::models::bedrock::aws_sdk_bedrockruntime::Client;

use super::transport;
use crate::{script, tools};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    tool_config: &'a Value,
    system: [Block; 1],
    inference_config: InferenceConfig,
    messages: &'a [Message],
}

#[derive(Serialize)]
struct InferenceConfig {}

#[derive(Clone, Serialize)]
struct Message {
    role: &'static str,
    content: Vec<Block>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Block {
    Text(String),
    ToolUse { tool_use_id: String, name: String, input: Value },
    ToolResult { tool_use_id: String, content: Vec<Block>, status: &'static str },
}

#[derive(Deserialize)]
struct BlockStart {
    start: Start,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    tool_use: Option<Call>,
}

/// A tool call, with its arguments as JSON text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    tool_use_id: String,
    name: String,
    #[serde(skip)]
    input: String,
}

#[derive(Deserialize)]
struct BlockDelta {
    delta: Delta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta {
    text: Option<String>,
    tool_use: Option<CallDelta>,
}

#[derive(Deserialize)]
struct CallDelta {
    input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Usage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
}

#[derive(Deserialize)]
struct Arguments {
    city: String,
    days: u8,
}

/// The client, and the constant parts of every conversation.
#[derive(Clone)]
pub(crate) struct Provider {
    client: Client,
    tool_config: Arc<Value>,
}

impl Provider {
    pub(crate) fn new(client: Client, tool_config: Value) -> Self {
        Self { client, tool_config: Arc::new(tool_config) }
    }
}

/// A conversation.
pub(crate) struct Chat {
    provider: Provider,
    messages: Vec<Message>,
    pub(crate) usage: (u64, u64),
}

impl Chat {
    /// Creates a conversation with this many previous turns.
    pub(crate) fn with_turns(provider: &Provider, turns: usize) -> Self {
        let mut messages = Vec::new();
        for _ in 0..turns {
            messages.push(Message { role: "user", content: vec![Block::Text(script::PROMPT.to_owned())] });
            messages.push(Message { role: "assistant", content: vec![Block::Text(script::ANSWER.to_owned())] });
        }
        Self { provider: provider.clone(), messages, usage: (0, 0) }
    }

    /// Sends a prompt and runs tools until the model ends its turn. Calls `on_text` with every text delta.
    pub(crate) async fn prompt(&mut self, mut on_text: impl FnMut(&str)) -> String {
        self.messages.push(Message { role: "user", content: vec![Block::Text(script::PROMPT.to_owned())] });
        loop {
            let (text, calls, stopped) = self.ask(&mut on_text).await;
            let mut content = Vec::new();
            if !text.is_empty() {
                content.push(Block::Text(text.clone()));
            }
            let mut results = Vec::new();
            for Call { tool_use_id, name, input } in calls {
                let input: Value = serde_json::from_str(&input).unwrap_or_default();
                let (result, status) = match (name.as_str(), Arguments::deserialize(&input)) {
                    ("forecast", Ok(Arguments { city, days })) => (tools::forecast(city, days).await, "success"),
                    ("forecast", Err(error)) => (format!("Error: {error}"), "error"),
                    (name, _) => (format!("Error: unknown tool {name}"), "error"),
                };
                let result = vec![Block::Text(result)];
                results.push(Block::ToolResult { tool_use_id: tool_use_id.clone(), content: result, status });
                content.push(Block::ToolUse { tool_use_id, name, input });
            }
            self.messages.push(Message { role: "assistant", content });
            if stopped != "tool_use" {
                return text;
            }
            self.messages.push(Message { role: "user", content: results });
        }
    }

    /// Sends one request and reads its response.
    async fn ask(&mut self, on_text: &mut impl FnMut(&str)) -> (String, Vec<Call>, String) {
        let request = Request {
            tool_config: &self.provider.tool_config,
            system: [Block::Text(script::SYSTEM_PROMPT.to_owned())],
            inference_config: InferenceConfig {},
            messages: &self.messages,
        };
        let body = serde_json::to_vec(&request).unwrap();
        // Boxed, so that a conversation that reads a response does not hold the SDK's future.
        let mut response = Box::pin(transport::send(&self.provider.client, body)).await;

        let (mut text, mut calls, mut stopped) = (String::new(), Vec::<Call>::new(), String::new());
        let mut buffer = BytesMut::new();
        while let Some(bytes) = response.chunk().await {
            buffer.extend_from_slice(&bytes);
            while let Some(frame) = next_frame(&mut buffer) {
                assert_eq!(header(&frame, ":message-type"), Some("event"));
                let payload = frame.payload();
                match header(&frame, ":event-type").unwrap_or_default() {
                    "contentBlockStart" => {
                        let BlockStart { start } = serde_json::from_slice(payload).unwrap();
                        calls.extend(start.tool_use);
                    }
                    "contentBlockDelta" => {
                        let BlockDelta { delta } = serde_json::from_slice(payload).unwrap();
                        if let Some(piece) = delta.text {
                            on_text(&piece);
                            text.push_str(&piece);
                        }
                        if let (Some(piece), Some(call)) = (delta.tool_use, calls.last_mut()) {
                            call.input.push_str(&piece.input);
                        }
                    }
                    "messageStop" => {
                        let MessageStop { stop_reason } = serde_json::from_slice(payload).unwrap();
                        stopped = stop_reason;
                    }
                    "metadata" => {
                        let Metadata { usage } = serde_json::from_slice(payload).unwrap();
                        self.usage.0 += usage.input_tokens;
                        self.usage.1 += usage.output_tokens;
                    }
                    _ => {}
                }
            }
        }
        (text, calls, stopped)
    }
}

/// Takes a complete frame from the buffer.
fn next_frame(buffer: &mut BytesMut) -> Option<Frame> {
    let length = u32::from_be_bytes(*buffer.first_chunk()?) as usize;
    if buffer.len() < length {
        return None;
    }
    Some(read_message_from(buffer.split_to(length).freeze()).unwrap())
}

fn header<'a>(frame: &'a Frame, name: &str) -> Option<&'a str> {
    let header = frame.headers().iter().find(|header| header.name().as_str() == name)?;
    Some(header.value().as_string().ok()?.as_str())
}
