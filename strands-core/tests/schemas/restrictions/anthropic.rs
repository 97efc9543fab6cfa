//! Schemas that Anthropic and Bedrock reject.

use serde_json::Value;

use super::{everywhere, is, is_recursive, is_self_contained, names, properties, visit};

/// Anthropic checks the names of the root's properties.
fn plain_names(root: &Value, errors: &mut Vec<String>) {
    let is_plain = |name: &String| {
        (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let odd = root.as_object().map(properties).unwrap_or_default().into_iter().filter(|name| !is_plain(name));
    errors.extend(odd.map(|name| format!("Property keys should match pattern '^[a-zA-Z0-9_.-]{{1,64}}$': {name}")));
}

pub(crate) fn anthropic_arguments(root: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    everywhere(root, &mut errors);
    plain_names(root, &mut errors);
    errors
}

pub(crate) fn anthropic_strict(root: &Value) -> Vec<String> {
    let mut errors = anthropic_arguments(root);
    let known = [
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "minItems",
        "properties",
        "required",
        "title",
        "type",
    ];
    let formats = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];
    let (mut optional, mut unions) = (0, 0);
    visit("", root, &mut |path, schema| {
        let Some(node) = schema.as_object() else { return errors.push(format!("{path}: {schema}")) };
        for own in node.keys().filter(|own| !known.contains(&own.as_str())) {
            errors.push(format!("{path}: property '{own}' is not supported"));
        }
        is_self_contained(path, node, "$ref", &["$defs"], &mut errors);
        is_self_contained(path, node, "anyOf", &["description", "title", "default"], &mut errors);
        if !["type", "$ref", "anyOf", "enum", "const"].iter().any(|kind| node.contains_key(*kind)) {
            errors.push(format!("{path}: any type"));
        }
        let is_list = node.get("type").is_some_and(Value::is_array);
        unions += usize::from(is_list || node.contains_key("anyOf"));
        if is_list && (node.contains_key("enum") || node.contains_key("const")) {
            errors.push(format!("{path}: enum value does not match declared type"));
        }
        if is(node, "object") {
            if node.get("additionalProperties") != Some(&Value::Bool(false)) {
                errors.push(format!("{path}: 'additionalProperties' must be explicitly set to false"));
            }
            let required = names(node, "required");
            optional += properties(node).iter().filter(|name| !required.contains(name)).count();
        }
        if is(node, "array") && !node.contains_key("items") {
            errors.push(format!("{path}: array without items"));
        }
        if node.get("minItems").is_some_and(|least| least.as_u64().is_none_or(|least| least > 1)) {
            errors.push(format!("{path}: 'minItems' values other than 0 or 1 are not supported"));
        }
        if node.get("format").is_some_and(|format| !formats.iter().any(|known| format == known)) {
            errors.push(format!("{path}: format"));
        }
        let composite = |value: &Value| value.is_object() || value.is_array();
        if node.get("const").is_some_and(composite)
            || node.get("enum").and_then(Value::as_array).is_some_and(|list| list.iter().any(composite))
        {
            errors.push(format!("{path}: complex types within enums"));
        }
    });
    if optional > 24 || unions > 16 {
        errors.push(format!("{optional} optional parameters, {unions} unions"));
    }
    if is_recursive(root, false) {
        errors.push("recursive schema".to_owned());
    }
    errors
}

pub(crate) fn bedrock_strict(root: &Value) -> Vec<String> {
    let mut errors = anthropic_strict(root);
    visit("", root, &mut |path, node| {
        if node.get("const").is_some() {
            errors.push(format!("{path}: 'const' is not supported"));
        }
    });
    errors
}
