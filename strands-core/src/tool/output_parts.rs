//! Outputs of composite values: lists, maps, tuples, options and results.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::error::Error as StdError;
use std::hash::BuildHasher;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{IntoToolOutput, ToolError, ToolOutput};
use crate::message::{
    AudioBlock, AudioFormat, DocumentBlock, ImageBlock, ImageFormat, ToolResultContent, VideoBlock, VideoFormat,
};

/// Joins outputs into one JSON array, or concatenates their content.
pub(super) fn joined(
    are_data: bool,
    outputs: impl IntoIterator<Item = Result<ToolOutput, ToolError>>,
) -> Result<ToolOutput, ToolError> {
    let mut outputs = outputs.into_iter();
    if are_data {
        let values: Result<Vec<Value>, ToolError> = outputs.map(|output| output?.into_value()).collect();
        return values.map(|values| ToolOutput::json(Value::Array(values)));
    }
    outputs.try_fold(ToolOutput::empty(), |mut all, output| {
        all.append(output?);
        Ok(all)
    })
}

/// Converts a serializable value. Content blocks in its tuples and lists stay content, where serde would write base64; a
/// value without any is one JSON value or a text.
pub(super) fn serialized(value: &impl Serialize) -> Result<ToolOutput, ToolError> {
    let json = serde_json::to_value(value).map_err(ToolError::from_source)?;
    if !holds_content(&json) {
        return ToolOutput::serialize(&json);
    }
    let mut output = ToolOutput::empty();
    push_parts(json, &mut output)?;
    Ok(output)
}

/// Appends a value, or the items of a list with content blocks in sequence.
fn push_parts(json: Value, output: &mut ToolOutput) -> Result<(), ToolError> {
    let is_list = holds_content(&json);
    match json {
        Value::Array(items) if is_list => items.into_iter().try_for_each(|item| push_parts(item, output)),
        json => {
            match block(&json) {
                Some(block) => output.push(block),
                None => output.append(ToolOutput::serialize(&json)?),
            }
            Ok(())
        }
    }
}

/// Reads a content block; `None` for data.
fn block(json: &Value) -> Option<ToolResultContent> {
    match medium(json)? {
        Medium::Image => ImageBlock::deserialize(json).ok().map(Into::into),
        Medium::Document => DocumentBlock::deserialize(json).ok().map(Into::into),
        Medium::Video => VideoBlock::deserialize(json).ok().map(Into::into),
        Medium::Audio => AudioBlock::deserialize(json).ok().map(Into::into),
    }
}

/// Returns true for a list with content blocks among its items.
fn holds_content(json: &Value) -> bool {
    json.as_array().is_some_and(|items| items.iter().any(|item| medium(item).is_some() || holds_content(item)))
}

/// Type of a content block.
enum Medium {
    Image,
    Document,
    Video,
    Audio,
}

/// Detects the type of a content block by its fields.
fn medium(json: &Value) -> Option<Medium> {
    let fields = json.as_object()?;
    let source = fields.get("source")?;
    source.pointer("/bytes/__bytes_encoded__").or_else(|| source.pointer("/location/type"))?;
    if fields.contains_key("name") {
        return Some(Medium::Document);
    }
    let format = fields.get("format")?.as_str()?;
    // Formats of both audio and video are those of video.
    match (ImageFormat::from(format), VideoFormat::from(format), AudioFormat::from(format)) {
        (ImageFormat::Other(_), VideoFormat::Other(_), AudioFormat::Other(_)) => None,
        (ImageFormat::Other(_), VideoFormat::Other(_), _) => Some(Medium::Audio),
        (ImageFormat::Other(_), ..) => Some(Medium::Video),
        _ => Some(Medium::Image),
    }
}

/// Joins named outputs into one JSON object, or concatenates their content, each after its name.
fn named<K: Serialize, T: IntoToolOutput>(parts: impl IntoIterator<Item = (K, T)>) -> Result<ToolOutput, ToolError> {
    let mut outputs = parts.into_iter().map(|(key, part)| Ok((name_of(&key)?, part.into_tool_output()?)));
    if T::IS_DATA {
        let fields: Result<Map<String, Value>, ToolError> =
            outputs.map(|field| field.and_then(|(name, output)| Ok((name, output.into_value()?)))).collect();
        return fields.map(|fields| ToolOutput::json(Value::Object(fields)));
    }
    outputs.try_fold(ToolOutput::empty(), |mut all, output| {
        let (name, output) = output?;
        all.push(ToolResultContent::Text(name));
        all.append(output);
        Ok(all)
    })
}

