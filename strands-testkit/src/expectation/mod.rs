//! Expected content of a response, computed from its bytes without the code under test: one type for all providers, one
//! file for each protocol.

pub mod anthropic;
pub mod gemini;
pub mod llamacpp;
pub mod mistral;
pub mod ollama;
pub mod openai;

use serde_json::{Value, json};

/// Expected result of reading a response, complete or cut off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// All text, refusals included, in order.
    pub text: String,
    /// All readable reasoning, in order, with an empty line between the parts of a summary.
    pub reasoning: String,
    /// The tool calls, in order.
    pub calls: Vec<Call>,
    /// The kinds of the blocks, in order. Adjacent blocks of one kind (other than calls) are merged, and empty ones left
    /// out. `None` if the protocol has no order.
    pub order: Option<Vec<Kind>>,
    /// Content that the next request has to send back, in the provider's format: signatures, encrypted reasoning.
    pub kept: Vec<Value>,
    /// The neutral stop reason; `None` if the response ended before it.
    pub stop_reason: Option<&'static str>,
    /// Tokens, if they were reported.
    pub usage: Option<Usage>,
    /// The error, if the response is one.
    pub error: Option<ErrorBody>,
}

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, with citations or without.
    Text,
    /// Reasoning, readable or encrypted.
    Reasoning,
    /// A tool call.
    Call,
    /// Content that only this provider understands.
    Provider,
}

/// A tool call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Name of the tool.
    pub name: String,
    /// Id that the result must carry; `None` where the provider gives none.
    pub id: Option<String>,
    /// Arguments of the call.
    pub arguments: Arguments,
}

/// Arguments of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments {
    /// Text as it was streamed, which need not be JSON.
    Text(String),
    /// JSON value, in protocols that embed the arguments.
    Json(Value),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Call {
    /// Returns the arguments, `{}` if there were none; the text itself if it is not JSON.
    pub fn input(&self) -> Value {
        match &self.arguments {
            Arguments::Json(Value::Null) => json!({}),
            Arguments::Json(input) => input.clone(),
            Arguments::Text(text) if ["", "null"].contains(&text.trim()) => json!({}),
            Arguments::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        }
    }
}

/// Token counts. Tokens read from or written to a cache are not part of the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the request.
    pub input: u64,
    /// Tokens of the response, reasoning included.
    pub output: u64,
    /// All tokens, as the provider counts them; the sum of the others if it does not report a total.
    pub total: u64,
    /// Tokens read from the cache; 0 if not reported.
    pub cache_read: u64,
    /// Tokens written to the cache; 0 if not reported.
    pub cache_write: u64,
    /// The counts as the provider spells them.
    pub raw: Value,
}

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// HTTP status.
    pub status: u16,
    /// Its code or type; `None` if the body does not name it.
    pub code: Option<String>,
    /// Message of the provider.
    pub message: String,
}

impl Expectation {
    /// Creates the expectation of an error response.
    pub fn refused(status: u16, code: Option<&str>, message: &str) -> Self {
        let error = ErrorBody { status, code: code.map(str::to_owned), message: message.to_owned() };
        Self { error: Some(error), ..Self::default() }
    }

    /// Records that a block of this kind continues or begins.
    pub fn goes_on(&mut self, kind: Kind) {
        let order = self.order.get_or_insert_default();
        if kind == Kind::Call || order.last() != Some(&kind) {
            order.push(kind);
        }
    }
}

/// Returns the data of the complete server-sent events at the beginning of a stream.
pub fn sse_data(stream: &str) -> impl Iterator<Item = &str> {
    // Both line ends of an event are of one kind, unless the recording was cut.
    let end = ["\n\n", "\r\n\r\n"].iter().filter_map(|end| stream.rfind(end)).max();
    let whole = end.map_or("", |end| stream.get(..end).unwrap_or_default());
    whole.lines().filter_map(|line| Some(line.strip_prefix("data:")?.trim()))
}

pub(crate) fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
