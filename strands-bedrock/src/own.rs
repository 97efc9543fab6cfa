//! What Bedrock's own tools were asked and what they found: it runs them itself and reports on them in blocks that only it
//! reads. They keep their place in the conversation and go back as they came.

use serde_json::{Map, Value};
use strands_core::lenient_json;
use strands_core::message::ProviderContent;
use strands_core::models::StreamEvent;

use crate::PROVIDER;

/// The `type` of a call that Bedrock makes itself.
pub(crate) const SERVER_TOOL_USE: &str = "server_tool_use";

/// True for a block of an answer that belongs to Bedrock's own tools.
pub(crate) fn is_own(block: &Value) -> bool {
    block.pointer("/toolUse/type").is_some_and(|kind| kind == SERVER_TOOL_USE) || block.get("toolResult").is_some()
}

/// The events of such a block.
pub(crate) fn events(index: usize, block: Value) -> [StreamEvent; 2] {
    let content = ProviderContent::new(PROVIDER, block);
    [StreamEvent::provider_content(index, content), StreamEvent::block_stop(index)]
}

/// Such a block while it is streamed.
pub(crate) struct OwnBlock {
    pub(crate) index: usize,
    kind: Kind,
    fields: Map<String, Value>,
}

enum Kind {
    /// With its arguments, as JSON text.
    Call(String),
    /// With what was found.
    Result(Vec<Value>),
}

impl OwnBlock {
    pub(crate) fn call(index: usize, fields: Map<String, Value>) -> Self {
        Self { index, kind: Kind::Call(String::new()), fields }
    }

    pub(crate) fn result(index: usize, fields: Map<String, Value>) -> Self {
        Self { index, kind: Kind::Result(Vec::new()), fields }
    }

    /// A piece of it: of a call's arguments, or of what was found.
    pub(crate) fn push(&mut self, input: Option<&str>, found: Option<Vec<Value>>) {
        match &mut self.kind {
            Kind::Call(text) => text.push_str(input.unwrap_or_default()),
            Kind::Result(content) => content.extend(found.into_iter().flatten()),
        }
    }

    /// The block as a whole, in the form in which Bedrock takes it back.
    pub(crate) fn finish(self) -> [StreamEvent; 2] {
        let Self { index, kind, mut fields } = self;
        let name = match kind {
            Kind::Call(input) => {
                let input = lenient_json::from_str(&input).ok().filter(Value::is_object);
                fields.insert("input".to_owned(), input.unwrap_or_else(|| Value::Object(Map::new())));
                "toolUse"
            }
            Kind::Result(content) => {
                fields.insert("content".to_owned(), content.into());
                "toolResult"
            }
        };
        events(index, Value::Object(Map::from_iter([(name.to_owned(), fields.into())])))
    }
}
