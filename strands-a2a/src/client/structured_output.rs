//! Structured output of a remote agent. The protocol has none, so the agent is asked for JSON, and the response is read as such.

use a2a::Part;
use serde_json::Value;
use strands_core::message::{ContentBlock, Message};
use strands_core::{AgentError, PromptRequest};

/// Maximum length of the reason for an invalid output, in bytes.
const MAX_REASON: usize = 1024;

/// Returns the part that asks for the output of a request, if it has one.
pub(super) fn instruction(request: &PromptRequest) -> Option<Part> {
    let schema = request.output_schema()?.schema;
    let instruction = "Respond with JSON alone, without any other text. It must be valid for this JSON Schema:";
    Some(Part::text(format!("{instruction}\n{schema}")))
}

/// Returns the output in a response, if the request has one: the last block with JSON that fits, or the whole text.
///
/// # Errors
///
/// Returns [`AgentError::InvalidOutput`] if there is none.
pub(super) fn output_of(request: &PromptRequest, message: &Message) -> Result<Option<Value>, AgentError> {
    let Some(schema) = request.output_schema() else { return Ok(None) };
    let mut reason = "the response has no JSON".to_owned();
    let blocks = message.content.iter().rev().filter_map(|block| match block {
        ContentBlock::Text(text) => Some(text.text.clone()),
        _ => None,
    });
    for text in blocks.chain([message.text()]) {
        let Some(json) = json_in(&text) else { continue };
        match request.read_output(&json) {
            Ok(Some(output)) => return Ok(Some(output)),
            Err(AgentError::InvalidOutput { reason: error, .. }) => reason = error,
            Err(error) => return Err(error),
            Ok(None) => {}
        }
    }
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    Err(AgentError::InvalidOutput { output: schema.name, attempts: 1, reason })
}

/// Returns the JSON of a text: all of it, or what is between the first and the last bracket, as in a fenced block.
fn json_in(text: &str) -> Option<Value> {
    let text = text.trim();
    let bracketed = || {
        let start = text.find(['{', '['])?;
        let end = text.rfind(['}', ']'])?;
        serde_json::from_str(text.get(start..=end)?).ok()
    };
    serde_json::from_str(text).ok().or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_json_in_a_text() {
        for (text, expected) in [
            (" {\"a\": 1}\n", Some(json!({"a": 1}))),
            ("```json\n{\"a\": [1]}\n```", Some(json!({"a": [1]}))),
            ("Here it is: [1, 2]. Good luck!", Some(json!([1, 2]))),
            ("7", Some(json!(7))),
            ("seven", None),
            ("} {", None),
            ("{a}", None),
            ("", None),
        ] {
            assert_eq!(json_in(text), expected, "{text:?}");
        }
    }
}
