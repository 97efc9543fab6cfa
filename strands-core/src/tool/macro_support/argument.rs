//! A tool's argument, erased from its type's traits. Schema and decoding come from the same value, so that they can't
//! disagree.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::check::Check;
use super::diagnostics::ToolArg;
use super::spec_builder::whole_input_schema;
use crate::schema_validation::{Validator, quoting, read_as};
use crate::tool::ToolError;

/// Characters of a message about one argument, since the offending value may be of any length.
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

/// Creates an argument of type `T`.
pub fn argument<T: ToolArg>(name: &'static str) -> Argument<T> {
    Argument { name, schema: T::schema, decode: T::decode, absent: T::absent, default: None, checks: [None; 3] }
}

impl<T> Argument<T> {
    /// Sets the default for an absent argument.
    #[must_use]
    pub fn or(mut self, default: fn() -> T) -> Self {
        self.default = Some(default);
        self
    }

    /// Adds a bound.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        if let Some(free) = self.checks.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(check);
        }
        self
    }

    /// Returns the value of an absent argument, or `None` if it is required.
    pub(super) fn absent(&self) -> Option<T> {
        match self.default {
            Some(default) => Some(default()),
            None => (self.absent)(),
        }
    }

    pub(super) fn is_optional(&self) -> bool {
        self.default.is_some() || (self.absent)().is_some()
    }

    /// Reads the value, or returns the mistake in it.
    pub(super) fn read(&self, value: &Value, numeric_strings: bool) -> Result<T, String> {
        let decode = |value: &Value| {
            let decoded = (self.decode)(value)?;
            Ok((decoded, self.checks.iter().flatten().find_map(|check| check.mistake(value))))
        };
        let (decoded, mistake) =
            read_as(value, self.name, numeric_strings, decode, || validator(self.name, self.schema))?;
        match mistake {
            Some(mistake) => Err(format!("`{}`: {}", self.name, quoting::truncated(&mistake, MAX_MESSAGE_CHARS))),
            None => Ok(decoded),
        }
    }
}

/// Compiles the schema of an object with this argument.
fn validator(name: &str, schema: fn(&mut SchemaGenerator) -> Schema) -> Option<Validator> {
    let mut generator = generator();
    let property = schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    Validator::new(&json!({"properties": {name: property}, "$defs": definitions})).ok()
}

/// The whole input as one type: `#[args]`.
#[derive(Debug)]
pub struct WholeInput<T> {
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    decode: fn(&Value) -> Result<T, serde_json::Error>,
    numeric_strings: bool,
}

/// Reads the whole input as a `T`.
pub fn whole_input<T: ToolArg>() -> WholeInput<T> {
    WholeInput { schema: T::whole_input_schema, decode: T::decode, numeric_strings: false }
}

impl<T> WholeInput<T> {
    /// Accepts strings in place of numbers.
    #[must_use]
    pub fn with_numeric_strings(mut self) -> Self {
        self.numeric_strings = true;
        self
    }

    /// Reads the input.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError::invalid_input`] with the mistakes.
    pub fn read(&self, input: Value) -> Result<T, ToolError> {
        let input = if is_empty_input(&input) { Value::Object(Map::new()) } else { input };
        let validator = || Validator::new(&Value::Object(whole_input_schema(self.schema, &mut generator()))).ok();
        read_as(&input, "", self.numeric_strings, self.decode, validator).map_err(ToolError::invalid_input)
    }
}

/// Creates a generator of draft 2020-12 schemas without `$schema`, which providers reject.
pub(super) fn generator() -> SchemaGenerator {
    schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None).into_generator()
}

/// Returns true for the several ways in which models leave out all arguments.
pub(super) fn is_empty_input(input: &Value) -> bool {
    match input {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}
