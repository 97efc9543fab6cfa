//! Structured output by Bedrock itself: a JSON schema that the model's text must fit.

use serde_json::{Map, Value, json};
use strands_core::model::OutputSchema;

/// Maximum number of references that are followed one inside the other.
const MOST_REFERENCES: usize = 16;

/// `textFormat` that holds a response to this schema; `None` for schemas that would lose meaning, and for recursive ones,
/// which Bedrock does not take.
pub(crate) fn text_format(output: &OutputSchema) -> Option<Value> {
    if !is_expressible(&output.schema, 64) || is_recursive(&output.schema, &output.schema, &mut Vec::new()) {
        return None;
    }
    let mut definition = Map::new();
    definition.insert("schema".to_owned(), convert(&output.schema)?.to_string().into());
    definition.insert("name".to_owned(), output.name.as_str().into());
    if let Some(description) = &output.description {
        definition.insert("description".to_owned(), description.as_str().into());
    }
    Some(json!({"type": "json_schema", "structure": {"jsonSchema": definition}}))
}

/// True if a reference leads back to itself.
fn is_recursive<'a>(schema: &'a Value, root: &'a Value, path: &mut Vec<&'a str>) -> bool {
    match schema {
        Value::Array(schemas) => schemas.iter().any(|schema| is_recursive(schema, root, path)),
        Value::Object(fields) => fields.iter().any(|(keyword, value)| match (keyword.as_str(), value) {
            ("$ref", Value::String(reference)) => {
                let referred = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                if path.contains(&reference.as_str()) || path.len() == MOST_REFERENCES {
                    return true;
                }
                path.push(reference);
                let leads_back = referred.is_some_and(|referred| is_recursive(referred, root, path));
                path.pop();
                leads_back
            }
            (_, value) => is_recursive(value, root, path),
        }),
        _ => false,
    }
}

/// Free-form objects, tuples and fields of any type can't be expressed: every object is closed, every value has a type.
fn is_expressible(schema: &Value, depth: usize) -> bool {
    let (Value::Object(node), Some(depth)) = (schema, depth.checked_sub(1)) else {
        return false;
    };
    let closed = matches!(node.get("additionalProperties"), None | Some(Value::Null | Value::Bool(false)));
    let typed = ["type", "anyOf", "oneOf", "allOf", "$ref"].iter().any(|key| node.contains_key(*key));
    let unknown = ["prefixItems", "patternProperties", "definitions"].iter().any(|key| node.contains_key(*key));
    if !closed || !typed || unknown {
        return false;
    }
    let maps = ["properties", "$defs"].iter().filter_map(|key| node.get(*key)?.as_object()).flat_map(Map::values);
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
    if let Some(only) = rest.shift_remove("const") {
        node.insert("enum".to_owned(), json!([only]));
    }
    for key in ["enum", "description", "title"] {
        if let Some(value) = rest.shift_remove(key) {
            node.insert(key.to_owned(), value);
        }
    }
    let is = |name: &str| match &kind {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
        kind => kind.as_ref().is_some_and(|kind| kind == name),
    };
    if is("object") {
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
    if is("string") {
        let known = rest.get("format").and_then(Value::as_str).is_some_and(|f| FORMATS.contains(&f));
        if known && let Some(format) = rest.shift_remove("format") {
            node.insert("format".to_owned(), format);
        }
    }
    if is("array") {
        if let Some(items) = rest.shift_remove("items") {
            node.insert("items".to_owned(), convert(&items)?);
        }
        if matches!(rest.get("minItems").and_then(Value::as_u64), Some(0 | 1))
            && let Some(least) = rest.shift_remove("minItems")
        {
            node.insert("minItems".to_owned(), least);
        }
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
            assert_eq!(text_format(&OutputSchema::new("T", schema.clone())), None, "{schema}");
        }
    }

    #[test]
    fn recursive_schemas_are_not_used() {
        let leg = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/Leg"}}});
        let schema = json!({"type": "object", "properties": {"leg": {"$ref": "#/$defs/Leg"}}, "$defs": {"Leg": leg}});
        assert_eq!(text_format(&OutputSchema::new("T", schema)), None);
        let root = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert_eq!(text_format(&OutputSchema::new("T", root)), None);
        let twice = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"type": "string"}}});
        assert!(text_format(&OutputSchema::new("T", twice)).is_some());
    }

    #[test]
    fn tags_and_lists_that_may_be_null_keep_their_meaning() {
        let schema = json!({"type": "object", "properties": {
            "kind": {"type": "string", "const": "flight"},
            "list": {"type": ["array", "null"], "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }});
        let converted = convert(&schema).unwrap();
        assert_eq!(converted["properties"]["kind"], json!({"type": "string", "enum": ["flight"]}));
        assert_eq!(converted["properties"]["list"]["items"]["additionalProperties"], json!(false));
    }
}
