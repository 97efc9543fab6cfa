//! Rejections by providers, as documented and as seen in their errors. They are written independently of the tested code.
//! Each check returns the errors.

mod anthropic;
mod gemini;
mod local;
mod openai;

use serde_json::{Map, Value};

pub(crate) use anthropic::{anthropic_arguments, anthropic_strict, bedrock_strict};
pub(crate) use gemini::gemini;
pub(crate) use local::{llamacpp, ollama_arguments};
pub(crate) use openai::{openai_arguments, openai_strict};

/// Visits a schema and its subschemas, each with its path.
pub(super) fn visit<'a>(path: &str, schema: &'a Value, each: &mut impl FnMut(&str, &'a Value)) {
    each(path, schema);
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let at = format!("{path}/{keyword}");
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.iter().for_each(|(name, schema)| visit(&format!("{at}/{name}"), schema, each));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems" | "items", Value::Array(list)) => {
                list.iter().enumerate().for_each(|(index, schema)| visit(&format!("{at}/{index}"), schema, each));
            }
            ("items", schema) | ("additionalProperties", schema @ Value::Object(_)) => visit(&at, schema, each),
            _ => {}
        }
    }
}

pub(super) fn is(node: &Map<String, Value>, kind: &str) -> bool {
    match node.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|own| own == kind),
        own => own.is_some_and(|own| own == kind),
    }
}

pub(super) fn names(node: &Map<String, Value>, keyword: &str) -> Vec<String> {
    let list = node.get(keyword).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn properties(node: &Map<String, Value>) -> Vec<String> {
    node.get("properties").and_then(Value::as_object).into_iter().flat_map(|named| named.keys().cloned()).collect()
}

/// Adds the errors of every provider: the root must be an object, and references must lead to definitions.
pub(super) fn everywhere(root: &Value, errors: &mut Vec<String>) {
    if root.get("type").is_none_or(|kind| kind != "object") {
        errors.push(format!("schema must be of type object, got {:?}", root.get("type")));
    }
    for keyword in ["oneOf", "anyOf", "allOf", "enum", "const", "not", "$ref"] {
        if root.get(keyword).is_some() {
            errors.push(format!("`{keyword}` at the top level"));
        }
    }
    visit("", root, &mut |path, node| {
        let Some(reference) = node.get("$ref").and_then(Value::as_str) else { return };
        let target = reference.strip_prefix('#').filter(|to| to.starts_with("/$defs/")).and_then(|to| root.pointer(to));
        if target.is_none() {
            errors.push(format!("{path}: `{reference}` leads nowhere"));
        }
    });
}

/// Keywords that are allowed next to a union or a reference.
pub(super) fn is_self_contained(
    path: &str,
    node: &Map<String, Value>,
    keyword: &str,
    beside: &[&str],
    errors: &mut Vec<String>,
) {
    let allowed = |own: &String| own == keyword || beside.contains(&own.as_str());
    if node.contains_key(keyword) && !node.keys().all(allowed) {
        errors.push(format!("{path}: {:?} beside `{keyword}`", node.keys().collect::<Vec<_>>()));
    }
}

pub(super) const WORDS: [&str; 8] =
    ["description", "title", "default", "examples", "deprecated", "readOnly", "$schema", "$defs"];

/// Returns true if a definition is recursive, only through required properties and list items if `required`.
pub(super) fn is_recursive(root: &Value, required: bool) -> bool {
    fn follow<'a>(root: &'a Value, schema: &'a Value, required: bool, open: &mut Vec<&'a str>) -> bool {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            if open.contains(&reference) {
                return true;
            }
            open.push(reference);
            let found = reference.strip_prefix('#').and_then(|to| root.pointer(to));
            let found = found.is_some_and(|target| follow(root, target, required, open));
            open.pop();
            return found;
        }
        let Some(node) = schema.as_object() else { return false };
        let must = names(node, "required");
        let named = node.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut inside: Vec<&Value> =
            named.filter(|(name, _)| !required || must.contains(name)).map(|(_, schema)| schema).collect();
        inside.extend(node.get("items").filter(|items| items.is_object()));
        inside.extend(["anyOf", "prefixItems"].iter().filter_map(|list| node.get(*list)?.as_array()).flatten());
        inside.extend(node.get("additionalProperties").filter(|_| !required));
        inside.into_iter().any(|schema| follow(root, schema, required, open))
    }
    follow(root, root, required, &mut Vec::new())
}
