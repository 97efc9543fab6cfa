//! Outputs of several parts: lists, maps, tuples and what may be absent.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::error::Error as StdError;
use std::hash::BuildHasher;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{IntoToolOutput, ToolError, ToolOutput};
use crate::message::ToolResultContent;

/// Returns outputs as one JSON array, or one after the other.
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

/// Returns parts as one JSON object, or one after the other, each behind its name.
fn named<T: IntoToolOutput>(parts: impl IntoIterator<Item = (String, T)>) -> Result<ToolOutput, ToolError> {
    let mut outputs = parts.into_iter().map(|(name, part)| part.into_tool_output().map(|output| (name, output)));
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
        $(impl<T: IntoToolOutput $(, $hasher: BuildHasher)?> IntoToolOutput for $map {
            const IS_DATA: bool = T::IS_DATA;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                named(self)
            }
        })+
    };
}

maps! {
    BTreeMap<String, T>;
    HashMap<String, T, S>, S;
    IndexMap<String, T, S>, S;
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

/// A result inside of another value. Of content, an error is that of the tool; of data, it is written as serde does.
impl<T: IntoToolOutput, E: Into<Box<dyn StdError + Send + Sync>>> IntoToolOutput for Result<T, E> {
    const IS_DATA: bool = T::IS_DATA;

    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        let field = |name: &str, value| ToolOutput::json(Value::Object(Map::from_iter([(name.to_owned(), value)])));
        match self {
            Ok(value) if T::IS_DATA => Ok(field("Ok", value.into_tool_output()?.into_value()?)),
            Ok(value) => value.into_tool_output(),
            Err(error) => {
                let error = ToolError::from_source(error);
                if T::IS_DATA && error.as_interrupt().is_none() {
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
                #[expect(non_snake_case, reason = "a part is named as its type")]
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
