//! Provider content: calls of the server tools that Bedrock runs itself, and their results. These blocks keep their position
//! in the conversation and are sent back unchanged.

use serde_json::{Map, Value};
use strands_core::lenient_json;
use strands_core::message::ProviderContent;
use strands_core::models::StreamEvent;

use crate::PROVIDER;

/// Value of `type` for a call of a server tool.
pub(crate) const SERVER_TOOL_USE: &str = "server_tool_use";

/// Returns true if a block of a response belongs to a server tool.
pub(crate) fn is_provider_content(block: &Value) -> bool {
    block.pointer("/toolUse/type").is_some_and(|kind| kind == SERVER_TOOL_USE) || block.get("toolResult").is_some()
}

/// Returns the events of a block of provider content.
pub(crate) fn events(index: usize, block: Value) -> [StreamEvent; 2] {
    let content = ProviderContent::new(PROVIDER, block);
    [StreamEvent::provider_content(index, content), StreamEvent::block_stop(index)]
}

/// A partial block of provider content.
pub(crate) struct ProviderBlock {
    pub(crate) index: usize,
    kind: Kind,
    fields: Map<String, Value>,
}

enum Kind {
    /// A call, with its streamed arguments as JSON text.
    Call(String),
    /// A result, with its content.
    Result(Vec<Value>),
}

impl ProviderBlock {
    pub(crate) fn call(index: usize, fields: Map<String, Value>) -> Self {
        Self { index, kind: Kind::Call(String::new()), fields }
    }

    pub(crate) fn result(index: usize, fields: Map<String, Value>) -> Self {
        Self { index, kind: Kind::Result(Vec::new()), fields }
    }

    /// Appends a chunk: of the arguments of a call, or of the content of a result.
    pub(crate) fn push(&mut self, input: Option<&str>, result: Option<Vec<Value>>) {
        match &mut self.kind {
            Kind::Call(text) => text.push_str(input.unwrap_or_default()),
            Kind::Result(content) => content.extend(result.into_iter().flatten()),
        }
    }

    /// Returns the events of the complete block, in the form that Bedrock accepts in a request.
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
