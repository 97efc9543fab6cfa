//! Conversion of a tool function's return value to a [`ToolOutput`]. Types decide, not their spelling, so aliases of
//! `Result` work (autoref specialization): a [`Tag`] of the type is called through as many references as there are
//! conversions, and method resolution picks the first one whose bounds hold.

use std::marker::PhantomData;

use serde::Serialize;
use serde_json::Value;

use super::argument::generator;
use super::diagnostics::{IntoToolError, OutputSchema, ToolReturn};
use crate::tool::output_parts::{joined, serialized};
use crate::tool::{IntoToolOutput, ToolError, ToolOutput};

/// A marker for a value of type `T`.
#[derive(Debug)]
pub struct Tag<T>(PhantomData<fn() -> T>);

impl<T> Tag<T> {
    #[expect(clippy::new_without_default, reason = "called by generated code only")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    pub const fn of(_: &T) -> Self {
        Self::new()
    }
}

/// First step, first choice: a `Result`, through any alias.
pub trait SplitResult<T, E> {
    fn split(&self, result: Result<T, E>) -> Result<T, ToolError>
    where
        E: IntoToolError;
}

impl<T, E> SplitResult<T, E> for &Tag<Result<T, E>> {
    fn split(&self, result: Result<T, E>) -> Result<T, ToolError>
    where
        E: IntoToolError,
    {
        result.map_err(IntoToolError::into_tool_error)
    }
}

/// First step, otherwise: a value.
pub trait SplitValue<T> {
    fn split(&self, value: T) -> Result<T, ToolError>;
}

impl<T> SplitValue<T> for Tag<T> {
    fn split(&self, value: T) -> Result<T, ToolError> {
        Ok(value)
    }
}

/// Second step, first choice: a type that implements `IntoToolOutput`.
pub trait ConvertExplicit<T> {
    fn convert(&self, value: T) -> Result<ToolOutput, ToolError>;
}

impl<T: IntoToolOutput> ConvertExplicit<T> for &&&&Tag<T> {
    fn convert(&self, value: T) -> Result<ToolOutput, ToolError> {
        value.into_tool_output().map(ToolOutput::or_null)
    }
}

/// Second step, second choice: serializable data together with an `IntoToolOutput`.
pub trait ConvertDataFirst<A, B> {
    fn convert(&self, value: (A, B)) -> Result<ToolOutput, ToolError>;
}

impl<A: Serialize, B: IntoToolOutput> ConvertDataFirst<A, B> for &&&Tag<(A, B)> {
    fn convert(&self, (data, value): (A, B)) -> Result<ToolOutput, ToolError> {
        joined(B::IS_DATA, [serialized(&data), value.into_tool_output()])
    }
}

/// Second step, third choice: the same in reverse order.
pub trait ConvertDataLast<A, B> {
    fn convert(&self, value: (A, B)) -> Result<ToolOutput, ToolError>;
}

impl<A: IntoToolOutput, B: Serialize> ConvertDataLast<A, B> for &&Tag<(A, B)> {
    fn convert(&self, (value, data): (A, B)) -> Result<ToolOutput, ToolError> {
        joined(A::IS_DATA, [value.into_tool_output(), serialized(&data)])
    }
}

/// Second step, fourth choice: serializable data.
pub trait ConvertSerialize<T> {
    fn convert(&self, value: T) -> Result<ToolOutput, ToolError>;
}

impl<T: Serialize> ConvertSerialize<T> for &Tag<T> {
    fn convert(&self, value: T) -> Result<ToolOutput, ToolError> {
        serialized(&value)
    }
}

/// Second step, otherwise: the method's own bound fails, with the message of [`ToolReturn`].
pub trait ConvertOther<T> {
    fn convert(&self, value: T) -> Result<ToolOutput, ToolError>
    where
        T: ToolReturn;
}

impl<T> ConvertOther<T> for Tag<T> {
    fn convert(&self, value: T) -> Result<ToolOutput, ToolError>
    where
        T: ToolReturn,
    {
        value.into_tool_output()
    }
}

/// A default that can be serialized for the schema.
pub trait JsonOfSerialize<T> {
    fn to_json(&self, value: &T) -> Option<Value>;
}

impl<T: Serialize> JsonOfSerialize<T> for &Tag<T> {
    fn to_json(&self, value: &T) -> Option<Value> {
        serde_json::to_value(value).ok()
    }
}

/// A default that can't be serialized.
pub trait JsonOfOther<T> {
    fn to_json(&self, value: &T) -> Option<Value>;
}

impl<T> JsonOfOther<T> for Tag<T> {
    fn to_json(&self, _: &T) -> Option<Value> {
        None
    }
}

/// The schema of a `Result`'s value.
pub trait SchemaOfResult<T> {
    fn output_schema(&self) -> Value
    where
        T: OutputSchema;
}

impl<T, E> SchemaOfResult<T> for &Tag<Result<T, E>> {
    fn output_schema(&self) -> Value
    where
        T: OutputSchema,
    {
        schema_of::<T>()
    }
}

/// The schema of any other value.
pub trait SchemaOfValue<T> {
    fn output_schema(&self) -> Value
    where
        T: OutputSchema;
}

impl<T> SchemaOfValue<T> for Tag<T> {
    fn output_schema(&self) -> Value
    where
        T: OutputSchema,
    {
        schema_of::<T>()
    }
}

fn schema_of<T: OutputSchema>() -> Value {
    let mut generator = generator();
    let settings = generator.settings().clone().for_serialize();
    generator = settings.into_generator();
    super::spec_builder::stand_alone(T::output_schema, &mut generator)
}