/// Formats a key as serde formats those of an object.
fn name_of(key: &impl Serialize) -> Result<String, ToolError> {
    match serde_json::to_value(key).map_err(ToolError::from_source)? {
        Value::String(name) => Ok(name),
        key @ (Value::Number(_) | Value::Bool(_)) => Ok(key.to_string()),
        _ => Err(ToolError::new("a map in a tool result must have strings, numbers or booleans as its keys")),
    }
}

macro_rules! lists {
    ($(<$($generics:ident),* $(; const $len:ident)?> $list:ty;)+) => {
        $(impl<$($generics: IntoToolOutput,)* $(const $len: usize)?> IntoToolOutput for $list {
            const IS_DATA: bool = T::IS_DATA;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                joined(T::IS_DATA, self.into_iter().map(T::into_tool_output))
            }
        })+
    };
}

lists! {
    <T> Vec<T>;
    <T> VecDeque<T>;
    <T> Box<[T]>;
    <T; const N> [T; N];
}

impl<T: IntoToolOutput + Clone> IntoToolOutput for &[T] {
    const IS_DATA: bool = T::IS_DATA;

    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        joined(T::IS_DATA, self.iter().cloned().map(T::into_tool_output))
    }
}

macro_rules! maps {
    ($($map:ty $(, $hasher:ident)?;)+) => {
        $(impl<K: Serialize, T: IntoToolOutput $(, $hasher: BuildHasher)?> IntoToolOutput for $map {
            const IS_DATA: bool = T::IS_DATA;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                named(self)
            }
        })+
    };
}

maps! {
    BTreeMap<K, T>;
    HashMap<K, T, S>, S;
    IndexMap<K, T, S>, S;
}

impl<T: IntoToolOutput> IntoToolOutput for Option<T> {
    const IS_DATA: bool = T::IS_DATA;

    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        match self {
            Some(value) => value.into_tool_output(),
            None if T::IS_DATA => Ok(ToolOutput::json(Value::Null)),
            None => Ok(ToolOutput::empty()),
        }
    }
}

/// A nested result. For content, its error is that of the tool; for data, it is serialized like serde does.
impl<T: IntoToolOutput, E: Into<Box<dyn StdError + Send + Sync>>> IntoToolOutput for Result<T, E> {
    const IS_DATA: bool = T::IS_DATA;

    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        let field = |name: &str, value| ToolOutput::json(Value::Object(Map::from_iter([(name.to_owned(), value)])));
        match self {
            Ok(value) if T::IS_DATA => Ok(field("Ok", value.into_tool_output()?.into_value()?)),
            Ok(value) => value.into_tool_output(),
            Err(error) => {
                let error = ToolError::from_source(error);
                if T::IS_DATA && !error.is_interrupt() {
                    return Ok(field("Err", Value::String(error.to_string())));
                }
                Err(error)
            }
        }
    }
}

macro_rules! holders {
    ($(<$($lifetime:lifetime,)? T: $($bound:ident)|+> $holder:ty: $value:pat => $inner:expr;)+) => {
        $(impl<$($lifetime,)? T: $($bound +)+> IntoToolOutput for $holder {
            const IS_DATA: bool = T::IS_DATA;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                let $value = self;
                $inner.into_tool_output()
            }
        })+
    };
}

holders! {
    <T: IntoToolOutput> Box<T>: value => *value;
    <T: IntoToolOutput | Clone> Arc<T>: value => Self::unwrap_or_clone(value);
    <T: IntoToolOutput | Clone> &T: value => value.clone();
    <'a, T: IntoToolOutput | Clone> Cow<'a, T>: value => value.into_owned();
}

macro_rules! tuples {
    ($($($part:ident)+;)+) => {
        $(impl<$($part: IntoToolOutput),+> IntoToolOutput for ($($part,)+) {
            const IS_DATA: bool = $($part::IS_DATA)&&+;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                #[expect(non_snake_case, reason = "a variable has the name of its type")]
                let ($($part,)+) = self;
                joined(Self::IS_DATA, [$($part.into_tool_output()),+])
            }
        })+
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}
