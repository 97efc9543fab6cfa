//! JSON Schemas whose root is not an object. Providers take objects alone as arguments of a tool, so that such a schema
//! becomes that of the only field of an object.

use serde_json::{Map, Value, json};

/// Name of the field.
const KEY: &str = "value";

/// Name of the field if the root may have a field of the first name itself: the two could not be told apart.
const OTHER_KEY: &str = "output";

/// Keywords beside which a root is not taken for a plain object. Several providers refuse unions there.
const COMPOSITION: [&str; 4] = ["$ref", "allOf", "anyOf", "oneOf"];

/// Keywords that hold values, not schemas.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

/// Keywords that hold schemas by names that the schema's author has chosen.
const NAMED_SCHEMAS: [&str; 5] = ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Limit of references that are followed one inside the other.
const MAX_DEPTH: usize = 16;

/// Returns true if values of the schema are objects, and the schema says so at its root.
pub(super) fn is_object(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
        && COMPOSITION.iter().all(|keyword| schema.get(keyword).is_none())
}

/// Returns the schema of an object whose only field has this schema. Its definitions move to the new root, and a schema
/// that refers to its own root becomes a definition, so that references stay valid.
pub(super) fn wrap(mut root: Value) -> Value {
    let key = if may_have(&root, &root, MAX_DEPTH) { OTHER_KEY } else { KEY };
    let [mut definitions, mut older] = ["$defs", "definitions"].map(|keyword| take_map(&mut root, keyword));
    let mut name = "Root".to_owned();
    while definitions.contains_key(&name) {
        name.push('_');
    }
    let target = format!("#/$defs/{name}");
    let mut refers_to_root = false;
    for schema in std::iter::once(&mut root).chain(definitions.values_mut()).chain(older.values_mut()) {
        redirect(schema, &target, &mut refers_to_root);
    }
    if refers_to_root {
        let referred = std::mem::replace(&mut root, json!({"$ref": target}));
        definitions.insert(name, referred);
    }
    let mut wrapper = Map::new();
    wrapper.insert("type".to_owned(), "object".into());
    wrapper.insert("properties".to_owned(), json!({key: root}));
    wrapper.insert("required".to_owned(), json!([key]));
    for (keyword, definitions) in [("$defs", definitions), ("definitions", older)] {
        if !definitions.is_empty() {
            wrapper.insert(keyword.to_owned(), definitions.into());
        }
    }
    Value::Object(wrapper)
}

/// Returns the name of the field of a schema that was made by [`wrap`].
pub(super) fn key(wrapper: &Value) -> Option<&str> {
    wrapper.pointer("/required/0").and_then(Value::as_str)
}

fn take_map(schema: &mut Value, keyword: &str) -> Map<String, Value> {
    match schema.as_object_mut().and_then(|fields| fields.shift_remove(keyword)) {
        Some(Value::Object(schemas)) => schemas,
        _ => Map::new(),
    }
}

/// True if a value of the schema may have a declared field named [`KEY`].
fn may_have(schema: &Value, root: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let unions = ["allOf", "anyOf", "oneOf"].into_iter();
    let mut variants = unions.filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    schema.pointer("/properties").is_some_and(|fields| fields.get(KEY).is_some())
        || variants.any(|variant| may_have(variant, root, depth))
        || pointer.and_then(|pointer| root.pointer(pointer)).is_some_and(|referred| may_have(referred, root, depth))
}

/// Makes references to the root, or to a part of it, references to `target`, and notes that there are any.
fn redirect(schema: &mut Value, target: &str, found: &mut bool) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(|schema| redirect(schema, target, found)),
        Value::Object(node) => {
            for (keyword, value) in node {
                match (keyword.as_str(), value) {
                    ("$ref", Value::String(reference)) if is_in_root(reference) => {
                        reference.replace_range(..1, target);
                        *found = true;
                    }
                    (keyword, _) if VALUES.contains(&keyword) => {}
                    (keyword, Value::Object(named)) if NAMED_SCHEMAS.contains(&keyword) => {
                        named.values_mut().for_each(|schema| redirect(schema, target, found));
                    }
                    (_, value) => redirect(value, target, found),
                }
            }
        }
        _ => {}
    }
}

/// True for a reference to the root, or to a part of it that is not a definition.
fn is_in_root(reference: &str) -> bool {
    let is_definition = |pointer: &str| pointer.starts_with("/$defs/") || pointer.starts_with("/definitions/");
    let pointer = reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
    pointer.is_some_and(|pointer| !is_definition(pointer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_stay_where_references_find_them() {
        let root = json!({"type": "array", "items": {"$ref": "#/$defs/Leg"}, "$defs": {"Leg": {"type": "object"}}});
        let expected = json!({
            "type": "object",
            "properties": {"value": {"type": "array", "items": {"$ref": "#/$defs/Leg"}}},
            "required": ["value"],
            "$defs": {"Leg": {"type": "object"}},
        });
        assert_eq!(wrap(root), expected);
        assert_eq!(key(&expected), Some("value"));
    }

    #[test]
    fn a_root_that_refers_to_itself_becomes_a_definition() {
        let root = json!({
            "oneOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}}, {"$ref": "#/oneOf/0"}],
            "$defs": {"Root": {"type": "array", "items": {"$ref": "#"}}, "Names": {"properties": {"$ref": {"enum": ["#"]}}}},
        });
        let wrapped = wrap(root);
        assert_eq!(wrapped["properties"]["value"], json!({"$ref": "#/$defs/Root_"}));
        let definitions = &wrapped["$defs"];
        assert_eq!(definitions["Root_"]["oneOf"][1]["items"]["$ref"], "#/$defs/Root_");
        assert_eq!(definitions["Root_"]["oneOf"][2]["$ref"], "#/$defs/Root_/oneOf/0");
        assert_eq!(definitions["Root"]["items"]["$ref"], "#/$defs/Root_");
        assert_eq!(definitions["Names"]["properties"]["$ref"], json!({"enum": ["#"]}), "a name and a value");
    }

    #[test]
    fn a_root_that_is_a_reference_is_wrapped_as_it_is() {
        let root = json!({"$ref": "#/definitions/Color", "definitions": {"Color": {"enum": ["red"]}}});
        let wrapped = wrap(root);
        assert_eq!(wrapped["properties"]["value"], json!({"$ref": "#/definitions/Color"}));
        assert_eq!(wrapped["definitions"]["Color"], json!({"enum": ["red"]}));
    }

    #[test]
    fn a_field_of_the_same_name_gets_the_wrapper_another_one() {
        let variant = json!({"type": "object", "properties": {"value": {"type": "integer"}}});
        for root in [json!({"oneOf": [variant]}), json!({"$ref": "#/$defs/V", "$defs": {"V": variant}})] {
            assert_eq!(key(&wrap(root)), Some("output"));
        }
        let nested = json!({"type": "array", "items": variant});
        assert_eq!(key(&wrap(nested)), Some("value"));
    }

    #[test]
    fn unions_are_not_taken_for_objects() {
        assert!(is_object(&json!({"type": "object", "properties": {}})));
        for schema in [
            json!({"type": "object", "oneOf": []}),
            json!({"type": ["object", "null"]}),
            json!({"$ref": "#/$defs/A"}),
            json!(true),
        ] {
            assert!(!is_object(&schema), "{schema}");
        }
    }
}
