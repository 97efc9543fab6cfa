//! Schemas that Gemini rejects.

use serde_json::Value;

use super::{everywhere, is, is_recursive, is_self_contained, names, properties, visit};

pub(crate) fn gemini(root: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    everywhere(root, &mut errors);
    let known = [
        "$defs",
        "$ref",
        "$id",
        "$anchor",
        "type",
        "format",
        "title",
        "description",
        "default",
        "enum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "anyOf",
        "oneOf",
        "properties",
        "additionalProperties",
        "required",
    ];
    visit("", root, &mut |path, schema| {
        let Some(node) = schema.as_object() else { return errors.push(format!("{path}: {schema}")) };
        if node.contains_key("$ref") && node.keys().any(|own| !own.starts_with('$')) {
            errors.push(format!("{path}: can only contain properties starting with '$' when $ref is present"));
        }
        errors.extend(node.keys().filter(|own| !known.contains(&own.as_str())).map(|own| format!("{path}: {own}")));
        is_self_contained(path, node, "anyOf", &["description", "title", "default"], &mut errors);
        if node
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.iter().all(|v| v.is_string() || v.is_number()))
        {
            errors.push(format!("{path}: enum of other values than strings and numbers"));
        }
        let kinds = node.get("type").and_then(Value::as_array).into_iter().flatten().filter(|kind| *kind != "null");
        if kinds.count() > 1 {
            errors.push(format!("{path}: several types"));
        }
        let named = properties(node);
        let undeclared = names(node, "required").into_iter().filter(|name| !named.contains(name));
        errors.extend(undeclared.map(|name| format!("{path}: required `{name}` is not defined")));
        if is(node, "array") && !node.contains_key("items") && !node.contains_key("prefixItems") {
            errors.push(format!("{path}: items: missing field"));
        }
    });
    if is_recursive(root, true) {
        errors.push("a cycle through required properties".to_owned());
    }
    errors
}
