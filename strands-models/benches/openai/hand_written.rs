//! Baseline of the benchmark: a hand-written loop with reqwest and serde_json, for one provider and one tool. It has no
//! hooks, limits, timeouts, cancellation, metrics, retries or events.

use memchr::memchr;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
enum Message {
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
struct Call {
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

/// A client with its connections, and the constant parts of every conversation.
#[derive(Clone)]
pub(crate) struct Provider {
    client: Client,
    url: String,
    tools: Vec<Value>,
}

impl Provider {
    pub(crate) fn new(base_url: &str, tools: Vec<Value>) -> Self {
        Self { client: Client::new(), url: format!("{base_url}/chat/completions"), tools }
    }
}

/// A conversation.
pub(crate) struct Chat<'p> {
    provider: &'p Provider,
    messages: Vec<Message>,
    pub(crate) usage: (u64, u64),
}

impl<'p> Chat<'p> {
    pub(crate) fn new(provider: &'p Provider) -> Self {
        let system = Message::System { content: script::SYSTEM_PROMPT.to_owned() };
        Self { provider, messages: vec![system], usage: (0, 0) }
    }

    /// Creates a conversation with this many previous turns.
    pub(crate) fn with_turns(provider: &'p Provider, turns: usize) -> Self {
        let mut chat = Self::new(provider);
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
        let Provider { client, url, tools } = self.provider;
        let request = Request {
            model: "gpt-4o",
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools,
            messages: &self.messages,
        };
        let body = serde_json::to_vec(&request).unwrap();
        let request =
            client.post(url).header(CONTENT_TYPE, "application/json").header(AUTHORIZATION, "Bearer test-key");
        let mut response = request.body(body).send().await.unwrap().error_for_status().unwrap();

        let (mut text, mut calls, mut stopped) = (String::new(), Vec::<Call>::new(), String::new());
        let mut buffer = Vec::new();
        while let Some(bytes) = response.chunk().await.unwrap() {
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
