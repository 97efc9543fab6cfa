//! Reasoning in Chat Completions: not part of OpenAI's protocol, with another form for each server.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::ContentBlock;

/// Form in which reasoning is sent back to a server, with its assistant message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(not(feature = "openai"), expect(unreachable_pub, reason = "only an option of OpenAI's builder"))]
pub enum ReasoningReplay {
    /// Never sent back: OpenAI refuses it, and most servers ignore it.
    #[default]
    Never,
    /// Text in `reasoning_content`: DeepSeek, Moonshot, Z.ai, vLLM, llama.cpp. Every assistant message has the field, also those
    /// of other models: it is empty without reasoning, because reasoning models of DeepSeek and Moonshot refuse a conversation
    /// with a message that lacks it.
    Content,
    /// `reasoning_details` as the server sent them, including signatures and encrypted parts: OpenRouter.
    Details,
    /// A part of the content with the type `thinking`: Mistral.
    Parts,
}

impl ReasoningReplay {
    /// Returns `reasoning_content` of an assistant message with these blocks. It may be empty.
    pub(crate) fn content(self, blocks: &[Cow<'_, ContentBlock>]) -> Option<String> {
        let words = blocks.iter().filter_map(|block| match &**block {
            ContentBlock::Reasoning(reasoning) => Some(reasoning.reasoning_text.as_ref()?.text.as_str()),
            _ => None,
        });
        (self == Self::Content).then(|| words.collect())
    }

    /// Returns `reasoning_details` of an assistant message with these blocks.
    pub(crate) fn details(self, blocks: &[Cow<'_, ContentBlock>]) -> Option<Vec<Value>> {
        if self != Self::Details {
            return None;
        }
        let details = blocks.iter().filter_map(|block| match &**block {
            ContentBlock::Reasoning(reasoning) => {
                let signature = reasoning.reasoning_text.as_ref()?.signature.as_deref()?;
                Some(serde_json::from_str::<Kept>(signature).ok()?.reasoning_details)
            }
            _ => None,
        });
        let details: Vec<Value> = details.flatten().collect();
        (!details.is_empty()).then_some(details)
    }
}

/// Returns the details in a signature of reasoning. Signatures of other providers do not parse.
#[derive(Serialize, Deserialize)]
struct Kept {
    reasoning_details: Vec<Value>,
}

/// Reasoning details of a response, assembled from their deltas.
#[derive(Debug, Default)]
pub(crate) struct Details {
    details: Vec<Map<String, Value>>,
    /// Position of the latest detail of each index and type.
    places: HashMap<String, usize>,
}

impl Details {
    /// Adds a delta. Deltas of one detail have the same index and type.
    pub(crate) fn push(&mut self, delta: Map<String, Value>) {
        // A delta without an index is a separate detail.
        let Some(index) = delta.get("index") else {
            return self.details.push(delta);
        };
        let place = match self.places.entry(format!("{index} {}", delta.get("type").unwrap_or(&Value::Null))) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => *place.insert(self.details.len()),
        };
        let Some(known) = self.details.get_mut(place) else {
            return self.details.push(delta);
        };
        for (name, value) in delta {
            match (known.get_mut(&name), value) {
                (Some(Value::String(text)), Value::String(more))
                    if matches!(name.as_str(), "text" | "summary" | "data") =>
                {
                    text.push_str(&more);
                }
                (Some(_), Value::Null) => {}
                (_, value) => drop(known.insert(name, value)),
            }
        }
    }

    /// Returns the signature that contains the details.
    pub(crate) fn signature(self) -> String {
        let details = self.details.into_iter().map(Value::Object).collect();
        // Parses values that were JSON.
        serde_json::to_string(&Kept { reasoning_details: details }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::ReasoningContent;

    use super::*;

    fn details(deltas: Value) -> Details {
        let mut details = Details::default();
        for delta in deltas.as_array().unwrap() {
            details.push(delta.as_object().unwrap().clone());
        }
        details
    }

    #[test]
    fn restores_details_unchanged() {
        let signature = details(json!([
            {"type": "reasoning.text", "index": 0, "text": "let ", "format": "f"},
            {"type": "reasoning.text", "index": 0, "text": "me", "signature": null},
            {"type": "reasoning.text", "index": 0, "signature": "sig"},
            {"type": "reasoning.encrypted", "index": 1, "data": "xyz", "id": "rs_1"},
        ]))
        .signature();
        let block = ContentBlock::Reasoning(ReasoningContent::text("let me", Some(signature)));
        let blocks = [Cow::Borrowed(&block)];
        assert_eq!(
            ReasoningReplay::Details.details(&blocks).unwrap(),
            [
                json!({"type": "reasoning.text", "index": 0, "text": "let me", "format": "f", "signature": "sig"}),
                json!({"type": "reasoning.encrypted", "index": 1, "data": "xyz", "id": "rs_1"}),
            ]
        );
        assert_eq!(ReasoningReplay::Content.content(&blocks).as_deref(), Some("let me"));
        assert_eq!(ReasoningReplay::Content.content(&[]).as_deref(), Some(""));
        assert_eq!(ReasoningReplay::Never.content(&blocks), None);
        assert_eq!(ReasoningReplay::Never.details(&blocks), None);
    }

    #[test]
    fn assembles_many_details_in_linear_time() {
        let mut details = Details::default();
        for index in (0..50_000).chain(0..50_000) {
            let delta = json!({"type": "reasoning.text", "index": index, "text": "x"});
            details.push(delta.as_object().unwrap().clone());
        }
        assert_eq!(details.details.len(), 50_000);
        assert!(details.details.iter().all(|detail| detail["text"] == "xx"));
    }

    #[test]
    fn omits_signatures_of_other_providers() {
        let block = ContentBlock::Reasoning(ReasoningContent::text("hm", Some("EqQBCkYIBxgCKkD".to_owned())));
        assert_eq!(ReasoningReplay::Details.details(&[Cow::Borrowed(&block)]), None);
    }
}
