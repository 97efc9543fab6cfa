//! Expected content of a Bedrock response, computed from its bytes without the code under test.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::eventstream::{self, Frame};
use crate::recording::Exchange;

/// Expected result of reading a response, complete or cut off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// Content blocks, in order.
    pub blocks: Vec<Block>,
    /// Stop reason as Bedrock spells it; `None` if the response ended before it.
    pub stop_reason: Option<String>,
    /// Usage, if it was reported.
    pub usage: Option<Usage>,
    /// Latency in milliseconds, if it was reported.
    pub latency_ms: Option<u64>,
    /// The error, if the response is one or ends in one.
    pub error: Option<ErrorBody>,
}

/// One content block.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Text.
    Text(String),
    /// Reasoning that can be read.
    Reasoning {
        /// Readable text of the reasoning.
        text: String,
        /// The provider's signature.
        signature: Option<String>,
    },
    /// A tool call.
    ToolUse(ToolUse),
    /// Any other block: the block of a document as it is, or the array of its deltas in a stream.
    Other(Value),
}

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolUse {
    /// Name of the tool.
    pub name: String,
    /// Id that the result must carry.
    pub id: String,
    /// Arguments, `{}` if there were none; `None` if the streamed text is not JSON.
    pub input: Option<Value>,
}

/// Token counts as Bedrock reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the request.
    pub input: u64,
    /// Tokens of the response.
    pub output: u64,
    /// Sum of both.
    pub total: u64,
    /// Tokens read from the cache.
    pub cache_read: Option<u64>,
    /// Tokens written to the cache.
    pub cache_write: Option<u64>,
}

/// An error, reported by HTTP status or inside a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// HTTP status; `None` for an error inside a stream.
    pub status: Option<u16>,
    /// Error type, such as `throttlingException`; `None` if the body does not name it.
    pub kind: Option<String>,
    /// Message of the provider.
    pub message: String,
}

impl Expectation {
    /// Reads a recorded response. Panics if it is malformed.
    pub fn of(exchange: &Exchange) -> Self {
        let response = &exchange.response;
        if response.content_type.contains("vnd.amazon.eventstream") {
            let frames = eventstream::decode(&response.body).unwrap_or_else(|error| panic!("{error}"));
            return Self::of_frames(&frames);
        }
        let body: Value = serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("the response of {} is not JSON: {error}", exchange.request.path));
        if response.status >= 400 {
            return Self { error: Some(error_body(Some(response.status), None, &body)), ..Self::default() };
        }
        Self::of_document(&body)
    }

    /// Reads a Converse response document.
    pub fn of_document(body: &Value) -> Self {
        let content = body.pointer("/output/message/content").and_then(Value::as_array);
        Self {
            blocks: content.into_iter().flatten().map(Block::of_document).collect(),
            stop_reason: string(body, "/stopReason"),
            usage: usage(body),
            latency_ms: body.pointer("/metrics/latencyMs").and_then(Value::as_u64),
            error: None,
        }
    }

    /// Reads the complete frames at the beginning of a stream: the content a client must have seen when the stream is
    /// cut there.
    pub fn of_prefix(stream: &[u8]) -> Self {
        Self::of_frames(&eventstream::decode(stream).unwrap_or_else(|error| error.frames))
    }

    /// Reads a stream of frames.
    pub fn of_frames(frames: &[Frame]) -> Self {
        let mut expectation = Self::default();
        let mut blocks: BTreeMap<u64, StreamedBlock> = BTreeMap::new();
        for frame in frames {
            let payload = serde_json::from_slice(&frame.payload).unwrap_or(Value::Null);
            let index = payload.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or_default();
            if frame.string(":message-type") != Some("event") {
                let kind = frame.string(":exception-type").or_else(|| frame.string(":error-code"));
                let mut error = error_body(None, kind, &payload);
                if let Some(message) = frame.string(":error-message") {
                    error.message = message.to_owned();
                }
                expectation.error = Some(error);
                break;
            }
            match frame.string(":event-type") {
                Some("contentBlockStart") => {
                    blocks.entry(index).or_default().start = payload.get("start").cloned();
                }
                Some("contentBlockDelta") => {
                    let delta = payload.get("delta").cloned().unwrap_or_default();
                    blocks.entry(index).or_default().deltas.push(delta);
                }
                Some("messageStop") => expectation.stop_reason = string(&payload, "/stopReason"),
                Some("metadata") => {
                    expectation.usage = usage(&payload);
                    expectation.latency_ms = payload.pointer("/metrics/latencyMs").and_then(Value::as_u64);
                }
                _ => {}
            }
        }
        expectation.blocks = blocks.into_values().map(StreamedBlock::finish).collect();
        expectation
    }

    /// Returns the text of all text blocks, joined without a separator.
    pub fn text(&self) -> String {
        self.blocks
            .iter()
            .filter_map(|block| if let Block::Text(text) = block { Some(text.as_str()) } else { None })
            .collect()
    }

    /// Returns the tool calls, in order.
    pub fn tool_uses(&self) -> Vec<&ToolUse> {
        self.blocks
            .iter()
            .filter_map(|block| if let Block::ToolUse(tool) = block { Some(tool) } else { None })
            .collect()
    }
}

