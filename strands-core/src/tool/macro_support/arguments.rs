//! Reading of a call's arguments. Mistakes are collected by name, so that the model can correct all of them at once.

use serde_json::{Map, Value};

use super::argument::{Argument, is_empty_input};
use crate::schema_validation::quoting;
use crate::tool::ToolError;

/// Number of unknown arguments that are listed by name.
const MAX_NAMED: usize = 8;

/// The arguments of one call.
#[derive(Debug)]
pub struct Arguments {
    given: Map<String, Value>,
    mistakes: Vec<String>,
    /// True for an input that is not an object, so that single arguments can't be checked.
    unreadable: bool,
    numeric_strings: bool,
}

impl Arguments {
    /// Creates the arguments of an input. Null and empty text mean no arguments.
    pub fn new(input: Value) -> Self {
        let (given, unreadable) = match input {
            Value::Object(given) => (given, false),
            input => (Map::new(), !is_empty_input(&input)),
        };
        let mistakes = if unreadable {
            vec!["the arguments must be a JSON object, such as {\"name\": \"value\"}".to_owned()]
        } else {
            Vec::new()
        };
        Self { given, mistakes, unreadable, numeric_strings: false }
    }

    /// Accepts strings in place of numbers.
    #[must_use]
    pub fn with_numeric_strings(mut self) -> Self {
        self.numeric_strings = true;
        self
    }

    /// Takes an argument. Mistakes are collected for [`into_error`](Self::into_error).
    #[expect(clippy::needless_pass_by_value, reason = "generated code has no other use for it")]
    pub fn take<T>(&mut self, argument: Argument<T>) -> Option<T> {
        if self.unreadable {
            return None;
        }
        let value = self.given.shift_remove(argument.name);
        let given = match &value {
            // In strict modes the model must generate every argument: null stands for an absent one.
            None | Some(Value::Null) => argument.absent().ok_or(value.as_ref()),
            Some(value) => Err(Some(value)),
        };
        let read = match given {
            Ok(absent) => Ok(absent),
            Err(None) => Err(format!("`{}`: required", argument.name)),
            Err(Some(value)) => argument.read(value, self.numeric_strings),
        };
        read.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    /// Returns true if all arguments have been owned_injected, and records those that remain as unknown.
    pub fn has_no_unknown(&mut self, known: &[&str]) -> bool {
        if self.given.is_empty() {
            return !self.unreadable;
        }
        let mut unknown: Vec<_> = self.given.keys().take(MAX_NAMED).map(|name| quoting::name(name)).collect();
        if self.given.len() > MAX_NAMED {
            unknown.push("…".to_owned());
        }
        let known = match known {
            [] => "this tool takes no arguments".to_owned(),
            known => format!("expected `{}`", known.join("`, `")),
        };
        self.mistakes.push(format!("unknown {}; {known}", unknown.join(", ")));
        false
    }

    /// Returns all mistakes as one error.
    pub fn into_error(self) -> ToolError {
        ToolError::invalid_input(self.mistakes.join("; "))
    }
}

/// Reads the input of a tool without arguments.
///
/// # Errors
///
/// Returns [`ToolError::invalid_input`] if it has any.
pub fn no_arguments(input: Value) -> Result<(), ToolError> {
    let mut arguments = Arguments::new(input);
    if arguments.has_no_unknown(&[]) { Ok(()) } else { Err(arguments.into_error()) }
}
