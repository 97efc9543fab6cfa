//! Chunks of Chat Completions, with fields that servers have added. Fields of another type are read if they have one
//! meaning.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::http::tolerant;

/// Chunk of a stream, or a document.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) choice: Option<Choice>,
    pub(super) usage: Option<Box<RawValue>>,
    pub(super) error: Option<Box<Value>>,
    /// True for an error in place of a chunk, as vLLM and Mistral send them.
    pub(super) is_error: bool,
    /// llama.cpp.
    pub(super) timings: Option<Box<RawValue>>,
}

#[derive(Default)]
pub(super) struct Choice {
    pub(super) index: Option<usize>,
    /// New content of this chunk.
    pub(super) delta: Option<Delta>,
    /// The whole message of a document. Perplexity sends it along with `delta`, with the content so far.
    pub(super) message: Option<Box<Delta>>,
    pub(super) finish_reason: Option<String>,
    /// Moonshot sends usage here, and on request also next to the choices.
    pub(super) usage: Option<Box<RawValue>>,
    pub(super) error: Option<Box<Value>>,
}

/// Content of a delta or a message. Rare content is boxed, because a delta is moved for every token.
#[derive(Default)]
pub(super) struct Delta {
    pub(super) content: MessageContent,
    pub(super) tool_calls: Vec<ToolCallDelta>,
    /// DeepSeek, vLLM, Moonshot.
    pub(super) reasoning_content: Option<String>,
    pub(super) rare: Option<Box<RareContent>>,
}

#[derive(Default)]
pub(super) struct RareContent {
    pub(super) refusal: Option<String>,
    /// OpenRouter, Groq.
    pub(super) reasoning: Option<String>,
    /// OpenRouter.
    pub(super) reasoning_details: Vec<Value>,
    pub(super) annotations: Vec<Value>,
    /// Generated images: OpenRouter, and similar gateways.
    pub(super) images: Vec<Value>,
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Field {
            Content,
            ToolCalls,
            ReasoningContent,
            Refusal,
            Reasoning,
            ReasoningDetails,
            Annotations,
            Images,
            #[serde(other)]
            Other,
        }

        struct Content;

