//! Traits with diagnostics for types that fit nowhere: each stands in front of the actual bounds and explains them in one
//! message. Generated code uses each through a single function, so that rustc reports it once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::error::Error;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::absent::Absent;
use crate::tool::{FromContext, InjectedKey, IntoToolOutput, ToolContext, ToolError};

/// A type that the model can supply.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a tool argument",
    label = "the model can't supply this",
    note = "a model argument is read by serde and described by schemars: derive both, `Deserialize` and `JsonSchema`",
    note = "to receive something from your program or from the call's context instead, take it by reference: `&{Self}`"
)]
pub trait ToolArg: Sized {
    fn schema(generator: &mut SchemaGenerator) -> Schema;
    /// The schema itself, while `schema` may be a reference to `$defs`.
    fn whole_input_schema(generator: &mut SchemaGenerator) -> Schema;
    fn decode(value: &Value) -> Result<Self, serde_json::Error>;
    /// The value of an absent argument, for types that have one.
    fn absent() -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> ToolArg for T {
    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn whole_input_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }

    fn decode(value: &Value) -> Result<Self, serde_json::Error> {
        T::deserialize(value)
    }

    fn absent() -> Option<Self> {
        T::deserialize(Absent).ok()
    }
}

/// A type that the program can inject, for a `&T` argument.
#[diagnostic::on_unimplemented(
    message = "`&{Self}` cannot be a tool argument",
    label = "the program can't inject this",
    note = "a `&T` is an injected value, shared by tools on many threads: `T` must be `Send + Sync + 'static`, and of a known size",
    note = "for data of the model take the owned type, such as `PathBuf` for `&Path`; for a trait object take `&Arc<dyn Trait>`"
)]
pub trait InjectedArg {
    const KEY: InjectedKey;
    fn injected(ctx: &ToolContext) -> Result<&Self, ToolError>;
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> InjectedArg for T {
    const KEY: InjectedKey = InjectedKey::of::<T>();

    fn injected(ctx: &ToolContext) -> Result<&Self, ToolError> {
        ctx.injected()
    }
}

/// The key and the getter of a `&T` argument.
#[derive(Debug)]
pub struct Injected<T: ?Sized> {
    pub key: InjectedKey,
    pub get: for<'a> fn(&'a ToolContext) -> Result<&'a T, ToolError>,
}

/// Returns the key and the getter of a `&T` argument.
pub const fn injected<T: InjectedArg + ?Sized>() -> Injected<T> {
    Injected { key: T::KEY, get: T::injected }
}

/// A type that a `#[inject]` argument can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `#[inject]` argument",
    label = "the context does not have this",
    note = "owned injected arguments implement `FromContext`: `Arc<T>` of an injected value, `CancellationToken`, `AgentState`",
    note = "to borrow an injected value, take it by reference and without `#[inject]`: `&{Self}`"
)]
pub trait OwnedInjectedArg: Sized {
    fn take(ctx: &ToolContext) -> Result<Self, ToolError>;
    fn requires() -> Option<InjectedKey>;
}

#[diagnostic::do_not_recommend]
impl<T: FromContext> OwnedInjectedArg for T {
    fn take(ctx: &ToolContext) -> Result<Self, ToolError> {
        T::from_context(ctx)
    }

    fn requires() -> Option<InjectedKey> {
        <T as FromContext>::requires()
    }
}

/// The key and the getter of a `#[inject]` argument.
#[derive(Debug)]
pub struct OwnedInjected<T> {
    pub key: fn() -> Option<InjectedKey>,
    pub take: fn(&ToolContext) -> Result<T, ToolError>,
}

/// Returns the key and the getter of a `#[inject]` argument.
pub const fn owned_injected<T: OwnedInjectedArg>() -> OwnedInjected<T> {
    OwnedInjected { key: T::requires, take: T::take }
}

/// A type that a tool function can return, in addition to those that are `Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a `#[tool]` function",
    label = "this can't be sent to the model",
    note = "return text, `ToolOutput`, any `Serialize` or nothing, or a `Result` of one of these"
)]
pub trait ToolReturn: IntoToolOutput {}

#[diagnostic::do_not_recommend]
impl<T: IntoToolOutput> ToolReturn for T {}