impl Block {
    fn of_document(block: &Value) -> Self {
        if let Some(text) = string(block, "/text") {
            return Self::Text(text);
        }
        if let Some(text) = string(block, "/reasoningContent/reasoningText/text") {
            return Self::Reasoning { text, signature: string(block, "/reasoningContent/reasoningText/signature") };
        }
        match block.get("toolUse") {
            Some(tool) => Self::ToolUse(ToolUse {
                name: string(tool, "/name").unwrap_or_default(),
                id: string(tool, "/toolUseId").unwrap_or_default(),
                input: tool.get("input").cloned(),
            }),
            None => Self::Other(block.clone()),
        }
    }
}

/// State of a block while its deltas arrive.
#[derive(Default)]
struct StreamedBlock {
    start: Option<Value>,
    deltas: Vec<Value>,
}

impl StreamedBlock {
    fn finish(self) -> Block {
        let joined = |pointer: &str| -> Option<String> {
            let pieces: Vec<&str> =
                self.deltas.iter().filter_map(|delta| delta.pointer(pointer).and_then(Value::as_str)).collect();
            (!pieces.is_empty()).then(|| pieces.concat())
        };
        if let Some(tool) = self.start.as_ref().and_then(|start| start.get("toolUse")) {
            let input = joined("/toolUse/input").unwrap_or_default();
            return Block::ToolUse(ToolUse {
                name: string(tool, "/name").unwrap_or_default(),
                id: string(tool, "/toolUseId").unwrap_or_default(),
                input: if input.is_empty() { Some(json!({})) } else { serde_json::from_str(&input).ok() },
            });
        }
        if let Some(text) = joined("/text") {
            return Block::Text(text);
        }
        if let Some(text) = joined("/reasoningContent/text") {
            return Block::Reasoning { text, signature: joined("/reasoningContent/signature") };
        }
        Block::Other(self.start.into_iter().chain(self.deltas).collect())
    }
}

