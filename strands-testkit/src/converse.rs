//! Generated ConverseStream responses, for tests that have no recordings.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::eventstream::{self, Frame};
use crate::response::Response;

/// Builds the frames of one streamed Bedrock turn.
///
/// ```
/// use strands_testkit::converse::ConverseStream;
///
/// let response = ConverseStream::new()
///     .text(["It is ", "sunny."])
///     .stop("end_turn")
///     .usage(12, 3)
///     .response();
/// # drop(response);
/// ```
#[derive(Clone, Debug)]
pub struct ConverseStream {
    frames: Vec<Frame>,
    block: usize,
}

impl ConverseStream {
    /// Starts a stream with `messageStart`.
    pub fn new() -> Self {
        Self { frames: Vec::new(), block: 0 }.event("messageStart", &json!({"role": "assistant"}))
    }

    /// Builds a complete text turn with a usage of 10 input and 5 output tokens.
    pub fn text_turn(text: &str) -> Self {
        Self::new().text([text]).stop("end_turn").usage(10, 5)
    }

    /// Builds a complete turn with one tool call, with a usage of 10 input and 5 output tokens.
    pub fn tool_turn(name: &str, id: &str, input: &Value) -> Self {
        Self::new().tool_use(name, id, [input.to_string().as_str()]).stop("tool_use").usage(10, 5)
    }

    /// Adds a text block, with one delta per item. Bedrock sends no `contentBlockStart` for these.
    #[must_use]
    pub fn text<'a>(self, pieces: impl IntoIterator<Item = &'a str>) -> Self {
        self.deltas(pieces.into_iter().map(|piece| json!({"text": piece}))).block_stop()
    }

    /// Adds a reasoning block, with one delta per item and its signature at the end.
    #[must_use]
    pub fn reasoning<'a>(self, pieces: impl IntoIterator<Item = &'a str>, signature: &str) -> Self {
        self.deltas(pieces.into_iter().map(|piece| json!({"reasoningContent": {"text": piece}})))
            .deltas([json!({"reasoningContent": {"signature": signature}})])
            .block_stop()
    }

    /// Adds a tool use, with one delta of its input per item; neither the items nor their concatenation need to be JSON.
    #[must_use]
    pub fn tool_use<'a>(self, name: &str, id: &str, pieces: impl IntoIterator<Item = &'a str>) -> Self {
        let start = json!({
            "contentBlockIndex": self.block,
            "start": {"toolUse": {"toolUseId": id, "name": name}},
        });
        self.event("contentBlockStart", &start)
            .deltas(pieces.into_iter().map(|piece| json!({"toolUse": {"input": piece}})))
            .block_stop()
    }

    /// Adds `messageStop` with this stop reason.
    #[must_use]
    pub fn stop(self, reason: &str) -> Self {
        self.event("messageStop", &json!({"stopReason": reason}))
    }

    /// Adds `metadata` with this usage in tokens and a latency of 100 ms.
    #[must_use]
    pub fn usage(self, input: u64, output: u64) -> Self {
        let usage = json!({"inputTokens": input, "outputTokens": output, "totalTokens": input + output});
        self.event("metadata", &json!({"usage": usage, "metrics": {"latencyMs": 100}}))
    }

    /// Adds an event of any type.
    #[must_use]
    pub fn event(self, event_type: &str, payload: &Value) -> Self {
        self.frame(Frame::event(event_type, payload))
    }

    /// Adds an exception in the middle of the stream, such as `throttlingException`.
    #[must_use]
    pub fn exception(self, exception_type: &str, message: &str) -> Self {
        self.frame(Frame::exception(exception_type, &json!({"message": message})))
    }

    /// Adds a frame.
    #[must_use]
    pub fn frame(mut self, frame: Frame) -> Self {
        self.frames.push(frame);
        self
    }

    /// Returns the frames so far.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Encodes the body of the response.
    pub fn encode(&self) -> Bytes {
        eventstream::encode(&self.frames)
    }

    /// Returns the response, chunked as Bedrock sends it.
    pub fn response(&self) -> Response {
        Response::eventstream(self.encode())
    }

    fn deltas(mut self, deltas: impl IntoIterator<Item = Value>) -> Self {
        for delta in deltas {
            let payload = json!({"contentBlockIndex": self.block, "delta": delta});
            self.frames.push(Frame::event("contentBlockDelta", &payload));
        }
        self
    }

    fn block_stop(mut self) -> Self {
        let payload = json!({"contentBlockIndex": self.block});
        self.block += 1;
        self.event("contentBlockStop", &payload)
    }
}

impl Default for ConverseStream {
    fn default() -> Self {
        Self::new()
    }
}
