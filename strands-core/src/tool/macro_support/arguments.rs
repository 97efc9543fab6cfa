//! Reads the arguments of one call: every mistake is collected, by name, so that the model can correct them at once.

use serde_json::{Map, Value};

use super::argument::{Argument, is_nothing};
use crate::schema_validation::words;
use crate::tool::ToolError;

/// Number of unknown arguments that are named.
const MAX_NAMED: usize = 8;

/// The arguments of one call.
#[derive(Debug)]
pub struct Arguments {
    given: Map<String, Value>,
    mistakes: Vec<String>,
    /// Nothing can be said about single arguments of what is no object.
    unreadable: bool,
    numeric_strings: bool,
}

impl Arguments {
    /// The arguments in `input`; null and empty text are none.
    pub fn new(input: Value) -> Self {
        let (given, unreadable) = match input {
            Value::Object(given) => (given, false),
            input => (Map::new(), !is_nothing(&input)),
        };
        let mistakes = if unreadable {
            vec!["the arguments must be a JSON object, such as {\"name\": \"value\"}".to_owned()]
        } else {
            Vec::new()
        };
        Self { given, mistakes, unreadable, numeric_strings: false }
    }

    /// With strings in place of numbers.
    #[must_use]
    pub fn with_numeric_strings(mut self) -> Self {
        self.numeric_strings = true;
        self
    }

    /// Takes one out; a mistake is kept for [`into_error`](Self::into_error).
    #[expect(clippy::needless_pass_by_value, reason = "generated code has no other use for it")]
    pub fn take<T>(&mut self, argument: Argument<T>) -> Option<T> {
        if self.unreadable {
            return None;
        }
        let value = self.given.shift_remove(argument.name);
        let given = match &value {
            // In strict modes the model must write every argument: null is how it leaves one out.
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

    /// Returns true if nothing is left, when all of `known` have been taken.
    pub fn knows(&mut self, known: &[&str]) -> bool {
        if self.given.is_empty() {
            return !self.unreadable;
        }
        let mut unknown: Vec<_> = self.given.keys().take(MAX_NAMED).map(|name| words::name(name)).collect();
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

    /// All mistakes.
    pub fn into_error(self) -> ToolError {
        ToolError::invalid_input(self.mistakes.join("; "))
    }
}

/// Reads the input of a tool without arguments.
///
/// # Errors
///
/// [`ToolError::invalid_input`] when it holds any.
pub fn no_arguments(input: Value) -> Result<(), ToolError> {
    let mut arguments = Arguments::new(input);
    if arguments.knows(&[]) { Ok(()) } else { Err(arguments.into_error()) }
}
