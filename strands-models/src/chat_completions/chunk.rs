//! Chunks of Chat Completions, with the fields that servers have added. Fields of another type are read where they have one
//! meaning.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::http::tolerant;

/// A chunk of a stream, or a document. Rare fields are boxed: a chunk is moved for every token.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "lowest_choice", rename = "choices")]
    pub(super) choice: Option<Choice>,
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) usage: Option<Box<Value>>,
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) error: Option<Box<Value>>,
    /// vLLM and Mistral send errors that are no field of a chunk, but stand in the place of one.
    #[serde(default, deserialize_with = "tolerant::text", rename = "object")]
    pub(super) kind: Option<String>,
    /// llama.cpp.
    pub(super) timings: Option<Box<Value>>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    /// The news of this chunk.
    #[serde(default, deserialize_with = "tolerant::structure")]
    pub(super) delta: Option<Delta>,
    /// The whole message of a document. Perplexity sends it beside `delta`, as far as it has come.
    #[serde(default, deserialize_with = "tolerant::structure")]
    pub(super) message: Option<Box<Delta>>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) finish_reason: Option<String>,
    /// Moonshot counts here, as well as beside the choices where it is asked to.
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) usage: Option<Box<Value>>,
    #[serde(default, deserialize_with = "tolerant::something")]
    pub(super) error: Option<Box<Value>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default, deserialize_with = "text_or_parts")]
    pub(super) content: Said,
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
    /// Images that the model has made: OpenRouter, and gateways like it.
    #[serde(default, deserialize_with = "tolerant::values")]
    pub(super) images: Vec<Value>,
}

impl Delta {
    /// True if there is nothing in it but its role.
    pub(super) fn is_empty(&self) -> bool {
        let is_none = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        matches!(self.content, Said::Nothing)
            && is_none(&self.refusal)
            && is_none(&self.reasoning_content)
            && is_none(&self.reasoning)
            && self.reasoning_details.is_empty()
            && self.tool_calls.is_empty()
            && self.annotations.is_empty()
            && self.images.is_empty()
    }

    /// True if this is the other one, with perhaps more text behind it.
    pub(super) fn continues(&self, other: &Self) -> bool {
        let goes_on = |now: &Option<String>, before: &Option<String>| {
            now.as_deref().unwrap_or_default().starts_with(before.as_deref().unwrap_or_default())
        };
        let text_goes_on = match (&self.content, &other.content) {
            (Said::Text(now), Said::Text(before)) => now.starts_with(before.as_str()),
            (Said::Text(_) | Said::Nothing, Said::Nothing) => true,
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

/// The choice with the lowest index.
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

        // No list is made of what is mostly one.
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

/// Content: text, or parts of which text is one kind.
#[derive(Default)]
pub(super) enum Said {
    #[default]
    Nothing,
    Text(String),
    Parts(Vec<Value>),
}

fn text_or_parts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Said, D::Error> {
    struct Content;

    impl<'de> Visitor<'de> for Content {
        type Value = Said;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text, or a list of parts")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Said, E> {
            self.visit_string(text.to_owned())
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<Said, E> {
            Ok(if text.is_empty() { Said::Nothing } else { Said::Text(text) })
        }

        fn visit_unit<E: de::Error>(self) -> Result<Said, E> {
            Ok(Said::Nothing)
        }

        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Said, E> {
            Ok(Said::Nothing)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Said, E> {
            Ok(Said::Text(number.to_string()))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Said, E> {
            Ok(Said::Text(number.to_string()))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Said, E> {
            Ok(Said::Text(number.to_string()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Said, A::Error> {
            let parts: Vec<Value> = Vec::deserialize(SeqAccessDeserializer::new(parts))?;
            Ok(if parts.is_empty() { Said::Nothing } else { Said::Parts(parts) })
        }

        fn visit_map<A: MapAccess<'de>>(self, part: A) -> Result<Said, A::Error> {
            let parts: Vec<Value> = tolerant::list(MapAccessDeserializer::new(part))?;
            Ok(if parts.is_empty() { Said::Nothing } else { Said::Parts(parts) })
        }
    }

    deserializer.deserialize_any(Content)
}
