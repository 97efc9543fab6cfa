//! Merging of schemas: the intersection of two, and one object for several branches.

use serde_json::{Map, Value, json};

use super::keywords::{is_annotation, texts, types};

/// Keywords that have a meaning only together.
const DEPENDENT_KEYWORDS: [&[&str]; 2] = [&["if", "then", "else"], &["contains", "minContains", "maxContains"]];

/// Lower bounds and upper bounds.
const LOWER_BOUNDS: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER_BOUNDS: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];

/// Returns a schema of the values that fit both, or `None` if no value can. If two bounds have no common form, one of them
/// is dropped: the result may allow more values, never fewer.
pub(super) fn intersection(
    mut first: Map<String, Value>,
    mut second: Map<String, Value>,
) -> Option<Map<String, Value>> {
    let is_bare = |part: &Map<String, Value>| part.keys().all(|keyword| is_annotation(keyword));
    if !is_bare(&first) && !is_bare(&second) {
        // These depend on their sibling keywords.
        for keyword in ["unevaluatedItems", "unevaluatedProperties"] {
            first.shift_remove(keyword);
            second.shift_remove(keyword);
        }
    }
    let (first, mut second) = match (closed(&first), closed(&second)) {
        (true, false) => (first.clone(), without_unknown(second, &first)),
        (false, true) => (without_unknown(first, &second), second),
        _ => (first, second),
    };
    let has_tuple = first.contains_key("prefixItems") || second.contains_key("prefixItems");
    let mut both = first;
    for group in DEPENDENT_KEYWORDS {
        let differs = |keyword: &&str| second.get(*keyword).is_some_and(|theirs| both.get(*keyword) != Some(theirs));
        if group.iter().any(|keyword| both.contains_key(*keyword)) && group.iter().any(differs) {
            group.iter().for_each(|keyword| drop(second.shift_remove(*keyword)));
        }
    }
    merge_types(&mut both, &mut second)?;
    merge_values(&mut both, &mut second)?;
    for (keyword, theirs) in second {
        let Some(ours) = both.get_mut(&keyword) else {
            both.insert(keyword, theirs);
            continue;
        };
        if *ours == theirs || is_annotation(&keyword) {
            continue;
        }
        match keyword.as_str() {
            "properties" | "patternProperties" => merge_named(ours, theirs),
            "required" => merge_lists(ours, theirs),
            keyword if LOWER_BOUNDS.contains(&keyword) && theirs.as_f64() > ours.as_f64() => *ours = theirs,
            keyword if UPPER_BOUNDS.contains(&keyword) && theirs.as_f64() < ours.as_f64() => *ours = theirs,
            "uniqueItems" => *ours = Value::Bool(true),
            "additionalProperties" | "propertyNames" => {
                *ours = all_of(ours.take(), theirs);
            }
            "items" if !has_tuple => *ours = all_of(ours.take(), theirs),
            // A second union goes into `allOf` until the two are multiplied.
            "anyOf" | "oneOf" | "$ref" => {
                let other = Value::Object(Map::from_iter([(keyword, theirs)]));
                if let Value::Array(parts) = both.entry("allOf").or_insert_with(|| json!([])) {
                    parts.push(other);
                }
            }
            "allOf" => {
                if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) {
                    ours.extend(theirs);
                }
            }
            _ => {}
        }
    }
    Some(both)
}

fn closed(keywords: &Map<String, Value>) -> bool {
    keywords.get("additionalProperties") == Some(&Value::Bool(false)) && !keywords.contains_key("patternProperties")
}

/// Removes the properties that a closed object does not declare.
fn without_unknown(mut open: Map<String, Value>, closed: &Map<String, Value>) -> Map<String, Value> {
    let known = closed.get("properties").and_then(Value::as_object);
    if let Some(Value::Object(properties)) = open.get_mut("properties") {
        properties.retain(|name, _| known.is_some_and(|known| known.contains_key(name)));
    }
    open
}

/// Narrows the types of the first to those that both allow. An integer is a number.
fn merge_types(ours: &mut Map<String, Value>, theirs: &mut Map<String, Value>) -> Option<()> {
    let common = match (types(ours), types(theirs)) {
        (Some(one), Some(other)) => {
            let allows =
                |types: &[&str], kind: &str| types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
            let mut common: Vec<String> =
                one.iter().filter(|kind| allows(&other, kind)).map(|&kind| kind.to_owned()).collect();
            let narrower = other.iter().filter(|kind| **kind == "integer" && allows(&one, kind));
            common.extend(
                narrower.map(|&kind| kind.to_owned()).filter(|kind| !common.contains(kind)).collect::<Vec<_>>(),
            );
            common
        }
        _ => return Some(()),
    };
    theirs.shift_remove("type");
    let types = match common.as_slice() {
        [] => return None,
        [only] => json!(only),
        several => json!(several),
    };
    ours.insert("type".to_owned(), types);
    Some(())
}

/// Narrows the values of the first to those that both allow.
fn merge_values(ours: &mut Map<String, Value>, theirs: &mut Map<String, Value>) -> Option<()> {
    let (Some(one), Some(other)) = (values(ours), values(theirs)) else { return Some(()) };
    let common: Vec<Value> = one.iter().filter(|value| other.contains(value)).cloned().collect();
    if common.is_empty() {
        return None;
    }
    if !ours.contains_key("const") {
        ours.insert("enum".to_owned(), common.into());
    }
    theirs.shift_remove("enum");
    theirs.shift_remove("const");
    Some(())
}

/// Returns the allowed values, if the schema lists them.
pub(super) fn values(keywords: &Map<String, Value>) -> Option<&[Value]> {
    match (keywords.get("const"), keywords.get("enum")) {
        (Some(only), _) => Some(std::slice::from_ref(only)),
        (None, Some(Value::Array(listed))) => Some(listed),
        _ => None,
    }
}

