//! Schemas that llama.cpp and Ollama reject.

use serde_json::Value;

use super::{WORDS, everywhere, is, is_self_contained, visit};

/// Returns the errors of llama.cpp's converter to grammars.
pub(crate) fn llamacpp(root: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    everywhere(root, &mut errors);
    let shapes = [
        "$ref",
        "oneOf",
        "anyOf",
        "type",
        "const",
        "enum",
        "properties",
        "additionalProperties",
        "allOf",
        "items",
        "prefixItems",
        "pattern",
        "format",
    ];
    visit("", root, &mut |path, schema| {
        let Some(node) = schema.as_object() else {
            return errors.push(format!("{path}: unrecognized schema {schema}"));
        };
        if !shapes.iter().any(|shape| node.contains_key(*shape)) {
            errors.push(format!("{path}: unrecognized schema {schema}"));
        }
        if let Some(reference) = node.get("$ref").and_then(Value::as_str)
            && (!reference.starts_with("#/") || reference.contains(['~', '%']))
        {
            errors.push(format!("{path}: unsupported ref {reference}"));
        }
        if let Some(pattern) = node.get("pattern").and_then(Value::as_str) {
            let class = pattern.contains("\\d") || pattern.contains("\\w") || pattern.contains("\\s");
            if !(pattern.starts_with('^') && pattern.ends_with('$')) || class || pattern.contains("(?") {
                errors.push(format!("{path}: pattern {pattern}"));
            }
        }
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            if is(node, "integer") && node.get(keyword).is_some_and(|bound| bound.as_i64().is_none()) {
                errors.push(format!("{path}: {keyword} is no 64-bit integer"));
            }
        }
        for keyword in ["minLength", "maxLength", "minItems", "maxItems"] {
            if node.get(keyword).is_some_and(|count| count.as_u64().is_none_or(|count| count > 2_000)) {
                errors.push(format!("{path}: number of repetitions exceeds sane defaults"));
            }
        }
        if node.contains_key("items") && node.contains_key("prefixItems") {
            errors.push(format!("{path}: the tuple is not read"));
        }
        for union in ["anyOf", "oneOf"] {
            is_self_contained(path, node, union, &WORDS, &mut errors);
        }
    });
    errors
}

/// Returns the values that Ollama's Go types can't decode, and the keywords that they drop.
pub(crate) fn ollama_arguments(root: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    everywhere(root, &mut errors);
    let mut open: Vec<(String, &Value)> = vec![(String::new(), root)];
    while let Some((path, schema)) = open.pop() {
        let Some(node) = schema.as_object() else {
            errors.push(format!("{path}: cannot unmarshal {schema} into Go struct field"));
            continue;
        };
        for dropped in ["const", "oneOf", "allOf"] {
            if node.contains_key(dropped) {
                errors.push(format!("{path}: `{dropped}` is dropped"));
            }
        }
        let named = node.get("properties").and_then(Value::as_object).into_iter().flatten();
        open.extend(named.map(|(name, schema)| (format!("{path}/{name}"), schema)));
        let branches = node.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        open.extend(branches.map(|schema| (format!("{path}/anyOf"), schema)));
    }
    errors
}
