//! What providers refuse of a schema, as their documentation and their errors say: written apart from the code that it
//! checks. Each check returns the refusals.

use serde_json::{Map, Value};

/// Visits a schema and all that stand in it, each with its path.
fn visit<'a>(path: &str, schema: &'a Value, each: &mut impl FnMut(&str, &'a Value)) {
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

fn is(node: &Map<String, Value>, kind: &str) -> bool {
    match node.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|own| own == kind),
        own => own.is_some_and(|own| own == kind),
    }
}

fn names(node: &Map<String, Value>, keyword: &str) -> Vec<String> {
    let list = node.get(keyword).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn properties(node: &Map<String, Value>) -> Vec<String> {
    node.get("properties").and_then(Value::as_object).into_iter().flat_map(|named| named.keys().cloned()).collect()
}

/// Refusals of every provider: the root is an object, references lead to definitions.
fn everywhere(root: &Value, refusals: &mut Vec<String>) {
    if root.get("type").is_none_or(|kind| kind != "object") {
        refusals.push(format!("schema must be of type object, got {:?}", root.get("type")));
    }
    for keyword in ["oneOf", "anyOf", "allOf", "enum", "const", "not", "$ref"] {
        if root.get(keyword).is_some() {
            refusals.push(format!("`{keyword}` at the top level"));
        }
    }
    visit("", root, &mut |path, node| {
        let Some(reference) = node.get("$ref").and_then(Value::as_str) else { return };
        let target = reference.strip_prefix('#').filter(|to| to.starts_with("/$defs/")).and_then(|to| root.pointer(to));
        if target.is_none() {
            refusals.push(format!("{path}: `{reference}` leads nowhere"));
        }
    });
}

/// Keywords that may stand beside a union or a reference.
fn stands_alone(path: &str, node: &Map<String, Value>, keyword: &str, beside: &[&str], refusals: &mut Vec<String>) {
    let allowed = |own: &String| own == keyword || beside.contains(&own.as_str());
    if node.contains_key(keyword) && !node.keys().all(allowed) {
        refusals.push(format!("{path}: {:?} beside `{keyword}`", node.keys().collect::<Vec<_>>()));
    }
}

const WORDS: [&str; 8] = ["description", "title", "default", "examples", "deprecated", "readOnly", "$schema", "$defs"];

pub(crate) fn openai_arguments(root: &Value) -> Vec<String> {
    let mut refusals = Vec::new();
    everywhere(root, &mut refusals);
    if !root.get("properties").is_some_and(Value::is_object) {
        refusals.push("object schema missing properties".to_owned());
    }
    visit("", root, &mut |path, schema| {
        let Some(node) = schema.as_object() else {
            return refusals.push(format!("{path}: {schema} is not of type 'object'"));
        };
        let is_array = is(node, "array") || node.contains_key("prefixItems");
        if is_array && !node.get("items").is_some_and(Value::is_object) {
            refusals.push(format!("{path}: array schema missing items"));
        }
        for union in ["anyOf", "oneOf"] {
            stands_alone(path, node, union, &WORDS, &mut refusals);
        }
    });
    refusals
}

pub(crate) fn openai_held(root: &Value) -> Vec<String> {
    let mut refusals = openai_arguments(root);
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
        refusals.extend(
            node.keys()
                .filter(|own| !known.contains(&own.as_str()))
                .map(|own| format!("{path}: '{own}' is not permitted")),
        );
        stands_alone(path, node, "$ref", &[], &mut refusals);
        if !["type", "$ref", "anyOf"].iter().any(|kind| node.contains_key(*kind)) {
            refusals.push(format!("{path}: schema must have a 'type' key"));
        }
        if is(node, "object") {
            if node.get("additionalProperties") != Some(&Value::Bool(false)) {
                refusals.push(format!("{path}: 'additionalProperties' is required to be supplied and to be false"));
            }
            let (mut required, mut named) = (names(node, "required"), properties(node));
            count += named.len();
            required.sort();
            named.sort();
            if required != named || !node.contains_key("required") {
                refusals.push(format!("{path}: 'required' must include every key in properties and no other"));
            }
        }
        if let Some(format) = node.get("format")
            && !formats.iter().any(|known| format == known)
        {
            refusals.push(format!("{path}: '{format}' is not a valid format"));
        }
        if let Some(pattern) = node.get("pattern").and_then(Value::as_str)
            && ["(?=", "(?!", "(?<"].iter().any(|look| pattern.contains(look))
        {
            refusals.push(format!("{path}: lookaround"));
        }
        values += node.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        if node
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|v| v.is_object() || v.is_array()))
        {
            refusals.push(format!("{path}: enum of objects"));
        }
    });
    if count > 5_000 || values > 1_000 {
        refusals.push(format!("{count} properties, {values} values"));
    }
    if depth(root) > 10 {
        refusals.push("more than 10 levels".to_owned());
    }
    refusals
}

