//! One argument of a tool, erased from its type's traits: the schema and the decoding are made of the same value, so
//! they can't disagree.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::check::Check;
use super::diagnostics::ToolArg;
use crate::schema_check::{explained, read_as, words};
use crate::tool::ToolError;

/// How much of a message about one argument the model is told: the offending value may be as long as it likes.
const MAX_MESSAGE_CHARS: usize = 300;

/// An argument that the model supplies.
#[derive(Debug)]
pub struct Argument<T> {
    pub(super) name: &'static str,
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    decode: fn(&Value) -> Result<T, serde_json::Error>,
    absent: fn() -> Option<T>,
    default: Option<fn() -> T>,
    pub(super) checks: [Option<Check>; 3],
}

/// An argument of type `T` by this name.
pub fn argument<T: ToolArg>(name: &'static str) -> Argument<T> {
    Argument { name, schema: T::schema, decode: T::decode, absent: T::absent, default: None, checks: [None; 3] }
}

impl<T> Argument<T> {
    /// With a value that stands in for an absent one.
    #[must_use]
    pub fn or(mut self, default: fn() -> T) -> Self {
        self.default = Some(default);
        self
    }

    /// With a bound.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        if let Some(free) = self.checks.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(check);
        }
        self
    }

    /// What an absent argument is; `None` where it is required.
    pub(super) fn absent(&self) -> Option<T> {
        match self.default {
            Some(default) => Some(default()),
            None => (self.absent)(),
        }
    }

    pub(super) fn is_optional(&self) -> bool {
        self.default.is_some() || (self.absent)().is_some()
    }

    /// Reads the value, or says what is wrong with it.
    pub(super) fn read(&self, value: &Value) -> Result<T, String> {
        let named = |mistake: &str| format!("`{}`: {}", self.name, words::cut(mistake, MAX_MESSAGE_CHARS));
        let decoded = read_as(value, self.decode, || self.explain(value), named)?;
        match self.checks.iter().flatten().find_map(|check| check.refuse(value)) {
            Some(refusal) => Err(named(&refusal)),
            None => Ok(decoded),
        }
    }

    fn explain(&self, value: &Value) -> Option<String> {
        let mut generator = generator();
        let property = (self.schema)(&mut generator).to_value();
        let mut schema = Map::new();
        schema.insert("properties".to_owned(), Value::Object(Map::from_iter([(self.name.to_owned(), property)])));
        schema.insert("$defs".to_owned(), Value::Object(generator.take_definitions(true)));
        let named = Value::Object(Map::from_iter([(self.name.to_owned(), value.clone())]));
        explained(&Value::Object(schema), &named)
    }
}

/// The whole input as one type: `#[args]`.
#[derive(Debug)]
pub struct Whole<T> {
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    decode: fn(&Value) -> Result<T, serde_json::Error>,
}

/// The whole input as a `T`.
pub fn whole<T: ToolArg>() -> Whole<T> {
    Whole { schema: T::whole_schema, decode: T::decode }
}

impl<T> Whole<T> {
    /// Reads the input.
    ///
    /// # Errors
    ///
    /// [`ToolError::invalid_input`] that says what is wrong with it.
    pub fn read(&self, input: Value) -> Result<T, ToolError> {
        let input = if is_nothing(&input) { Value::Object(Map::new()) } else { input };
        let explain = || {
            let schema = super::spec_builder::whole_schema(self.schema, &mut generator());
            explained(&Value::Object(schema), &input)
        };
        read_as(&input, self.decode, explain, str::to_owned).map_err(ToolError::invalid_input)
    }
}

/// Schemas as tools show them: draft 2020-12 without the `$schema` that providers do not want.
pub(super) fn generator() -> SchemaGenerator {
    schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None).into_generator()
}

/// Models say "no arguments" in several ways.
pub(super) fn is_nothing(input: &Value) -> bool {
    match input {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}
