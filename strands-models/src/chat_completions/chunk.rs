//! The pieces that an answer of Chat Completions comes in, with what servers have added to them.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::{Map, Value};

/// What is rare is boxed: one of these is moved about for every token.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "first_choice", rename = "choices")]
    pub(super) choice: Option<Choice>,
    pub(super) usage: Option<Box<Value>>,
    pub(super) error: Option<Box<Value>>,
    /// vLLM and Mistral send errors that are no field of a chunk, but stand in the place of one.
    #[serde(default, deserialize_with = "is_error", rename = "object")]
    pub(super) is_error: bool,
    /// llama.cpp.
    pub(super) timings: Option<Box<Value>>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(alias = "message")]
    pub(super) delta: Option<Delta>,
    pub(super) finish_reason: Option<String>,
    pub(super) error: Option<Box<Value>>,
}

#[derive(Deserialize)]
pub(super) struct Delta {
    #[serde(default, deserialize_with = "text_or_parts")]
    pub(super) content: Said,
    pub(super) refusal: Option<String>,
    /// DeepSeek, vLLM, Moonshot.
    pub(super) reasoning_content: Option<String>,
    /// OpenRouter, Groq.
    pub(super) reasoning: Option<String>,
    /// OpenRouter.
    pub(super) reasoning_details: Option<Vec<Map<String, Value>>>,
    pub(super) tool_calls: Option<Vec<CallPiece>>,
    pub(super) annotations: Option<Vec<Value>>,
}

#[derive(Deserialize)]
pub(super) struct CallPiece {
    pub(super) index: Option<usize>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
pub(super) struct FunctionPiece {
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "text_or_json")]
    pub(super) arguments: Option<String>,
}

/// Whoever asks for several answers at once gets the first.
fn first_choice<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Choice>, D::Error> {
    struct Choices;

    impl<'de> Visitor<'de> for Choices {
        type Value = Option<Choice>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of choices")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut choices: A) -> Result<Self::Value, A::Error> {
            let mut first = None;
            while let Some(choice) = choices.next_element::<Choice>()? {
                if choice.index == 0 {
                    first = Some(choice);
                }
            }
            Ok(first)
        }
    }

    deserializer.deserialize_any(Choices)
}

/// What an object says that it is, which is mostly a chunk.
fn is_error<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Named;

    impl<'de> Visitor<'de> for Named {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a kind of object")
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<bool, E> {
            Ok(name == "error")
        }

        fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
            Ok(false)
        }
    }

    deserializer.deserialize_any(Named)
}

/// Arguments are text with JSON in it; some servers send the JSON.
fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Arguments;

    impl<'de> Visitor<'de> for Arguments {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text, or an object")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
            Ok(Some(text))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            let map = Map::deserialize(de::value::MapAccessDeserializer::new(map))?;
            Ok(Some(Value::Object(map).to_string()))
        }
    }

    deserializer.deserialize_any(Arguments)
}

/// What is said: text, or parts of which text is one kind.
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

        fn visit_seq<A: de::SeqAccess<'de>>(self, parts: A) -> Result<Said, A::Error> {
            Vec::deserialize(de::value::SeqAccessDeserializer::new(parts)).map(Said::Parts)
        }
    }

    deserializer.deserialize_any(Content)
}
