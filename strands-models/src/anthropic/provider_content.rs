//! Provider content: blocks that are specific to Anthropic, such as calls of server tools, their results, and unknown
//! types. They are assembled from a stream without interpretation, and sent back unchanged.

use serde_json::{Map, Value, json};
use strands_core::lenient_json;
use strands_core::message::ProviderContent;

use super::PROVIDER;

/// A partial block of provider content.
#[derive(Debug)]
pub(super) struct ProviderBlock {
    fields: Map<String, Value>,
    /// Streamed arguments of a call, as JSON text.
    input: String,
}

impl ProviderBlock {
    /// Creates a block from its start event, which may be complete.
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self { fields, input: String::new() }
    }

    /// Applies a delta: strings are appended to those of the block, and other values are set.
    pub(super) fn push(&mut self, delta: Map<String, Value>) {
        for (name, value) in delta {
            match (name.as_str(), value) {
                ("type", _) => {}
                ("partial_json", Value::String(more)) => self.input.push_str(&more),
                ("citation", citation) => match self.fields.get_mut("citations") {
                    Some(Value::Array(known)) => known.push(citation),
                    _ => drop(self.fields.insert("citations".to_owned(), json!([citation]))),
                },
                (_, Value::String(more)) => match self.fields.get_mut(&name) {
                    Some(Value::String(text)) => text.push_str(&more),
                    _ => drop(self.fields.insert(name, Value::String(more))),
                },
                (_, value) => drop(self.fields.insert(name, value)),
            }
        }
    }

    /// Returns the block. If the streamed arguments are incomplete, those of the start event are kept.
    pub(super) fn finish(mut self) -> ProviderContent {
        if let Ok(input @ Value::Object(_)) = lenient_json::from_str(&self.input) {
            self.fields.insert("input".to_owned(), input);
        }
        ProviderContent::new(PROVIDER, Value::Object(self.fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(begin: Value, deltas: &[Value]) -> Value {
        let mut block = ProviderBlock::new(begin.as_object().unwrap().clone());
        for delta in deltas {
            block.push(delta.as_object().unwrap().clone());
        }
        block.finish().content
    }

    #[test]
    fn assembles_the_arguments_of_a_call() {
        let begin = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
        let delta = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
        let whole =
            json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
        assert_eq!(assembled(begin.clone(), &[delta(""), delta("{\"query\":"), delta(" \"x\"}")]), whole);
        assert_eq!(assembled(begin.clone(), &[delta("{\"query")]), begin, "incomplete");
        assert_eq!(assembled(whole.clone(), &[]), whole, "complete from the start");
    }

    #[test]
    fn assembles_unknown_types() {
        assert_eq!(
            assembled(
                json!({"type": "newer", "content": null, "list": []}),
                &[
                    json!({"type": "newer_delta", "content": "a"}),
                    json!({"type": "newer_delta", "content": "b", "list": [1]}),
                    json!({"type": "citations_delta", "citation": {"x": 1}}),
                    json!({"type": "citations_delta", "citation": {"x": 2}}),
                ]
            ),
            json!({"type": "newer", "content": "ab", "list": [1], "citations": [{"x": 1}, {"x": 2}]})
        );
    }
}
