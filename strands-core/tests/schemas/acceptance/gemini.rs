//! Refusals of Gemini.

use serde_json::Value;

use super::{everywhere, is, leads_back, names, properties, stands_alone, visit};

pub(crate) fn gemini(root: &Value) -> Vec<String> {
    let mut refusals = Vec::new();
    everywhere(root, &mut refusals);
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
        let Some(node) = schema.as_object() else { return refusals.push(format!("{path}: {schema}")) };
        if node.contains_key("$ref") && node.keys().any(|own| !own.starts_with('$')) {
            refusals.push(format!("{path}: can only contain properties starting with '$' when $ref is present"));
        }
        refusals.extend(node.keys().filter(|own| !known.contains(&own.as_str())).map(|own| format!("{path}: {own}")));
        stands_alone(path, node, "anyOf", &["description", "title", "default"], &mut refusals);
        if node
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.iter().all(|v| v.is_string() || v.is_number()))
        {
            refusals.push(format!("{path}: enum of other values than strings and numbers"));
        }
        let kinds = node.get("type").and_then(Value::as_array).into_iter().flatten().filter(|kind| *kind != "null");
        if kinds.count() > 1 {
            refusals.push(format!("{path}: several types"));
        }
        let named = properties(node);
        let undeclared = names(node, "required").into_iter().filter(|name| !named.contains(name));
        refusals.extend(undeclared.map(|name| format!("{path}: required `{name}` is not defined")));
        if is(node, "array") && !node.contains_key("items") && !node.contains_key("prefixItems") {
            refusals.push(format!("{path}: items: missing field"));
        }
    });
    if leads_back(root, true) {
        refusals.push("a cycle through required properties".to_owned());
    }
    refusals
}
