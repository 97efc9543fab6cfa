//! Errors of compiling a schema.

use std::fmt;

use crate::schema::malformed::meant_type;

/// The most characters of the schema's text that an error quotes.
const MAX_QUOTED: usize = 80;

/// An error of a JSON Schema that can't be compiled for validation.
///
/// See [`ToolSchemaError`](crate::schema::ToolSchemaError) for a schema that can't be that of a tool's arguments.
///
/// # Examples
///
/// ```
/// use std::borrow::Cow;
///
/// use strands::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
/// use strands::{Deserialize, ToolSet, ToolSetError, tool, tools};
///
/// #[derive(Deserialize)]
/// #[serde(crate = "strands::serde")]
/// struct Limit(u8);
///
/// impl JsonSchema for Limit {
///     fn schema_name() -> Cow<'static, str> {
///         "Limit".into()
///     }
///
///     fn inline_schema() -> bool {
///         true
///     }
///
///     fn json_schema(_: &mut SchemaGenerator) -> Schema {
///         json_schema!({"type": "int"})
///     }
/// }
///
/// /// Searches.
/// #[tool(crate = strands_core)]
/// fn search(limit: Limit) -> u8 {
///     limit.0
/// }
///
/// let Err(ToolSetError::UnsupportedSchema { name, error }) = ToolSet::new(tools![Search]) else { panic!() };
/// assert_eq!(error.pointer(), "/properties/limit/type");
/// assert_eq!(error.to_string(), "unknown type `int` at `/properties/limit/type`; use `integer`");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JsonSchemaError {
    pointer: String,
    kind: JsonSchemaErrorKind,
}

crate::error_chain::debug_with_sources!(JsonSchemaError);

/// Kinds of [`JsonSchemaError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonSchemaErrorKind {
    /// A schema is neither an object nor a boolean.
    NotASchema,
    /// A keyword has an invalid value.
    InvalidKeyword {
        /// The expected form.
        expected: &'static str,
    },
    /// A type is unknown in JSON Schema.
    UnknownType {
        /// The name of the type.
        name: String,
    },
    /// A keyword of another draft or dialect would restrict values.
    UnsupportedKeyword {
        /// The keyword.
        keyword: &'static str,
        /// The advice.
        instead: &'static str,
    },
    /// A pattern can't be matched in linear time, or is not a regular expression.
    UnsupportedPattern {
        /// The pattern.
        pattern: String,
        /// The reason.
        reason: String,
    },
    /// A reference leads to another document.
    RemoteReference {
        /// The reference.
        reference: String,
    },
    /// A reference leads to a missing part of the schema.
    UnresolvedReference {
        /// The reference.
        reference: String,
    },
    /// A schema refers to itself without a property or an item in between, so that validation would not terminate.
    EndlessReference,
    /// A schema exceeds a limit of this library.
    TooLarge {
        /// The limit.
        limit: &'static str,
    },
}

impl JsonSchemaError {
    pub(super) fn new(pointer: impl Into<String>, kind: JsonSchemaErrorKind) -> Self {
        Self { pointer: pointer.into(), kind }
    }

    /// Returns the JSON Pointer of the error's place in the schema; empty for the root.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Returns the kind.
    pub fn kind(&self) -> &JsonSchemaErrorKind {
        &self.kind
    }
}

impl fmt::Display for JsonSchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.pointer.as_str() {
            "" => "the root of the schema".to_owned(),
            pointer => format!("`{}`", quoted_end(pointer)),
        };
        match &self.kind {
            JsonSchemaErrorKind::NotASchema => write!(f, "no schema at {place}; expected an object or a boolean"),
            JsonSchemaErrorKind::InvalidKeyword { expected } => {
                write!(f, "invalid keyword at {place}; expected {expected}")
            }
            JsonSchemaErrorKind::UnknownType { name } => {
                write!(f, "unknown type `{}` at {place}; {}", quoted(name), advice(name))
            }
            JsonSchemaErrorKind::UnsupportedKeyword { instead, .. } => {
                write!(f, "unsupported keyword at {place}; {instead}")
            }
            JsonSchemaErrorKind::UnsupportedPattern { pattern, reason } => {
                write!(f, "unsupported pattern `{}` at {place}: {}", quoted(pattern), quoted(reason))
            }
            JsonSchemaErrorKind::RemoteReference { reference } => write!(
                f,
                "reference to another document `{}` at {place}; copy what it refers to under `$defs`",
                quoted(reference)
            ),
            JsonSchemaErrorKind::UnresolvedReference { reference } => write!(
                f,
                "reference `{}` at {place} leads to no schema; add it, or correct the reference",
                quoted(reference)
            ),
            JsonSchemaErrorKind::EndlessReference => {
                write!(f, "the schema at {place} refers to itself without end; put a property or an item between")
            }
            JsonSchemaErrorKind::TooLarge { limit } => {
                write!(f, "the schema has more than {limit} at {place}; make it smaller")
            }
        }
    }
}

impl std::error::Error for JsonSchemaError {}

/// Suggests a type for names from other languages.
fn advice(name: &str) -> String {
    match (meant_type(name), name.to_ascii_lowercase().as_str()) {
        (Some(meant), _) => format!("use `{meant}`"),
        (None, "any" | "" | "unknown" | "mixed") => "leave `type` out to allow any value".to_owned(),
        (None, _) => "expected one of `null`, `boolean`, `integer`, `number`, `string`, `array`, `object`".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    super::quoting::truncated(text, MAX_QUOTED)
}

/// Returns the end of a pointer, which is more specific than its start.
fn quoted_end(pointer: &str) -> String {
    let skipped = pointer.chars().count().saturating_sub(2 * MAX_QUOTED);
    let kept: String = pointer.chars().skip(skipped).collect();
    if skipped > 0 { format!("…{kept}") } else { kept }
}
