//! Structured output by Bedrock itself: a JSON schema that the model's text must fit. Used where a model can't be forced
//! to call a tool.

use serde_json::{Map, Value, json};

/// `outputConfig` that makes the answer fit this schema; `None` for schemas that would lose meaning.
pub(crate) fn output_config(name: &str, schema: &Value) -> Option<Value> {
    if !is_expressible(schema, 64) {
        return None;
    }
    let schema = convert(schema)?.to_string();
    Some(json!({"textFormat": {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": schema, "name": name}},
    }}))
}

/// Free-form objects, tuples and fields of any type can't be expressed: every object is closed, every value has a type.
fn is_expressible(schema: &Value, depth: usize) -> bool {
    let (Value::Object(node), Some(depth)) = (schema, depth.checked_sub(1)) else {
        return false;
    };
    let closed = matches!(node.get("additionalProperties"), None | Some(Value::Null | Value::Bool(false)));
    let typed = ["type", "anyOf", "oneOf", "allOf", "$ref"].iter().any(|key| node.contains_key(*key));
    if !closed || !typed || node.contains_key("prefixItems") || node.contains_key("patternProperties") {
        return false;
    }
    let maps = ["properties", "$defs", "definitions"]
        .iter()
        .filter_map(|key| node.get(*key)?.as_object())
        .flat_map(Map::values);
    let lists = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| node.get(*key)?.as_array()).flatten();
    let items = node.get("items").filter(|items| items.is_object());
    maps.chain(lists).chain(items).filter(|child| child.is_object()).all(|child| is_expressible(child, depth))
}

/// The schema in the subset that is accepted. What has no place there is told to the model in the description.
fn convert(schema: &Value) -> Option<Value> {
    let mut rest = schema.as_object()?.clone();
    let mut node = Map::new();
    if let Some(Value::Object(definitions)) = rest.shift_remove("$defs") {
        node.insert("$defs".to_owned(), convert_all(&definitions)?);
    }
    if let Some(reference) = rest.shift_remove("$ref") {
        node.insert("$ref".to_owned(), reference);
        return Some(Value::Object(node));
    }
    let kind = rest.shift_remove("type");
    let [any_of, one_of, all_of] = ["anyOf", "oneOf", "allOf"].map(|key| rest.shift_remove(key));
    if let Some(Value::Array(variants)) = any_of.or(one_of) {
        node.insert("anyOf".to_owned(), convert_list(&variants)?);
    } else if let Some(Value::Array(parts)) = all_of {
        node.insert("allOf".to_owned(), convert_list(&parts)?);
    } else {
        node.insert("type".to_owned(), kind.clone()?);
    }
    for key in ["enum", "description", "title"] {
        if let Some(value) = rest.shift_remove(key) {
            node.insert(key.to_owned(), value);
        }
    }
    match kind.as_ref().and_then(Value::as_str) {
        Some("object") => {
            let properties = match rest.shift_remove("properties") {
                Some(Value::Object(properties)) => convert_all(&properties)?,
                _ => json!({}),
            };
            node.insert("properties".to_owned(), properties);
            rest.shift_remove("additionalProperties");
            node.insert("additionalProperties".to_owned(), Value::Bool(false));
            if let Some(required) = rest.shift_remove("required") {
                node.insert("required".to_owned(), required);
            }
        }
        Some("string") => {
            let known = rest.get("format").and_then(Value::as_str).is_some_and(|f| FORMATS.contains(&f));
            if known && let Some(format) = rest.shift_remove("format") {
                node.insert("format".to_owned(), format);
            }
        }
        Some("array") => {
            if let Some(items) = rest.shift_remove("items") {
                node.insert("items".to_owned(), convert(&items)?);
            }
            if matches!(rest.get("minItems").and_then(Value::as_u64), Some(0 | 1))
                && let Some(least) = rest.shift_remove("minItems")
            {
                node.insert("minItems".to_owned(), least);
            }
        }
        _ => {}
    }
    if !rest.is_empty() {
        let unsupported: Vec<_> = rest
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}: {text}"),
                value => format!("{key}: {value}"),
            })
            .collect();
        let unsupported = format!("{{{}}}", unsupported.join(", "));
        let description = match node.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description}\n\n{unsupported}"),
            None => unsupported,
        };
        node.insert("description".to_owned(), description.into());
    }
    Some(Value::Object(node))
}

const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

fn convert_all(schemas: &Map<String, Value>) -> Option<Value> {
    schemas
        .iter()
        .map(|(name, schema)| Some((name.clone(), convert(schema)?)))
        .collect::<Option<Map<_, _>>>()
        .map(Value::Object)
}

fn convert_list(schemas: &[Value]) -> Option<Value> {
    schemas.iter().map(convert).collect::<Option<Vec<_>>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_said_goes_into_the_description() {
        let schema = json!({"type": "object", "title": "T", "properties": {
            "age": {"type": "integer", "minimum": 0, "description": "years"},
            "mail": {"type": "string", "format": "email"},
            "code": {"type": "string", "format": "zip"},
            "list": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "one": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/A"}]},
        }, "required": ["age"], "$defs": {"A": {"type": "object"}}});
        let expected = json!({
            "$defs": {"A": {"type": "object", "properties": {}, "additionalProperties": false}},
            "type": "object", "title": "T",
            "properties": {
                "age": {"type": "integer", "description": "years\n\n{minimum: 0}"},
                "mail": {"type": "string", "format": "email"},
                "code": {"type": "string", "description": "{format: zip}"},
                "list": {"type": "array", "items": {"type": "string"}, "description": "{minItems: 2}"},
                "one": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/A"}]},
            },
            "additionalProperties": false, "required": ["age"],
        });
        assert_eq!(convert(&schema), Some(expected));
    }

    #[test]
    fn schemas_that_would_lose_meaning_are_not_used() {
        for field in [
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "array", "prefixItems": [{"type": "string"}]}),
            json!({"description": "anything"}),
        ] {
            let schema = json!({"type": "object", "properties": {"x": field}});
            assert_eq!(output_config("T", &schema), None, "{schema}");
        }
    }
}
