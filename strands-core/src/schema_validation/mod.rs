//! Validation of JSON against a JSON Schema (draft 2020-12), for tool arguments and structured output.
//!
//! This is a custom implementation in two steps: a schema is compiled to a [`Validator`] when a tool is registered, and each
//! call is one walk over the arguments. Reasons against a library, measured with default features: `jsonschema` 0.61 adds
//! 48 crates to the 43 that this crate compiles, `boon` 0.6 adds 44, and neither gives the guarantees that arguments from a
//! model need:
//!
//! - **Nothing is skipped.** An unsupported keyword, type or pattern is a [`JsonSchemaError`] when the tool is registered,
//!   and arguments over a limit are rejected with a message that says so.
//! - **Linear time.** No part of a value is validated twice against the same schema, `uniqueItems` hashes, and patterns never
//!   backtrack.
//! - **Messages for models**: of bounded length, with the path of each mistake and the expected form. The alternatives of a
//!   union are distinguished by their tag.
//!
//! All keywords of the draft that restrict values are supported, except for references to other documents. `format` and the
//! `content..` keywords are annotations, and unknown keywords are ignored.

mod compile;
mod equality;
mod error;
mod format;
mod node;
mod number;
mod path;
mod pattern;
pub(crate) mod quoting;
mod typed;
mod uri;
mod walk;

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::depth;
use node::Compiled;
use walk::{Purpose, Walk};

pub use error::{JsonSchemaError, JsonSchemaErrorKind};
pub(crate) use pattern::Pattern;
pub(crate) use typed::read_as;

/// A compiled schema.
pub(crate) struct Validator(Compiled);

impl Validator {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// Returns [`JsonSchemaError`] if the schema is not supported.
    pub(crate) fn new(schema: &Value) -> Result<Self, JsonSchemaError> {
        compile::compile(schema).map(Self)
    }

    /// Validates a value.
    ///
    /// # Errors
    ///
    /// Returns the mistakes with their paths, for the model to correct.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        check_depth(value)?;
        if self.walk(value, Purpose::Check)?.0 {
            return Ok(());
        }
        Err(joined(self.walk(value, Purpose::Report)?.1))
    }

    /// Returns the mistakes in a value that its type has rejected: violations of the schema, or strings without the format
    /// that the schema mentions.
    pub(crate) fn explain(&self, value: &Value) -> Option<String> {
        self.check(value).err().or_else(|| self.format_mistakes(value))
    }

    fn format_mistakes(&self, value: &Value) -> Option<String> {
        check_depth(value).ok()?;
        let mut walk = Walk::new(&self.0, Purpose::Report, true);
        let fits = walk.root(value);
        (!fits && walk.limit.is_none()).then(|| joined(walk.mistakes))
    }

    /// Returns the value with strings converted to numbers, wherever the schema allows a number and not a string. Returns
    /// `None` if there is no such string.
    pub(crate) fn with_numbers(&self, value: &Value) -> Option<Value> {
        check_depth(value).ok()?;
        if self.walk(value, Purpose::Check).ok()?.0 {
            return None;
        }
        let (_, mistakes) = self.walk(value, Purpose::NumericStrings).ok()?;
        let mut changed = None;
        for pointer in mistakes.into_iter().filter_map(|mistake| mistake.numeric_string) {
            let Some(number) = value.pointer(&pointer).and_then(Value::as_str).and_then(walk::numeric) else {
                continue;
            };
            if let Some(place) = changed.get_or_insert_with(|| value.clone()).pointer_mut(&pointer) {
                *place = number;
            }
        }
        changed
    }

    fn walk(&self, value: &Value, purpose: Purpose) -> Result<(bool, Vec<walk::Mistake>), String> {
        let mut walk = Walk::new(&self.0, purpose, false);
        let fits = walk.root(value);
        match walk.limit {
            Some(limit) => Err(format!("they {limit}")),
            None => Ok((fits, walk.mistakes)),
        }
    }
}

fn check_depth(value: &Value) -> Result<(), String> {
    depth::check(value).map_err(|_| format!("they nest deeper than {} levels; make them flatter", depth::MAX_DEPTH))
}

/// Joins the mistakes, without repetition.
fn joined(mistakes: Vec<walk::Mistake>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for mistake in mistakes {
        if !texts.contains(&mistake.text) {
            texts.push(mistake.text);
        }
    }
    if texts.is_empty() { "it does not fit the schema".to_owned() } else { texts.join("; ") }
}
