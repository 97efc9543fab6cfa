//! JSON Schemas rewritten for each provider.
//!
//! Each provider accepts a subset of JSON Schema and rejects requests with anything else. [`SchemaDialect`] has a table of
//! these subsets and rewrites a schema to fit one:
//!
//! - a union at the root of a tool's arguments becomes one object, with the variants in its description;
//! - constraints that a provider has no keyword for go into the description;
//! - the arguments that the model generates are [restored] and then validated against the original schema.
//!
//! [restored]: restore_value()

mod arrays_and_objects;
mod composition;
mod descriptions;
mod dialect;
mod keywords;
mod limits;
pub(crate) mod malformed;
mod merging;
mod names;
mod references;
mod restoring;
mod rewriter;
mod rewriting;
mod root;
pub(crate) mod subschemas;
mod value_types;
pub(crate) mod wrapping;

use serde_json::{Value, json};

pub use dialect::SchemaDialect;
pub use restoring::restore_value;

use crate::depth;

/// Keywords that may exclude objects even if the root's type is `object`.
const PARTS: [&str; 6] = ["$ref", "allOf", "anyOf", "const", "enum", "oneOf"];

/// An error in the schema of a tool's arguments: the provider-independent requirements on its root.
///
/// See [`JsonSchemaError`](crate::JsonSchemaError) for a schema that can't be compiled for validation.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolSchemaError {
    /// The schema is not a JSON object.
    #[error("it is not a JSON object; start with {{\"type\": \"object\"}}")]
    NotASchema,
    /// The root allows no objects.
    #[error("its root is {found}; arguments are an object: write {{\"type\": \"object\", \"properties\": {{..}}}}")]
    NotAnObject {
        /// The root's type, in words.
        found: String,
    },
    /// A keyword has an invalid value.
    #[error("its `{keyword}` is not {expected}")]
    InvalidKeyword {
        /// The keyword.
        keyword: &'static str,
        /// The expected form.
        expected: &'static str,
    },
    /// The schema exceeds the nesting limit.
    #[error("it nests deeper than {} levels; make it flatter", depth::MAX_DEPTH)]
    TooDeep,
}

/// A schema that a provider can't enforce. `Display` has the place and the reason.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct StrictSchemaError {
    reason: String,
}

crate::error_chain::debug_with_sources!(ToolSchemaError, StrictSchemaError);

impl StrictSchemaError {
    fn new(reason: String) -> Self {
        Self { reason }
    }
}

/// Checks that a schema is valid for a tool's arguments, with any provider.
///
/// A schema without a type, such as `{}` or a union of objects, is accepted as that of an object.
///
/// # Errors
///
/// Returns [`ToolSchemaError`] if it is not.
pub(crate) fn check_arguments(schema: &Value) -> Result<(), ToolSchemaError> {
    depth::check(schema).map_err(|_| ToolSchemaError::TooDeep)?;
    let keywords = schema.as_object().ok_or(ToolSchemaError::NotASchema)?;
    let is_text_list = |value: &Value| value.as_array().is_some_and(|names| names.iter().all(Value::is_string));
    let are_schemas = |value: &Value| {
        value.as_object().is_some_and(|named| named.values().all(|own| own.is_object() || own.is_boolean()))
    };
    let is_wrong =
        |keyword: &str, is_right: &dyn Fn(&Value) -> bool| keywords.get(keyword).is_some_and(|value| !is_right(value));
    let invalid = |keyword, expected| Err(ToolSchemaError::InvalidKeyword { keyword, expected });
    if is_wrong("properties", &are_schemas) {
        return invalid("properties", "an object of schemas");
    }
    if is_wrong("required", &is_text_list) {
        return invalid("required", "a list of names");
    }
    if is_wrong("type", &|value| value.is_string() || is_text_list(value)) {
        return invalid("type", "a name or a list of names");
    }
    let is_plain = keywords.get("type").is_some_and(|kind| kind == "object");
    if is_plain && !PARTS.iter().any(|part| keywords.contains_key(*part)) {
        return Ok(());
    }
    let bundle = references::bundle(schema);
    root::object(&bundle.root, &composition::Resolver::new(&bundle.definitions)).map(drop)
}

impl SchemaDialect {
    /// Returns the name of the provider.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the schema of a tool's arguments as the provider accepts it.
    ///
    /// Values that fit the original fit the result, except for unions at the root: a property that one branch declares has
    /// that schema in all of them.
    ///
    /// ```
    /// use serde_json::json;
    /// use strands::schema::SchemaDialect;
    ///
    /// let schema = json!({"oneOf": [
    ///     {"type": "object", "properties": {"mode": {"const": "preview"}}, "required": ["mode"]},
    ///     {"type": "object", "properties": {"mode": {"const": "apply"}, "confirm": {"type": "boolean"}}, "required": ["mode"]},
    /// ]});
    /// let sent = SchemaDialect::OPENAI.arguments(&schema);
    /// assert_eq!(sent["properties"]["mode"]["enum"], json!(["preview", "apply"]));
    /// assert_eq!(sent["required"], json!(["mode"]));
    /// assert!(sent.get("oneOf").is_none());
    /// ```
    pub fn arguments(&self, schema: &Value) -> Value {
        let written = rewriting::rewritten(schema, &self.arguments);
        written.unwrap_or_else(|_| json!({"type": "object", "properties": {}}))
    }

    /// Returns a schema that the provider can enforce, for structured output and strict tools.
    ///
    /// Constraints without a keyword at the provider go into descriptions. Optional properties become nullable if the
    /// provider requires all properties.
    ///
    /// # Errors
    ///
    /// Returns [`StrictSchemaError`] if the provider can't express a part of the schema, or if it is over a size limit.
    pub fn strict(&self, schema: &Value) -> Result<Value, StrictSchemaError> {
        rewriting::rewritten(schema, &self.strict)
    }
}
