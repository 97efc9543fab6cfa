//! Chunks of Chat Completions, with fields that servers have added. Fields of another type are read if they have one
//! meaning.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::http::tolerant;

/// Chunk of a stream, or a document. Rare fields are boxed, because a chunk is moved for every token.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "lowest_choice", rename = "choices")]
    pub(super) choice: Option<Choice>,
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) usage: Option<Box<Value>>,
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) error: Option<Box<Value>>,
    /// vLLM and Mistral send errors in place of a chunk, not in a field of one.
    #[serde(default, deserialize_with = "tolerant::text", rename = "object")]
    pub(super) kind: Option<String>,
    /// llama.cpp.
    pub(super) timings: Option<Box<Value>>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    /// New content of this chunk.
    #[serde(default, deserialize_with = "tolerant::structure")]
    pub(super) delta: Option<Delta>,
    /// The whole message of a document. Perplexity sends it along with `delta`, with the content so far.
    #[serde(default, deserialize_with = "tolerant::structure")]
    pub(super) message: Option<Box<Delta>>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) finish_reason: Option<String>,
    /// Moonshot sends usage here, and on request also next to the choices.
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) usage: Option<Box<Value>>,
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) error: Option<Box<Value>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default, deserialize_with = "text_or_parts")]
    pub(super) content: MessageContent,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) refusal: Option<String>,
    /// DeepSeek, vLLM, Moonshot.
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) reasoning_content: Option<String>,
    /// OpenRouter, Groq.
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) reasoning: Option<String>,
    /// OpenRouter.
    #[serde(default, deserialize_with = "tolerant::values")]
    pub(super) reasoning_details: Vec<Value>,
    #[serde(default, deserialize_with = "tolerant::list")]
    pub(super) tool_calls: Vec<ToolCallDelta>,
    #[serde(default, deserialize_with = "tolerant::values")]
    pub(super) annotations: Vec<Value>,
    /// Generated images: OpenRouter, and similar gateways.
    #[serde(default, deserialize_with = "tolerant::values")]
    pub(super) images: Vec<Value>,
}

impl Delta {
    /// Returns true if nothing but the role is set.
    pub(super) fn is_empty(&self) -> bool {
        let is_none = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        matches!(self.content, MessageContent::Nothing)
            && is_none(&self.refusal)
            && is_none(&self.reasoning_content)
            && is_none(&self.reasoning)
            && self.reasoning_details.is_empty()
            && self.tool_calls.is_empty()
            && self.annotations.is_empty()
            && self.images.is_empty()
    }

    /// Returns true if this message repeats the other one, with or without additional text at the end.
    pub(super) fn continues(&self, other: &Self) -> bool {
        let goes_on = |now: &Option<String>, before: &Option<String>| {
            now.as_deref().unwrap_or_default().starts_with(before.as_deref().unwrap_or_default())
        };
        let text_goes_on = match (&self.content, &other.content) {
            (MessageContent::Text(now), MessageContent::Text(before)) => now.starts_with(before.as_str()),
            (MessageContent::Text(_) | MessageContent::Nothing, MessageContent::Nothing) => true,
            _ => false,
        };
        text_goes_on
            && goes_on(&self.refusal, &other.refusal)
            && goes_on(&self.reasoning_content, &other.reasoning_content)
            && goes_on(&self.reasoning, &other.reasoning)
            && other.reasoning_details.is_empty()
            && other.tool_calls.is_empty()
            && other.annotations.is_empty()
            && other.images.is_empty()
    }
}

#[derive(Default, Deserialize)]
pub(super) struct ToolCallDelta {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::structure")]
    pub(super) function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
pub(super) struct FunctionPiece {
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "tolerant::arguments")]
    pub(super) arguments: Option<String>,
}

/// Returns the choice with the lowest index.
fn lowest_choice<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Choice>, D::Error> {
    struct Choices;

    impl<'de> Visitor<'de> for Choices {
        type Value = Option<Choice>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of choices")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        // Avoids a list for what is usually one choice.
        fn visit_seq<A: SeqAccess<'de>>(self, mut choices: A) -> Result<Self::Value, A::Error> {
            let mut lowest = None;
            while let Some(choice) = choices.next_element::<Option<Choice>>()? {
                lowest = lower(lowest, choice);
            }
            Ok(lowest)
        }

        fn visit_map<A: MapAccess<'de>>(self, choices: A) -> Result<Self::Value, A::Error> {
            let choices: Vec<Choice> = tolerant::list(MapAccessDeserializer::new(choices))?;
            Ok(choices.into_iter().fold(None, |lowest, choice| lower(lowest, Some(choice))))
        }
    }

    deserializer.deserialize_any(Choices)
}

fn lower(one: Option<Choice>, other: Option<Choice>) -> Option<Choice> {
    match (one, other) {
        (Some(one), Some(other)) if other.index.unwrap_or_default() < one.index.unwrap_or_default() => Some(other),
        (one, other) => one.or(other),
    }
}

/// Content: text, or a list of parts.
#[derive(Default)]
pub(super) enum MessageContent {
    #[default]
    Nothing,
    Text(String),
    Parts(Vec<Value>),
}

fn text_or_parts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MessageContent, D::Error> {
    struct Content;

    impl<'de> Visitor<'de> for Content {
        type Value = MessageContent;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text, or a list of parts")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<MessageContent, E> {
            self.visit_string(text.to_owned())
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<MessageContent, E> {
            Ok(if text.is_empty() { MessageContent::Nothing } else { MessageContent::Text(text) })
        }

        fn visit_unit<E: de::Error>(self) -> Result<MessageContent, E> {
            Ok(MessageContent::Nothing)
        }

        fn visit_bool<E: de::Error>(self, _: bool) -> Result<MessageContent, E> {
            Ok(MessageContent::Nothing)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<MessageContent, E> {
            Ok(MessageContent::Text(number.to_string()))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<MessageContent, E> {
            Ok(MessageContent::Text(number.to_string()))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<MessageContent, E> {
            Ok(MessageContent::Text(number.to_string()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<MessageContent, A::Error> {
            let parts: Vec<Value> = Vec::deserialize(SeqAccessDeserializer::new(parts))?;
            Ok(if parts.is_empty() { MessageContent::Nothing } else { MessageContent::Parts(parts) })
        }

        fn visit_map<A: MapAccess<'de>>(self, part: A) -> Result<MessageContent, A::Error> {
            let parts: Vec<Value> = tolerant::list(MapAccessDeserializer::new(part))?;
            Ok(if parts.is_empty() { MessageContent::Nothing } else { MessageContent::Parts(parts) })
        }
    }

    deserializer.deserialize_any(Content)
}