        impl<'de> Visitor<'de> for Content {
            type Value = Delta;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a delta or a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Delta, A::Error> {
                let mut delta = Delta::default();
                while let Some(field) = fields.next_key()? {
                    match field {
                        Field::Content => delta.content = fields.next_value()?,
                        Field::ToolCalls => delta.tool_calls = fields.next_value::<ToolCalls>()?.0,
                        Field::ReasoningContent => delta.reasoning_content = text(&mut fields)?,
                        Field::Refusal => delta.set(text(&mut fields)?, |rare| &mut rare.refusal),
                        Field::Reasoning => delta.set(text(&mut fields)?, |rare| &mut rare.reasoning),
                        Field::ReasoningDetails => delta.add(values(&mut fields)?, |rare| &mut rare.reasoning_details),
                        Field::Annotations => delta.add(values(&mut fields)?, |rare| &mut rare.annotations),
                        Field::Images => delta.add(values(&mut fields)?, |rare| &mut rare.images),
                        Field::Other => {
                            fields.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(delta)
            }
        }

        deserializer.deserialize_map(Content)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct ToolCalls(#[serde(deserialize_with = "tolerant::list")] Vec<ToolCallDelta>);

fn text<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Option<String>, A::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text(#[serde(deserialize_with = "tolerant::text")] Option<String>);

    Ok(fields.next_value::<Text>()?.0)
}

fn values<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Vec<Value>, A::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Values(#[serde(deserialize_with = "tolerant::values")] Vec<Value>);

    Ok(fields.next_value::<Values>()?.0)
}

impl Delta {
    /// Sets a rare text, unless it is empty.
    fn set(&mut self, text: Option<String>, field: fn(&mut RareContent) -> &mut Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            *field(self.rare.get_or_insert_default()) = Some(text);
        }
    }

    /// Sets a rare list, unless it is empty.
    fn add(&mut self, values: Vec<Value>, field: fn(&mut RareContent) -> &mut Vec<Value>) {
        if !values.is_empty() {
            *field(self.rare.get_or_insert_default()) = values;
        }
    }

    /// Returns true if nothing but the role is set.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.content, MessageContent::Nothing)
            && self.tool_calls.is_empty()
            && self.reasoning_content.as_deref().is_none_or(str::is_empty)
            && self.rare.is_none()
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
        let rare_goes_on = other.rare.as_deref().is_none_or(|before| {
            let none = RareContent::default();
            let now = self.rare.as_deref().unwrap_or(&none);
            goes_on(&now.refusal, &before.refusal)
                && goes_on(&now.reasoning, &before.reasoning)
                && before.reasoning_details.is_empty()
                && before.annotations.is_empty()
                && before.images.is_empty()
        });
        text_goes_on
            && goes_on(&self.reasoning_content, &other.reasoning_content)
            && other.tool_calls.is_empty()
            && rare_goes_on
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

/// Parses choices, and sets the one with the lowest index, which is not moved: a chunk is parsed for every token.
pub(super) fn parse_choices(json: &str, lowest: &mut Option<Choice>) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_any(LowestChoice(lowest))?;
    deserializer.end()
}

/// Visitor of choices.
struct LowestChoice<'c>(&'c mut Option<Choice>);

impl<'de> Visitor<'de> for LowestChoice<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    // Avoids a list for what is usually one choice.
    fn visit_seq<A: SeqAccess<'de>>(self, mut choices: A) -> Result<(), A::Error> {
        let Self(lowest) = self;
        while lowest.is_none() {
            if choices.next_element_seed(NextChoice(lowest))?.is_none() {
                return Ok(());
            }
        }
        while let Some(choice) = choices.next_element::<Option<Choice>>()? {
            lower(lowest, choice);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, choices: A) -> Result<(), A::Error> {
        let choices: Vec<Choice> = tolerant::list(MapAccessDeserializer::new(choices))?;
        choices.into_iter().for_each(|choice| lower(self.0, Some(choice)));
        Ok(())
    }
}

fn lower(lowest: &mut Option<Choice>, other: Option<Choice>) {
    let index = |choice: &Option<Choice>| choice.as_ref().map(|choice| choice.index.unwrap_or_default());
    if other.is_some() && (lowest.is_none() || index(&other) < index(lowest)) {
        *lowest = other;
    }
}

/// Reads a choice in place. `null` is none.
struct NextChoice<'c>(&'c mut Option<Choice>);

impl<'de> DeserializeSeed<'de> for NextChoice<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NextChoice<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a choice")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Field {
            Index,
            Delta,
            Message,
            FinishReason,
            Usage,
            Error,
            #[serde(other)]
            Other,
        }

        let choice = self.0.insert(Choice::default());
        while let Some(field) = fields.next_key()? {
            match field {
                Field::Index => choice.index = fields.next_value::<Index>()?.0,
                Field::Delta => choice.delta = fields.next_value::<Structure<Delta>>()?.0,
                Field::Message => choice.message = fields.next_value::<Structure<Box<Delta>>>()?.0,
                Field::FinishReason => choice.finish_reason = text(&mut fields)?,
                Field::Usage => choice.usage = fields.next_value::<Unparsed>()?.0,
                Field::Error => choice.error = fields.next_value::<Something>()?.0,
                Field::Other => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut choice = None;
        deserializer.deserialize_map(NextChoice(&mut choice))?;
        Ok(choice.unwrap_or_default())
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Index(#[serde(deserialize_with = "tolerant::index")] Option<usize>);

#[derive(Deserialize)]
#[serde(transparent)]
#[serde(bound = "T: DeserializeOwned")]
struct Structure<T>(#[serde(deserialize_with = "tolerant::structure")] Option<T>);

#[derive(Deserialize)]
#[serde(transparent)]
struct Unparsed(#[serde(deserialize_with = "tolerant::unparsed")] Option<Box<RawValue>>);

#[derive(Deserialize)]
#[serde(transparent)]
struct Something(#[serde(deserialize_with = "tolerant::something")] Option<Box<Value>>);

/// Content: text, or a list of parts.
#[derive(Default)]
pub(super) enum MessageContent {
    #[default]
    Nothing,
    Text(String),
    Parts(Vec<Value>),
}

impl<'de> Deserialize<'de> for MessageContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
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
