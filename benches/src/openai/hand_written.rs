//! Baseline of the benchmark: a hand-written loop with an HTTP client and serde_json, for one provider and one tool. It has no
//! hooks, limits, timeouts, cancellation, metrics, retries or events.

use std::sync::Arc;

use memchr::memchr;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::transport::Transport;
use crate::{script, tools};

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    tools: &'a [Value],
    messages: &'a [Message],
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Clone, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum Message {
    System {
        content: String,
    },
    User {
        content: String,
    },
    Assistant {
        #[serde(skip_serializing_if = "String::is_empty")]
        content: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call>,
    },
    Tool {
        tool_call_id: String,
        content: String,
    },
}

#[derive(Clone, Serialize)]
pub(super) struct Call {
    id: String,
    r#type: &'static str,
    function: Function,
}

#[derive(Clone, Serialize)]
struct Function {
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: usize,
    id: Option<String>,
    function: FunctionDelta,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Arguments {
    city: String,
    days: u8,
}

/// A provider's address and client, and the constant parts of every conversation.
#[derive(Clone)]
pub(crate) struct Provider {
    address: String,
    pub(crate) client: Option<Client>,
    tools: Arc<[Value]>,
}

impl Provider {
    /// Without a client, connections are hyper's.
    pub(crate) fn new(address: &str, client: Option<Client>, tools: Vec<Value>) -> Self {
        Self { address: address.to_owned(), client, tools: tools.into() }
    }

    pub(crate) fn transport(&self) -> Transport {
        Transport::new(&self.address, self.client.clone())
    }
}

/// A conversation.
pub(crate) struct Chat {
    pub(crate) transport: Transport,
    tools: Arc<[Value]>,
    pub(super) messages: Vec<Message>,
    pub(crate) usage: (u64, u64),
}

impl Chat {
    pub(crate) fn new(provider: &Provider, transport: Transport) -> Self {
        let system = Message::System { content: script::SYSTEM_PROMPT.to_owned() };
        Self { transport, tools: Arc::clone(&provider.tools), messages: vec![system], usage: (0, 0) }
    }

    /// Creates a conversation with this many previous turns.
    pub(crate) fn with_turns(provider: &Provider, transport: Transport, turns: usize) -> Self {
        let mut chat = Self::new(provider, transport);
        for _ in 0..turns {
            chat.messages.push(Message::User { content: script::PROMPT.to_owned() });
            chat.messages.push(Message::Assistant { content: script::ANSWER.to_owned(), tool_calls: Vec::new() });
        }
        chat
    }

    /// Sends a prompt and runs tools until the model ends its turn. Calls `on_text` with every text delta.
    pub(crate) async fn prompt(&mut self, mut on_text: impl FnMut(&str)) -> String {
        self.messages.push(Message::User { content: script::PROMPT.to_owned() });
        loop {
            let (text, tool_calls, stopped) = self.ask(&mut on_text).await;
            let mut results = Vec::new();
            for call in &tool_calls {
                let content = match call.function.name.as_str() {
                    "forecast" => match serde_json::from_str(&call.function.arguments) {
                        Ok(Arguments { city, days }) => tools::forecast(city, days).await,
                        Err(error) => format!("Error: {error}"),
                    },
                    name => format!("Error: unknown tool {name}"),
                };
                results.push(Message::Tool { tool_call_id: call.id.clone(), content });
            }
            self.messages.push(Message::Assistant { content: text.clone(), tool_calls });
            if stopped != "tool_calls" {
                return text;
            }
            self.messages.extend(results);
        }
    }

    /// Sends one request and reads its response.
    async fn ask(&mut self, on_text: &mut impl FnMut(&str)) -> (String, Vec<Call>, String) {
        let request = Request {
            model: "gpt-4o",
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools: &self.tools,
            messages: &self.messages,
        };
        let body = serde_json::to_vec(&request).unwrap();
        let mut response = self.transport.send(body).await;

        let (mut text, mut calls, mut stopped) = (String::new(), Vec::<Call>::new(), String::new());
        let mut buffer = Vec::new();
        while let Some(bytes) = response.chunk().await {
            buffer.extend_from_slice(&bytes);
            let mut start = 0;
            while let Some(length) = memchr(b'\n', &buffer[start..]) {
                let line = &buffer[start..start + length];
                start += length + 1;
                let Some(data) = line.strip_prefix(b"data: ").filter(|data| data != b"[DONE]") else { continue };
                let chunk: Chunk = serde_json::from_slice(data).unwrap();
                if let Some(usage) = chunk.usage {
                    self.usage.0 += usage.prompt_tokens;
                    self.usage.1 += usage.completion_tokens;
                }
                for Choice { delta, finish_reason } in chunk.choices {
                    if let Some(piece) = delta.content {
                        on_text(&piece);
                        text.push_str(&piece);
                    }
                    for piece in delta.tool_calls.into_iter().flatten() {
                        let FunctionDelta { name, arguments } = piece.function;
                        if piece.index == calls.len() {
                            let function = Function { name: name.unwrap(), arguments: String::new() };
                            calls.push(Call { id: piece.id.unwrap(), r#type: "function", function });
                        }
                        calls[piece.index].function.arguments.push_str(&arguments.unwrap_or_default());
                    }
                    if let Some(reason) = finish_reason {
                        stopped = reason;
                    }
                }
            }
            buffer.drain(..start);
        }
        (text, calls, stopped)
    }
}
