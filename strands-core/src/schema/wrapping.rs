//! Wrapping of schemas whose root is not an object. Tool arguments must be an object, so such a schema becomes the only
//! field of one.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value, json};

/// Default name of the field.
const KEY: &str = "value";

/// Name of the field if the root may have a field with the default name, which would be ambiguous. Underscores are added
/// until the name is unique.
const OTHER_KEY: &str = "output";

/// Keywords that do not restrict values.
const ANNOTATIONS: [&str; 5] = ["$defs", "$schema", "definitions", "description", "title"];

/// Keywords that allow undeclared fields.
const OPEN: [&str; 4] = ["additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties"];

/// Keywords that disqualify a root as a plain object. Several providers reject unions at the root.
const COMPOSITION: [&str; 4] = ["$ref", "allOf", "anyOf", "oneOf"];

/// Keywords that hold values, not schemas.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

/// Keywords that hold schemas by user-defined names.
const NAMED_SCHEMAS: [&str; 5] = ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Returns true if the root declares that values are objects.
pub(crate) fn is_object(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
        && COMPOSITION.iter().all(|keyword| schema.get(keyword).is_none())
}

/// Wraps a schema into an object with one field. Definitions move to the new root, and a schema that refers to its own root
/// becomes a definition, so that references stay valid.
pub(crate) fn wrap(mut root: Value) -> Value {
    let mut declared = BTreeSet::new();
    visit(&root, &mut |schema| {
        declared.extend(schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned());
    });
    let mut key = KEY.to_owned();
    while declared.contains(&key) {
        key = if key == KEY { OTHER_KEY.to_owned() } else { key + "_" };
    }
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
    wrapper.insert("properties".to_owned(), json!({key.as_str(): root}));
    wrapper.insert("required".to_owned(), json!([key]));
    wrapper.insert("additionalProperties".to_owned(), Value::Bool(false));
    for (keyword, definitions) in [("$defs", definitions), ("definitions", older)] {
        if !definitions.is_empty() {
            wrapper.insert(keyword.to_owned(), definitions.into());
        }
    }
    Value::Object(wrapper)
}

/// Returns the name of the field in a schema made by [`wrap`].
pub(crate) fn key(wrapper: &Value) -> Option<&str> {
    wrapper.pointer("/required/0").and_then(Value::as_str)
}

fn take_map(schema: &mut Value, keyword: &str) -> Map<String, Value> {
    match schema.as_object_mut().and_then(|fields| fields.shift_remove(keyword)) {
        Some(Value::Object(schemas)) => schemas,
        _ => Map::new(),
    }
}

/// Returns true if the wrapped schema may allow objects with undeclared fields, which could have the wrapper's field too.
/// A wrapper around an unrestricted value is not ambiguous: any content of the field fits.
pub(crate) fn is_ambiguous(wrapper: &Value) -> bool {
    let Some(inner) = key(wrapper).and_then(|key| wrapper.get("properties")?.get(key)) else { return false };
    let mut is_open = false;
    visit_in(inner, wrapper, &mut HashSet::new(), &mut |schema| is_open |= is_map(schema));
    is_open && !is_anything(inner)
}

fn is_anything(schema: &Value) -> bool {
    let is_annotation = |keyword: &String| ANNOTATIONS.contains(&keyword.as_str());
    schema.as_object().map_or(schema == &Value::Bool(true), |keywords| keywords.keys().all(is_annotation))
}

/// Returns true if the schema's own keywords allow undeclared fields. Schemas of structs don't mention other fields, which
/// are ignored.
fn is_map(schema: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema == &Value::Bool(true) };
    let is_open = |keyword: &&str| keywords.get(*keyword).is_some_and(|value| value != &Value::Bool(false));
    let is_object = match keywords.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        kind => kind.is_some_and(|kind| kind == "object"),
    };
    let is_composed = COMPOSITION.iter().any(|keyword| keywords.contains_key(*keyword));
    OPEN.iter().any(is_open)
        || is_anything(schema)
        || (is_object && !is_composed && !keywords.contains_key("properties"))
}

