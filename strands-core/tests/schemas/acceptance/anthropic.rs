//! Refusals of Anthropic and Bedrock.

use serde_json::Value;

use super::{everywhere, is, leads_back, names, properties, stands_alone, visit};

/// Anthropic checks the names of the root's properties.
fn plain_names(root: &Value, refusals: &mut Vec<String>) {
    let is_plain = |name: &String| {
        (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let odd = root.as_object().map(properties).unwrap_or_default().into_iter().filter(|name| !is_plain(name));
    refusals.extend(odd.map(|name| format!("Property keys should match pattern '^[a-zA-Z0-9_.-]{{1,64}}$': {name}")));
}

pub(crate) fn anthropic_arguments(root: &Value) -> Vec<String> {
    let mut refusals = Vec::new();
    everywhere(root, &mut refusals);
    plain_names(root, &mut refusals);
    refusals
}

pub(crate) fn anthropic_held(root: &Value) -> Vec<String> {
    let mut refusals = anthropic_arguments(root);
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
        let Some(node) = schema.as_object() else { return refusals.push(format!("{path}: {schema}")) };
        for own in node.keys().filter(|own| !known.contains(&own.as_str())) {
            refusals.push(format!("{path}: property '{own}' is not supported"));
        }
        stands_alone(path, node, "$ref", &["$defs"], &mut refusals);
        stands_alone(path, node, "anyOf", &["description", "title", "default"], &mut refusals);
        if !["type", "$ref", "anyOf", "enum", "const"].iter().any(|kind| node.contains_key(*kind)) {
            refusals.push(format!("{path}: any type"));
        }
        let is_list = node.get("type").is_some_and(Value::is_array);
        unions += usize::from(is_list || node.contains_key("anyOf"));
        if is_list && (node.contains_key("enum") || node.contains_key("const")) {
            refusals.push(format!("{path}: enum value does not match declared type"));
        }
        if is(node, "object") {
            if node.get("additionalProperties") != Some(&Value::Bool(false)) {
                refusals.push(format!("{path}: 'additionalProperties' must be explicitly set to false"));
            }
            let required = names(node, "required");
            optional += properties(node).iter().filter(|name| !required.contains(name)).count();
        }
        if is(node, "array") && !node.contains_key("items") {
            refusals.push(format!("{path}: array without items"));
        }
        if node.get("minItems").is_some_and(|least| least.as_u64().is_none_or(|least| least > 1)) {
            refusals.push(format!("{path}: 'minItems' values other than 0 or 1 are not supported"));
        }
        if node.get("format").is_some_and(|format| !formats.iter().any(|known| format == known)) {
            refusals.push(format!("{path}: format"));
        }
        let composite = |value: &Value| value.is_object() || value.is_array();
        if node.get("const").is_some_and(composite)
            || node.get("enum").and_then(Value::as_array).is_some_and(|list| list.iter().any(composite))
        {
            refusals.push(format!("{path}: complex types within enums"));
        }
    });
    if optional > 24 || unions > 16 {
        refusals.push(format!("{optional} optional parameters, {unions} unions"));
    }
    if leads_back(root, false) {
        refusals.push("recursive schema".to_owned());
    }
    refusals
}

pub(crate) fn bedrock_held(root: &Value) -> Vec<String> {
    let mut refusals = anthropic_held(root);
    visit("", root, &mut |path, node| {
        if node.get("const").is_some() {
            refusals.push(format!("{path}: 'const' is not supported"));
        }
    });
    refusals
}
