//! JSON Schemas as providers accept them.
//!
//! Each provider takes a part of JSON Schema, and refuses a request with anything else. [`SchemaDialect`] has a table of what
//! each accepts, and rewrites a schema by it:
//!
//! - a union at the root of a tool's arguments becomes one object, with the forms in its description;
//! - what a provider has no keyword for is told in the description;
//! - what the model gives is [restored] and then validated against the original schema.
//!
//! [restored]: restored()

mod collections;
mod dialect;
mod keywords;
mod kinds;
mod limits;
mod merging;
mod names;
mod references;
mod restoring;
mod rewriting;
mod root;
mod separating;
pub(crate) mod subschemas;
mod telling;
pub(crate) mod wrapping;
mod writing;

use serde_json::{Value, json};

pub use dialect::SchemaDialect;
pub use restoring::restored;

use crate::depth;

/// Keywords beside which a root may allow no object, although it says so.
const PARTS: [&str; 6] = ["$ref", "allOf", "anyOf", "const", "enum", "oneOf"];

/// A mistake in the schema of a tool's arguments.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is not a JSON object.
    #[error("it is not a JSON object; start with {{\"type\": \"object\"}}")]
    NotASchema,
    /// No object fits it.
    #[error("its root is {found}; arguments are an object: write {{\"type\": \"object\", \"properties\": {{..}}}}")]
    NotAnObject {
        /// The root's type, in words.
        found: String,
    },
    /// A keyword holds what it can't.
    #[error("its `{keyword}` is not {expected}")]
    InvalidKeyword {
        /// The keyword.
        keyword: &'static str,
        /// The expected form.
        expected: &'static str,
    },
    /// It nests too deep.
    #[error("it nests deeper than {} levels; make it flatter", depth::MAX_DEPTH)]
    TooDeep,
}

/// A schema that a provider can't hold a model to. `Display` says the place and the reason.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RefusedSchema {
    reason: String,
}

crate::error_chain::debug_with_sources!(SchemaError, RefusedSchema);

impl RefusedSchema {
    fn new(reason: String) -> Self {
        Self { reason }
    }
}

/// Checks that a schema can be that of a tool's arguments, for any provider.
///
/// A schema without a type, such as `{}` or a union of objects, is one of an object.
///
/// # Errors
///
/// Returns [`SchemaError`] if it can't.
pub(crate) fn check_arguments(schema: &Value) -> Result<(), SchemaError> {
    depth::check(schema).map_err(|_| SchemaError::TooDeep)?;
    let keywords = schema.as_object().ok_or(SchemaError::NotASchema)?;
    let is_text_list = |value: &Value| value.as_array().is_some_and(|names| names.iter().all(Value::is_string));
    let are_schemas = |value: &Value| {
        value.as_object().is_some_and(|named| named.values().all(|own| own.is_object() || own.is_boolean()))
    };
    let is_wrong =
        |keyword: &str, is_right: &dyn Fn(&Value) -> bool| keywords.get(keyword).is_some_and(|value| !is_right(value));
    let invalid = |keyword, expected| Err(SchemaError::InvalidKeyword { keyword, expected });
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
    let gathered = references::gathered(schema);
    root::object(&gathered.root, &separating::Separator::new(&gathered.definitions)).map(drop)
}

impl SchemaDialect {
    /// Returns the name of the provider that it is named after.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the schema of a tool's arguments as the provider accepts it. Whatever fits the original fits it, except for
    /// forms of a union at the root: a property that one form declares has that schema in all of them.
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

    /// Returns a schema that the provider can hold a model to: for structured output and strict tools. What the provider
    /// has no keyword for stands in descriptions; a property that may be left out may be `null` where all are required.
    ///
    /// # Errors
    ///
    /// Returns [`RefusedSchema`] if the provider has no form for a part of it, or if it is too large.
    pub fn held(&self, schema: &Value) -> Result<Value, RefusedSchema> {
        rewriting::rewritten(schema, &self.held)
    }
}