fn string(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn usage(body: &Value) -> Option<Usage> {
    let usage = body.get("usage")?;
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    Some(Usage {
        input: count("inputTokens")?,
        output: count("outputTokens")?,
        total: count("totalTokens")?,
        cache_read: count("cacheReadInputTokens"),
        cache_write: count("cacheWriteInputTokens"),
    })
}

fn error_body(status: Option<u16>, kind: Option<&str>, body: &Value) -> ErrorBody {
    // In a body the type may have a namespace: `com.amazon.coral.service#ThrottlingException`.
    let named = || string(body, "/__type").map(|name| name.rsplit('#').next().unwrap_or_default().to_owned());
    ErrorBody {
        status,
        kind: kind.map(str::to_owned).or_else(named),
        message: string(body, "/message").or_else(|| string(body, "/Message")).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converse::ConverseStream;
    use crate::recording::recordings;

    #[test]
    fn reads_a_stream() {
        let stream = ConverseStream::new()
            .reasoning(["let me ", "see"], "sig")
            .text(["It is ", "sunny."])
            .tool_use("get_weather", "t-1", ["{\"city\":", " \"Seattle\"}"])
            .tool_use("now", "t-2", [])
            .tool_use("broken", "t-3", ["{\"city\":"])
            .stop("tool_use")
            .usage(12, 3);
        let expectation = Expectation::of_frames(stream.frames());
        assert_eq!(expectation.text(), "It is sunny.");
        let reasoning = Block::Reasoning { text: "let me see".to_owned(), signature: Some("sig".to_owned()) };
        assert_eq!(expectation.blocks[0], reasoning);
        let inputs: Vec<_> =
            expectation.tool_uses().iter().map(|tool| (tool.id.as_str(), tool.input.clone())).collect();
        assert_eq!(inputs, [("t-1", Some(json!({"city": "Seattle"}))), ("t-2", Some(json!({}))), ("t-3", None)]);
        assert_eq!(expectation.stop_reason.as_deref(), Some("tool_use"));
        assert_eq!(expectation.usage, Some(Usage { input: 12, output: 3, total: 15, ..Usage::default() }));
        assert_eq!(expectation.latency_ms, Some(100));
        assert_eq!(expectation.error, None);
    }

    #[test]
    fn keeps_content_before_an_error() {
        let stream = ConverseStream::new().text(["half"]).exception("throttlingException", "slow down");
        let expectation = Expectation::of_frames(stream.frames());
        assert_eq!(expectation.text(), "half");
        let kind = Some("throttlingException".to_owned());
        assert_eq!(expectation.error, Some(ErrorBody { status: None, kind, message: "slow down".to_owned() }));

        let stream = ConverseStream::new().frame(Frame::error("InternalError", "sorry"));
        let error = Expectation::of_frames(stream.frames()).error.unwrap();
        assert_eq!((error.kind.as_deref(), error.message.as_str()), (Some("InternalError"), "sorry"));
    }

    #[test]
    fn reads_the_complete_frames_of_a_prefix() {
        let bytes = ConverseStream::text_turn("hello").encode();
        let ends = eventstream::frame_ends(&bytes);
        for length in 0..=bytes.len() {
            let expectation = Expectation::of_prefix(&bytes[..length]);
            let whole = ends.iter().filter(|&&end| end <= length).count();
            // Start, delta, block stop, stop, metadata.
            assert_eq!(expectation.text(), if whole >= 2 { "hello" } else { "" }, "{length} bytes");
            assert_eq!(expectation.stop_reason.is_some(), whole >= 4, "{length} bytes");
            assert_eq!(expectation.usage.is_some(), whole >= 5, "{length} bytes");
        }
    }

    #[test]
    fn strips_the_namespace_of_error_types() {
        let body = json!({"__type": "com.amazon.coral.service#ThrottlingException", "Message": "slow down"});
        let error = error_body(Some(429), None, &body);
        assert_eq!(error.kind.as_deref(), Some("ThrottlingException"));
        assert_eq!(error.message, "slow down");
    }

    #[test]
    fn reads_every_recording() {
        let Some(recordings) = recordings("bedrock") else {
            return;
        };
        let mut tools = 0;
        for recording in &recordings {
            for exchange in &recording.exchanges {
                let name = &recording.name;
                let expectation = Expectation::of(exchange);
                if exchange.response.status == 200 {
                    assert!(expectation.stop_reason.is_some(), "{name}: no stop reason");
                    assert!(expectation.usage.is_some(), "{name}: no usage");
                    assert!(!expectation.blocks.is_empty(), "{name}: no content");
                    assert!(!expectation.blocks.iter().any(|block| matches!(block, Block::Other(_))), "{name}");
                    assert_eq!(expectation.error, None, "{name}");
                } else {
                    let error = expectation.error.unwrap();
                    assert!(!error.message.is_empty(), "{name}: an error without message");
                }
                tools += expectation.blocks.iter().filter(|block| matches!(block, Block::ToolUse(_))).count();
            }
        }
        assert!(tools > 0, "no recording of Bedrock calls a tool");
    }
}