/// Visits the schemas that apply to the root value itself: the root, its alternatives, and the targets of their
/// references.
fn visit<'a>(root: &'a Value, each: &mut impl FnMut(&'a Value)) {
    visit_in(root, root, &mut HashSet::new(), each);
}

fn visit_in<'a>(schema: &'a Value, root: &'a Value, followed: &mut HashSet<&'a str>, each: &mut impl FnMut(&'a Value)) {
    each(schema);
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    parts.for_each(|part| visit_in(part, root, followed, each));
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
        && followed.insert(reference)
        && let Some(referred) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer))
    {
        visit_in(referred, root, followed, each);
    }
}

/// Redirects references to the root, or to a part of it, to `target`. Sets `found` if there are any.
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

/// Returns true for a reference to the root, or to a part of it that is not a definition.
fn is_in_root(reference: &str) -> bool {
    let is_definition = |pointer: &str| pointer.starts_with("/$defs/") || pointer.starts_with("/definitions/");
    let pointer = reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
    pointer.is_some_and(|pointer| !is_definition(pointer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_definitions_where_references_find_them() {
        let root = json!({"type": "array", "items": {"$ref": "#/$defs/Leg"}, "$defs": {"Leg": {"type": "object"}}});
        let expected = json!({
            "type": "object",
            "properties": {"value": {"type": "array", "items": {"$ref": "#/$defs/Leg"}}},
            "required": ["value"],
            "additionalProperties": false,
            "$defs": {"Leg": {"type": "object"}},
        });
        assert_eq!(wrap(root), expected);
        assert_eq!(key(&expected), Some("value"));
    }

    #[test]
    fn moves_a_self_referencing_root_to_a_definition() {
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
    fn wraps_a_reference_at_the_root_unchanged() {
        let root = json!({"$ref": "#/definitions/Color", "definitions": {"Color": {"enum": ["red"]}}});
        let wrapped = wrap(root);
        assert_eq!(wrapped["properties"]["value"], json!({"$ref": "#/definitions/Color"}));
        assert_eq!(wrapped["definitions"]["Color"], json!({"enum": ["red"]}));
    }

    #[test]
    fn picks_another_name_if_a_field_has_the_same() {
        let variant = json!({"type": "object", "properties": {"value": {"type": "integer"}}});
        for root in [json!({"oneOf": [variant]}), json!({"$ref": "#/$defs/V", "$defs": {"V": variant}})] {
            assert_eq!(key(&wrap(root)), Some("output"));
        }
        let both = json!({"type": "object", "properties": {"value": {}, "output": {}}});
        assert_eq!(key(&wrap(json!({"anyOf": [variant, both]}))), Some("output_"));
        let nested = json!({"type": "array", "items": variant});
        assert_eq!(key(&wrap(nested)), Some("value"));
    }

    #[test]
    fn only_maps_are_ambiguous() {
        let map = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        let settings = json!({"type": "object", "properties": {"theme": {"type": "string"}}});
        for (root, expected) in [
            (json!({"anyOf": [map, {"type": "null"}]}), true),
            (json!({"oneOf": [{"$ref": "#/$defs/M"}], "$defs": {"M": map}}), true),
            (json!({"anyOf": [true, {"type": "null"}]}), true),
            (json!({"anyOf": [settings, {"type": "null"}]}), false),
            (json!({"type": "array", "items": map}), false),
            (json!({"oneOf": [{"$ref": "#"}]}), false),
            (json!({"title": "AnyValue"}), false),
            (json!(true), false),
        ] {
            assert_eq!(is_ambiguous(&wrap(root.clone())), expected, "{root}");
        }
    }

    #[test]
    fn unions_are_not_plain_objects() {
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
