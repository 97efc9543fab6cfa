//! One argument of a tool, erased from its type's traits: the schema and the decoding are made of the same value, so
//! they can't disagree.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::check::Check;
use super::diagnostics::ToolArg;
use crate::tool::{ToolError, check_schema};

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
        let decoded = (self.decode)(value).or_else(|error| {
            // JSON has one kind of number, and 3.0 is an integer to a schema.
            whole_numbers(value).and_then(|value| (self.decode)(&value).ok()).ok_or(error)
        });
        let decoded = decoded.map_err(|error| self.explain(value, &error))?;
        match self.checks.iter().flatten().find_map(|check| check.refuse(value)) {
            Some(refusal) => Err(format!("`{}`: {}", self.name, shortened(&refusal))),
            None => Ok(decoded),
        }
    }

    /// serde says what is wrong, but within a list or an object it does not say where; the schema knows.
    fn explain(&self, value: &Value, error: &serde_json::Error) -> String {
        if value.is_array() || value.is_object() {
            let mut generator = generator();
            let property = (self.schema)(&mut generator).to_value();
            let mut root = Map::new();
            root.insert("properties".to_owned(), Value::Object(Map::from_iter([(self.name.to_owned(), property)])));
            root.insert("$defs".to_owned(), Value::Object(generator.take_definitions(true)));
            let named = Value::Object(Map::from_iter([(self.name.to_owned(), value.clone())]));
            if let Err(mistakes) = check_schema(&Value::Object(root), &named) {
                return shortened(&mistakes);
            }
        }
        format!("`{}`: {}", self.name, shortened(&error.to_string()))
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
        let decoded = (self.decode)(&input)
            .or_else(|error| whole_numbers(&input).and_then(|input| (self.decode)(&input).ok()).ok_or(error));
        decoded.map_err(|error| {
            let mut generator = generator();
            let schema = super::spec_builder::whole_schema(self.schema, &mut generator);
            let mistakes = check_schema(&Value::Object(schema), &input).err();
            ToolError::invalid_input(shortened(&mistakes.unwrap_or_else(|| error.to_string())))
        })
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

/// The same value with `3` for every `3.0`; `None` where there is none.
fn whole_numbers(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.is_f64() => {
            let fraction = number.as_f64()?;
            // Beyond 2^53 a fraction is not exact, so neither would the integer be.
            let is_exact = fraction.fract() == 0.0 && fraction.abs() <= 9_007_199_254_740_992.0;
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number within range")]
            is_exact.then_some(Value::from(fraction as i64))
        }
        Value::Array(items) => {
            let changed: Vec<_> = items.iter().map(whole_numbers).collect();
            changed.iter().any(Option::is_some).then(|| {
                changed.into_iter().zip(items).map(|(changed, item)| changed.unwrap_or_else(|| item.clone())).collect()
            })
        }
        Value::Object(entries) => {
            let changed: Vec<_> = entries.values().map(whole_numbers).collect();
            changed.iter().any(Option::is_some).then(|| {
                let values = changed.into_iter().zip(entries);
                values
                    .map(|(changed, (name, value))| (name.clone(), changed.unwrap_or_else(|| value.clone())))
                    .collect()
            })
        }
        _ => None,
    }
}

fn shortened(message: &str) -> String {
    let mut short: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    if short.len() < message.len() {
        short.push('…');
    }
    short
}
