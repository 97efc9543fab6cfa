//! A block that only Anthropic understands while it is streamed: calls of its own tools, their results, kinds that are
//! newer than this version. It is put together without knowing what it means, and goes back as it came.

use serde_json::{Map, Value, json};
use strands_core::lenient_json;
use strands_core::message::ProviderContent;

use super::PROVIDER;

/// A block as far as it has come.
#[derive(Debug)]
pub(super) struct OwnBlock {
    fields: Map<String, Value>,
    /// The arguments of a call, which come as pieces of JSON text.
    input: String,
}

impl OwnBlock {
    /// A block as it begins, which may be all of it.
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self { fields, input: String::new() }
    }

    /// Takes in a piece: its texts go on where those of the block end, and what else it has is added.
    pub(super) fn push(&mut self, piece: Map<String, Value>) {
        for (name, value) in piece {
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

    /// The whole block. Arguments that are no JSON were cut off, and those that it began with stand.
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

    fn together(begin: Value, pieces: &[Value]) -> Value {
        let mut block = OwnBlock::new(begin.as_object().unwrap().clone());
        for piece in pieces {
            block.push(piece.as_object().unwrap().clone());
        }
        block.finish().content
    }

    #[test]
    fn a_call_has_its_arguments() {
        let begin = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
        let delta = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
        let whole =
            json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
        assert_eq!(together(begin.clone(), &[delta(""), delta("{\"query\":"), delta(" \"x\"}")]), whole);
        assert_eq!(together(begin.clone(), &[delta("{\"query")]), begin, "cut off");
        assert_eq!(together(whole.clone(), &[]), whole, "whole from its beginning");
    }

    #[test]
    fn kinds_that_nobody_knows_yet_are_put_together_too() {
        assert_eq!(
            together(
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
