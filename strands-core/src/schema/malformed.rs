//! Keywords that draft 2020-12 does not have in this form: of older drafts, of other dialects, and mistakes in the schemas of
//! remote servers. Providers reject a whole request for one of them.

use serde_json::{Map, Value};

use super::keywords::TYPES;

/// Returns the type that a name from another language means, or `None` if any type may be meant.
pub(crate) fn meant_type(name: &str) -> Option<&'static str> {
    if let Some(exact) = TYPES.into_iter().find(|exact| *exact == name) {
        return Some(exact);
    }
    Some(match name.to_ascii_lowercase().as_str() {
        "object" | "dict" | "map" | "record" | "struct" => "object",
        "array" | "list" | "tuple" | "set" | "sequence" => "array",
        "integer" | "int" | "int32" | "int64" | "long" | "uint" => "integer",
        "number" | "float" | "double" | "decimal" | "num" => "number",
        "string" | "str" | "text" | "char" | "date" | "datetime" | "enum" | "file" => "string",
        "boolean" | "bool" => "boolean",
        "null" | "none" | "nil" | "undefined" => "null",
        _ => return None,
    })
}

/// Returns the value of `type` with the types that are meant, or `None` if any type is allowed.
pub(super) fn types(value: &Value) -> Option<Value> {
    match value {
        Value::String(name) => meant_type(name).map(Value::from),
        Value::Array(names) => {
            let mut types: Vec<Value> = Vec::new();
            for name in names {
                let meant = Value::from(meant_type(name.as_str()?)?);
                if !types.contains(&meant) {
                    types.push(meant);
                }
            }
            (!types.is_empty()).then_some(types.into())
        }
        _ => None,
    }
}

/// Returns the name of a bound: draft 4 marks an exclusive one by a boolean keyword of its own.
pub(super) fn bound<'a>(keyword: &'a str, schema: &Map<String, Value>) -> &'a str {
    let is_exclusive = |mark: &str| schema.get(mark) == Some(&Value::Bool(true));
    match keyword {
        "minimum" if is_exclusive("exclusiveMinimum") => "exclusiveMinimum",
        "maximum" if is_exclusive("exclusiveMaximum") => "exclusiveMaximum",
        keyword => keyword,
    }
}

/// Returns true if a keyword has a value of the form that the draft requires. Unknown keywords may have any.
pub(super) fn is_well_formed(keyword: &str, value: &Value) -> bool {
    let is_schema = |value: &Value| value.is_object() || value.is_boolean();
    let is_list = |is_item: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(is_item));
    match keyword {
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minContains"
        | "maxContains" => value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0),
        "uniqueItems" | "readOnly" | "writeOnly" | "deprecated" => value.is_boolean(),
        "description" | "title" | "$comment" | "pattern" | "format" | "contentEncoding" | "contentMediaType" => {
            value.is_string()
        }
        "required" => is_list(Value::is_string),
        "enum" | "examples" => value.is_array(),
        "properties" | "patternProperties" | "dependentSchemas" | "dependentRequired" => value.is_object(),
        "items"
        | "additionalProperties"
        | "contains"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => is_schema(value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => value.as_array().is_some_and(|parts| !parts.is_empty()),
        _ => true,
    }
}
