//! What an answer means, computed from its bytes without the code under test: one type for all providers, one file for
//! each protocol that says how it is read.

pub mod anthropic;
pub mod gemini;
pub mod llamacpp;
pub mod mistral;
pub mod ollama;
pub mod openai;

use serde_json::{Value, json};

/// What a correct client makes of an answer, whole or broken off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// All text, refusals included, in order.
    pub text: String,
    /// All thoughts that can be read, in order, an empty line between the parts of a summary.
    pub thoughts: String,
    /// The tools asked for, in order.
    pub calls: Vec<Call>,
    /// The kinds of the blocks, in order, neighbours of a kind (other than calls) taken together and empty ones left out.
    /// `None` where the protocol has no order.
    pub order: Option<Vec<Kind>>,
    /// What the provider wants back with the next request, in its own words: signatures, encrypted thoughts.
    pub kept: Vec<Value>,
    /// The stop reason in our words; `None` if the answer ended before it.
    pub stop_reason: Option<&'static str>,
    /// Tokens, if they were reported.
    pub usage: Option<Usage>,
    /// The error, if the answer is one.
    pub error: Option<ErrorBody>,
}

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, with citations or without.
    Text,
    /// Thoughts, readable or encrypted.
    Thoughts,
    /// A request to call a tool.
    Call,
    /// Something that only this provider understands.
    Provider,
}

/// A request to call a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Name of the tool.
    pub name: String,
    /// Id that the result must carry; `None` where the provider gives none.
    pub id: Option<String>,
    /// What the tool is called with.
    pub arguments: Arguments,
}

/// The arguments of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments {
    /// The text as it came, which need not be JSON: where arguments are streamed as text.
    Text(String),
    /// The JSON that came, where it is part of the provider's own.
    Json(Value),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Call {
    /// The arguments, `{}` if there were none; the text itself if it is not JSON.
    pub fn input(&self) -> Value {
        match &self.arguments {
            Arguments::Json(Value::Null) => json!({}),
            Arguments::Json(input) => input.clone(),
            Arguments::Text(text) if ["", "null"].contains(&text.trim()) => json!({}),
            Arguments::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        }
    }
}

/// Tokens. What was read from or written to a cache is not part of the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the request.
    pub input: u64,
    /// Tokens of the answer, thoughts included.
    pub output: u64,
    /// All tokens, as the provider counts them; the sum of all others where it does not say.
    pub total: u64,
    /// Tokens read from the cache; 0 where nothing is said of them.
    pub cache_read: u64,
    /// Tokens written to the cache; 0 where nothing is said of them.
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
    /// What the provider says.
    pub message: String,
}

impl Expectation {
    /// An answer that is an error.
    pub fn refused(status: u16, code: Option<&str>, message: &str) -> Self {
        let error = ErrorBody { status, code: code.map(str::to_owned), message: message.to_owned() };
        Self { error: Some(error), ..Self::default() }
    }

    /// Notes that a block of this kind goes on, or begins.
    pub fn goes_on(&mut self, kind: Kind) {
        let order = self.order.get_or_insert_default();
        if kind == Kind::Call || order.last() != Some(&kind) {
            order.push(kind);
        }
    }
}

/// The data of the server-sent events at the beginning of a stream that are whole.
pub fn sse_data(stream: &str) -> impl Iterator<Item = &str> {
    // Either both ends of a line are of one kind, or the recording was cut.
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