/// A type that a tool function can fail with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a tool error",
    label = "this can't be sent to the model",
    note = "fail with any `std::error::Error + Send + Sync`, `ToolError`, `anyhow::Error`, `String` or `&str`"
)]
pub trait IntoToolError {
    fn into_tool_error(self) -> ToolError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error + Send + Sync>>> IntoToolError for E {
    fn into_tool_error(self) -> ToolError {
        ToolError::from_source(self)
    }
}

/// A return type with a schema to publish.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schema for `output` to publish",
    label = "schemars can't describe this",
    note = "derive `JsonSchema` for `{Self}`, or remove `output`"
)]
pub trait OutputSchema {
    fn output_schema(generator: &mut SchemaGenerator) -> Schema;
}

#[diagnostic::do_not_recommend]
impl<T: JsonSchema + ?Sized> OutputSchema for T {
    fn output_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A type that can be an `example` in a schema.
#[diagnostic::on_unimplemented(
    message = "an `example` of `{Self}` cannot be shown to the model",
    label = "serde can't serialize this",
    note = "derive `Serialize` for `{Self}`, or remove `example`"
)]
pub trait ExampleArg {
    fn to_json(&self) -> Option<Value>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> ExampleArg for T {
    fn to_json(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

/// Serializes an example to JSON.
pub fn example<T: ExampleArg>(value: &T) -> Option<Value> {
    value.to_json()
}

/// A type that can be created from a string literal.
#[diagnostic::on_unimplemented(
    message = "a string cannot be the `default` or the `example` of a `{Self}`",
    label = "this can't be created from a string",
    note = "write a value of the argument's type; strings are for types that implement `From<&str>`"
)]
pub trait TextArg {
    fn of_text(text: &'static str) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: From<&'static str>> TextArg for T {
    fn of_text(text: &'static str) -> Self {
        text.into()
    }
}

/// Converts a string literal to the argument's type.
pub fn of_text<T: TextArg>(text: &'static str) -> T {
    T::of_text(text)
}

/// A type that `range` can bound.
#[diagnostic::on_unimplemented(
    message = "`range` cannot bound a `{Self}`",
    label = "this is not a number",
    note = "`range` is for the numbers of the standard library and for `Option`s of them; validate other types in their `Deserialize`"
)]
pub trait RangeArg {}

/// The unit of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Characters,
    Items,
    Entries,
}

/// A type that `len` can bound.
#[diagnostic::on_unimplemented(
    message = "`len` cannot bound a `{Self}`",
    label = "this has no length",
    note = "`len` is for the strings, lists, sets and maps of the standard library and for `Option`s of them; validate other types in their `Deserialize`"
)]
pub trait LenArg {
    const COUNTED: Counted;
}

/// A type that `pattern` can bound.
#[diagnostic::on_unimplemented(
    message = "`pattern` cannot bound a `{Self}`",
    label = "this is not a string",
    note = "`pattern` is for `String`, `&str` and `Option`s of them; validate other types in their `Deserialize`"
)]
pub trait PatternArg {}

macro_rules! numbers {
    ($($number:ty)+) => {
        $(
            #[diagnostic::do_not_recommend]
            impl RangeArg for $number {}
        )+
    };
}

numbers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }

macro_rules! lengths {
    ($($counted:ident of <$($generics:ident),*> $ty:ty;)+) => {
        $(
            #[diagnostic::do_not_recommend]
            impl<$($generics),*> LenArg for $ty {
                const COUNTED: Counted = Counted::$counted;
            }
        )+
    };
}

lengths! {
    Characters of <> String;
    Characters of <> Box<str>;
    Characters of <> Arc<str>;
    Characters of <> std::borrow::Cow<'_, str>;
    Items of <T> Vec<T>;
    Items of <T> VecDeque<T>;
    Items of <T> Box<[T]>;
    Items of <T> BTreeSet<T>;
    Items of <T, S> HashSet<T, S>;
    Entries of <K, V> BTreeMap<K, V>;
    Entries of <K, V, S> HashMap<K, V, S>;
    Entries of <> serde_json::Map<String, Value>;
}

#[diagnostic::do_not_recommend]
impl PatternArg for String {}

#[diagnostic::do_not_recommend]
impl PatternArg for Box<str> {}

#[diagnostic::do_not_recommend]
impl PatternArg for Arc<str> {}

#[diagnostic::do_not_recommend]
impl PatternArg for std::borrow::Cow<'_, str> {}

#[diagnostic::do_not_recommend]
impl<T: RangeArg> RangeArg for Option<T> {}

#[diagnostic::do_not_recommend]
impl<T: LenArg> LenArg for Option<T> {
    const COUNTED: Counted = T::COUNTED;
}

#[diagnostic::do_not_recommend]
impl<T: PatternArg> PatternArg for Option<T> {}
