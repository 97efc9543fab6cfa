//! Structured output by Bedrock itself: a JSON schema that the model's text must fit.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use strands_core::model::OutputSchema;

/// `textFormat` that holds a response to this schema; `None` for schemas that would lose meaning, and for recursive ones,
/// which Bedrock does not take.
pub(crate) fn text_format(output: &OutputSchema) -> Option<Value> {
    if !is_expressible(&output.schema, 64) || is_recursive(&output.schema) {
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
fn is_recursive(root: &Value) -> bool {
    leads_back(root, root, &mut HashMap::from([("#", Visit::Open)]))
}

/// State of a reference in the search.
#[derive(Clone, Copy, PartialEq)]
enum Visit {
    /// Its references are being searched.
    Open,
    /// It does not lead back.
    Done,
}

fn leads_back<'a>(schema: &'a Value, root: &'a Value, visits: &mut HashMap<&'a str, Visit>) -> bool {
    match schema {
        Value::Array(schemas) => schemas.iter().any(|schema| leads_back(schema, root, visits)),
        Value::Object(fields) => fields.iter().any(|(keyword, value)| match (keyword.as_str(), value) {
            ("$ref", Value::String(reference)) => {
                if let Some(visit) = visits.get(reference.as_str()) {
                    return *visit == Visit::Open;
                }
                visits.insert(reference, Visit::Open);
                let referred = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                let leads_back = referred.is_some_and(|referred| leads_back(referred, root, visits));
                visits.insert(reference, Visit::Done);
                leads_back
            }
            (_, value) => leads_back(value, root, visits),
        }),
        _ => false,
    }
}

/// True for fields beside a union or a reference, as flattened enums have them, and for values that have to fit several
/// objects: each part is closed, so that none would allow the fields of another.
fn is_split(node: &Map<String, Value>) -> bool {
    let is_object = match node.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        kind => kind.is_some_and(|kind| kind == "object"),
    };
    let has_fields = is_object || node.contains_key("properties");
    let parts = ["$ref", "anyOf", "oneOf", "allOf"].iter().filter(|key| node.contains_key(**key)).count();
    let all_of = node.get("allOf").and_then(Value::as_array).map_or(0, Vec::len);
    parts + usize::from(has_fields) > 1 || all_of > 1
}

/// Free-form objects, tuples and fields of any type can't be expressed: every object is closed, every value has a type.
fn is_expressible(schema: &Value, depth: usize) -> bool {
    let (Value::Object(node), Some(depth)) = (schema, depth.checked_sub(1)) else {
        return false;
    };
    let closed = matches!(node.get("additionalProperties"), None | Some(Value::Null | Value::Bool(false)));
    let typed = ["type", "anyOf", "oneOf", "allOf", "$ref"].iter().any(|key| node.contains_key(*key));
    let unknown = ["prefixItems", "patternProperties", "definitions"].iter().any(|key| node.contains_key(*key));
    if !closed || !typed || unknown || is_split(node) {
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
    use strands_testkit::schemas::{beside_a_union_or_a_reference, levels_of_references};

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

    #[test]
    fn fields_beside_a_union_or_a_reference_are_not_sent() {
        for (schema, is_sent) in beside_a_union_or_a_reference() {
            assert_eq!(text_format(&OutputSchema::new("T", schema.clone())).is_some(), is_sent, "{schema}");
        }
    }

    /// The work is bounded, whatever the schema: it is done for each request.
    #[test]
    fn references_are_followed_once() {
        let schema = levels_of_references(9);
        let began = std::time::Instant::now();
        assert!(text_format(&OutputSchema::new("T", schema)).is_some());
        assert!(began.elapsed() < std::time::Duration::from_millis(100), "{:?}", began.elapsed());
    }
}