/// How many objects stand in each other.
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

/// True if a definition leads back to itself, through required properties and list items alone if `required`.
fn leads_back(root: &Value, required: bool) -> bool {
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

/// What llama.cpp's converter to grammars fails at.
pub(crate) fn llamacpp(root: &Value) -> Vec<String> {
    let mut refusals = Vec::new();
    everywhere(root, &mut refusals);
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
            return refusals.push(format!("{path}: unrecognized schema {schema}"));
        };
        if !shapes.iter().any(|shape| node.contains_key(*shape)) {
            refusals.push(format!("{path}: unrecognized schema {schema}"));
        }
        if let Some(reference) = node.get("$ref").and_then(Value::as_str)
            && (!reference.starts_with("#/") || reference.contains(['~', '%']))
        {
            refusals.push(format!("{path}: unsupported ref {reference}"));
        }
        if let Some(pattern) = node.get("pattern").and_then(Value::as_str) {
            let class = pattern.contains("\\d") || pattern.contains("\\w") || pattern.contains("\\s");
            if !(pattern.starts_with('^') && pattern.ends_with('$')) || class || pattern.contains("(?") {
                refusals.push(format!("{path}: pattern {pattern}"));
            }
        }
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            if is(node, "integer") && node.get(keyword).is_some_and(|bound| bound.as_i64().is_none()) {
                refusals.push(format!("{path}: {keyword} is no 64-bit integer"));
            }
        }
        for keyword in ["minLength", "maxLength", "minItems", "maxItems"] {
            if node.get(keyword).is_some_and(|count| count.as_u64().is_none_or(|count| count > 2_000)) {
                refusals.push(format!("{path}: number of repetitions exceeds sane defaults"));
            }
        }
        if node.contains_key("items") && node.contains_key("prefixItems") {
            refusals.push(format!("{path}: the tuple is not read"));
        }
        let beside: Vec<_> = WORDS.iter().copied().collect();
        for union in ["anyOf", "oneOf"] {
            stands_alone(path, node, union, &beside, &mut refusals);
        }
    });
    refusals
}

/// What Ollama's Go types can't read, or drop.
pub(crate) fn ollama_arguments(root: &Value) -> Vec<String> {
    let mut refusals = Vec::new();
    everywhere(root, &mut refusals);
    let mut open: Vec<(String, &Value)> = vec![(String::new(), root)];
    while let Some((path, schema)) = open.pop() {
        let Some(node) = schema.as_object() else {
            refusals.push(format!("{path}: cannot unmarshal {schema} into Go struct field"));
            continue;
        };
        for dropped in ["const", "oneOf", "allOf"] {
            if node.contains_key(dropped) {
                refusals.push(format!("{path}: `{dropped}` is dropped"));
            }
        }
        let named = node.get("properties").and_then(Value::as_object).into_iter().flatten();
        open.extend(named.map(|(name, schema)| (format!("{path}/{name}"), schema)));
        let branches = node.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        open.extend(branches.map(|schema| (format!("{path}/anyOf"), schema)));
    }
    refusals
}
