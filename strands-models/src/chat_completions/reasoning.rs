//! Reasoning in Chat Completions: no part of OpenAI's protocol, and each server has its own form for it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::ContentBlock;

/// Form in which a server wants a model's reasoning back with the assistant message that it led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
// Only the builders of `openai` let a program choose it.
#[cfg_attr(not(feature = "openai"), allow(unreachable_pub))]
pub enum ReasoningReplay {
    /// Not at all: OpenAI refuses it, and most servers ignore it.
    #[default]
    Never,
    /// As text in `reasoning_content`: DeepSeek, Moonshot, Z.ai, vLLM, llama.cpp. Every assistant message has the field, also
    /// those of other models: it is empty where there is no reasoning, because thinking models of DeepSeek and Moonshot refuse
    /// a conversation that lacks it somewhere.
    Content,
    /// As the `reasoning_details` that the server sent, signatures and encrypted parts included: OpenRouter.
    Details,
    /// As a part of the content, of the type `thinking`: Mistral.
    Parts,
}

impl ReasoningReplay {
    /// `reasoning_content` of an assistant message with these blocks, which may be empty.
    pub(crate) fn content(self, blocks: &[Cow<'_, ContentBlock>]) -> Option<String> {
        let words = blocks.iter().filter_map(|block| match &**block {
            ContentBlock::Reasoning(reasoning) => Some(reasoning.reasoning_text.as_ref()?.text.as_str()),
            _ => None,
        });
        (self == Self::Content).then(|| words.collect())
    }

    /// `reasoning_details` of an assistant message with these blocks.
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

/// The signature of reasoning: the details as the server sent them. No other provider's signature reads so.
#[derive(Serialize, Deserialize)]
struct Kept {
    reasoning_details: Vec<Value>,
}

/// The details of an answer, put together from their pieces.
#[derive(Debug, Default)]
pub(crate) struct Details(Vec<Map<String, Value>>);

impl Details {
    /// Takes in a piece. Pieces of one detail have its index and its type.
    pub(crate) fn push(&mut self, piece: Map<String, Value>) {
        let is_same =
            |known: &&mut Map<String, Value>| ["index", "type"].iter().all(|name| known.get(*name) == piece.get(*name));
        // What has no index is a detail by itself, and none of the others need be looked at.
        let last = piece.contains_key("index").then(|| self.0.iter_mut().rev().find(is_same)).flatten();
        let Some(known) = last else {
            return self.0.push(piece);
        };
        for (name, value) in piece {
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

    /// The signature that holds them.
    pub(crate) fn signature(self) -> String {
        let details = self.0.into_iter().map(Value::Object).collect();
        // Values that were JSON are JSON.
        serde_json::to_string(&Kept { reasoning_details: details }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::ReasoningContent;

    use super::*;

    fn details(pieces: Value) -> Details {
        let mut details = Details::default();
        for piece in pieces.as_array().unwrap() {
            details.push(piece.as_object().unwrap().clone());
        }
        details
    }

    #[test]
    fn details_come_back_as_they_were_sent() {
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
    fn signatures_of_others_stay_behind() {
        let block = ContentBlock::Reasoning(ReasoningContent::text("hm", Some("EqQBCkYIBxgCKkD".to_owned())));
        assert_eq!(ReasoningReplay::Details.details(&[Cow::Borrowed(&block)]), None);
    }
}