fn merge_named(ours: &mut Value, theirs: Value) {
    let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) else { return };
    for (name, theirs) in theirs {
        match ours.get_mut(&name) {
            Some(own) if *own != theirs => *own = all_of(own.take(), theirs),
            Some(_) => {}
            None => drop(ours.insert(name, theirs)),
        }
    }
}

fn merge_lists(ours: &mut Value, theirs: Value) {
    let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) else { return };
    for theirs in theirs {
        if !ours.contains(&theirs) {
            ours.push(theirs);
        }
    }
}

/// Returns a schema of the values that fit both, to be merged when that schema is rewritten.
fn all_of(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Bool(true), other) | (other, Value::Bool(true)) => other,
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (first, second) => json!({"allOf": [first, second]}),
    }
}

/// Returns one object schema for several branches, without a union at its root: it has each property that any branch has,
/// and requires those that all branches require.
pub(super) fn one_object(branches: &[Map<String, Value>]) -> Map<String, Value> {
    let mut properties: Map<String, Value> = Map::new();
    for (name, schema) in branches.iter().filter_map(|branch| branch.get("properties")?.as_object()).flatten() {
        match properties.get_mut(name) {
            Some(known) => *known = any_of(known.take(), schema),
            None => drop(properties.insert(name.clone(), schema.clone())),
        }
    }
    let required: Vec<&str> = branches.first().into_iter().flat_map(|first| texts(first, "required")).collect();
    let is_required = |name: &&str| branches.iter().all(|branch| texts(branch, "required").any(|own| own == *name));
    let required: Vec<&str> = required.into_iter().filter(is_required).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        object.insert("required".to_owned(), required.into());
    }
    let others = |branch: &Map<String, Value>| branch.get("additionalProperties").cloned();
    let by_pattern = branches.iter().any(|branch| branch.contains_key("patternProperties"));
    if let Some(first) = branches.first().and_then(others).filter(|_| !by_pattern)
        && branches.iter().all(|branch| others(branch).as_ref() == Some(&first))
    {
        object.insert("additionalProperties".to_owned(), first);
    }
    object
}

/// Returns a schema of the values that fit either. Two enumerations become one.
fn any_of(first: Value, second: &Value) -> Value {
    if first == *second {
        return first;
    }
    if let (Value::Object(one), Value::Object(other)) = (&first, second)
        && let (Some(ours), Some(theirs)) = (values(one), values(other))
        && one.get("type") == other.get("type")
        && [one, other].iter().all(|part| part.keys().all(|key| is_annotation(key) || is_listing(key)))
    {
        let mut listed = ours.to_vec();
        listed.extend(theirs.iter().filter(|value| !ours.contains(value)).cloned());
        let mut joined = one.clone();
        joined.shift_remove("const");
        // The description applies to one of the values only.
        if one.get("description") != other.get("description") {
            joined.shift_remove("description");
        }
        joined.insert("enum".to_owned(), listed.into());
        return Value::Object(joined);
    }
    match first {
        Value::Object(mut union) if union.len() == 1 && union.contains_key("anyOf") => {
            if let Some(Value::Array(branches)) = union.get_mut("anyOf")
                && !branches.contains(second)
            {
                branches.push(second.clone());
            }
            Value::Object(union)
        }
        first => json!({"anyOf": [first, second]}),
    }
}

fn is_listing(keyword: &str) -> bool {
    matches!(keyword, "type" | "const" | "enum")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    fn both(first: Value, second: Value) -> Option<Value> {
        intersection(object(first), object(second)).map(Value::Object)
    }

    #[test]
    fn keeps_the_narrower_bound() {
        assert_eq!(
            both(
                json!({"type": ["number", "string"], "minimum": 1, "maximum": 9, "description": "Ours."}),
                json!({"type": ["integer", "null"], "minimum": 3, "maximum": 10, "description": "Theirs."}),
            ),
            Some(json!({"type": "integer", "minimum": 3, "maximum": 9, "description": "Ours."}))
        );
        assert_eq!(both(json!({"type": "string"}), json!({"type": "null"})), None);
        assert_eq!(both(json!({"enum": [1, 2]}), json!({"const": 2})), Some(json!({"enum": [2]})));
        assert_eq!(both(json!({"const": "a"}), json!({"const": "b"})), None);
    }

    #[test]
    fn merges_the_properties_of_both_objects() {
        assert_eq!(
            both(
                json!({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}),
                json!({"properties": {"a": {"minLength": 1}, "c": {}}, "required": ["a", "c"]}),
            ),
            Some(json!({
                "properties": {"a": {"allOf": [{"type": "string"}, {"minLength": 1}]}, "b": {}, "c": {}},
                "required": ["a", "c"],
            }))
        );
        let closed = json!({"properties": {"a": {}}, "additionalProperties": false});
        assert_eq!(both(json!({"properties": {"b": {}}}), closed.clone()), Some(closed));
    }

    #[test]
    fn merges_branches_into_one_object() {
        let branch = |tag: &str, field: &str| {
            let properties =
                json!({"kind": {"type": "string", "const": tag}, field: {"type": "string"}, "n": {"type": tag}});
            object(
                json!({"type": "object", "properties": properties, "required": ["kind", field], "additionalProperties": false}),
            )
        };
        assert_eq!(
            Value::Object(one_object(&[branch("string", "x"), branch("integer", "y"), branch("null", "x")])),
            json!({
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": ["string", "integer", "null"]},
                    "x": {"type": "string"},
                    "n": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
                    "y": {"type": "string"},
                },
                "required": ["kind"],
                "additionalProperties": false,
            })
        );
    }
}
