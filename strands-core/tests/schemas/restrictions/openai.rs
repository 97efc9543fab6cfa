//! Schemas that OpenAI rejects.

use serde_json::Value;

use super::{WORDS, everywhere, is, is_self_contained, names, properties, visit};

pub(crate) fn openai_arguments(root: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    everywhere(root, &mut errors);
    if !root.get("properties").is_some_and(Value::is_object) {
        errors.push("object schema missing properties".to_owned());
    }
    visit("", root, &mut |path, schema| {
        let Some(node) = schema.as_object() else {
            return errors.push(format!("{path}: {schema} is not of type 'object'"));
        };
        let is_array = is(node, "array") || node.contains_key("prefixItems");
        if is_array && !node.get("items").is_some_and(Value::is_object) {
            errors.push(format!("{path}: array schema missing items"));
        }
        for union in ["anyOf", "oneOf"] {
            is_self_contained(path, node, union, &WORDS, &mut errors);
        }
    });
    errors
}

pub(crate) fn openai_strict(root: &Value) -> Vec<String> {
    let mut errors = openai_arguments(root);
    let known = [
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    ];
    let formats = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
    let (mut count, mut values) = (0, 0);
    visit("", root, &mut |path, schema| {
        let Some(node) = schema.as_object() else { return };
        errors.extend(
            node.keys()
                .filter(|own| !known.contains(&own.as_str()))
                .map(|own| format!("{path}: '{own}' is not permitted")),
        );
        is_self_contained(path, node, "$ref", &[], &mut errors);
        if !["type", "$ref", "anyOf"].iter().any(|kind| node.contains_key(*kind)) {
            errors.push(format!("{path}: schema must have a 'type' key"));
        }
        if is(node, "object") {
            if node.get("additionalProperties") != Some(&Value::Bool(false)) {
                errors.push(format!("{path}: 'additionalProperties' is required to be supplied and to be false"));
            }
            let (mut required, mut named) = (names(node, "required"), properties(node));
            count += named.len();
            required.sort();
            named.sort();
            if required != named || !node.contains_key("required") {
                errors.push(format!("{path}: 'required' must include every key in properties and no other"));
            }
        }
        if let Some(format) = node.get("format")
            && !formats.iter().any(|known| format == known)
        {
            errors.push(format!("{path}: '{format}' is not a valid format"));
        }
        if let Some(pattern) = node.get("pattern").and_then(Value::as_str)
            && ["(?=", "(?!", "(?<"].iter().any(|look| pattern.contains(look))
        {
            errors.push(format!("{path}: lookaround"));
        }
        values += node.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        if node
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|v| v.is_object() || v.is_array()))
        {
            errors.push(format!("{path}: enum of objects"));
        }
    });
    if count > 5_000 || values > 1_000 {
        errors.push(format!("{count} properties, {values} values"));
    }
    if depth(root) > 10 {
        errors.push("more than 10 levels".to_owned());
    }
    errors
}

/// Returns the nesting depth of objects.
fn depth(schema: &Value) -> usize {
    let own = usize::from(schema.as_object().is_some_and(|node| is(node, "object")));
    let mut inside = 0;
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let deepest = match (keyword.as_str(), value) {
            ("properties", Value::Object(named)) => named.values().map(depth).max(),
            ("anyOf", Value::Array(list)) => list.iter().map(depth).max(),
            ("items", schema) => Some(depth(schema)),
            _ => None,
        };
        inside = inside.max(deepest.unwrap_or(0));
    }
    own + inside
}
