//! Types and scalar keywords: inferred types, type lists split into unions, accepted patterns and enumerations.

use serde_json::{Map, Value, json};

use super::dialect::{Patterns, Rules, TypeLists, Values};
use super::keywords::{is_annotation, type_of, types};
use super::merging::values;

const OBJECTS: [&str; 8] = [
    "additionalProperties",
    "maxProperties",
    "minProperties",
    "patternProperties",
    "properties",
    "propertyNames",
    "required",
    "unevaluatedProperties",
];
const ARRAYS: [&str; 9] = [
    "contains",
    "items",
    "maxContains",
    "maxItems",
    "minContains",
    "minItems",
    "prefixItems",
    "unevaluatedItems",
    "uniqueItems",
];
const TEXTS: [&str; 6] = ["contentEncoding", "contentMediaType", "format", "maxLength", "minLength", "pattern"];
const NUMBERS: [&str; 5] = ["exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"];

pub(super) fn is_about_objects(node: &Map<String, Value>) -> bool {
    OBJECTS.iter().any(|keyword| node.contains_key(*keyword))
}

pub(super) fn is_about_arrays(node: &Map<String, Value>) -> bool {
    ARRAYS.iter().any(|keyword| node.contains_key(*keyword))
}

/// Infers the types of a schema without `type` from its other keywords.
pub(super) fn inferred(node: &Map<String, Value>) -> Vec<String> {
    if let Some(listed) = values(node) {
        let mut types: Vec<String> = Vec::new();
        for value in listed {
            let kind = type_of(value).to_owned();
            if !types.contains(&kind) {
                types.push(kind);
            }
        }
        return types;
    }
    let about = |keywords: &[&str]| keywords.iter().any(|keyword| node.contains_key(*keyword));
    let kinds = [(&OBJECTS[..], "object"), (&ARRAYS[..], "array"), (&TEXTS[..], "string"), (&NUMBERS[..], "number")];
    kinds.into_iter().filter(|(keywords, _)| about(keywords)).map(|(_, kind)| kind.to_owned()).collect()
}

/// Returns true if `null` is among the declared types.
pub(super) fn names_null(schema: &Value) -> bool {
    schema.as_object().and_then(types).is_some_and(|types| types.contains(&"null"))
}

/// Splits a schema with several types into one schema for each type, if the provider rejects the list of types. Returns the
/// schemas and their common annotations.
pub(super) fn split(node: &Map<String, Value>, rules: &Rules) -> Option<(Vec<Value>, Map<String, Value>)> {
    let listed = values(node);
    let kinds: Vec<String> = match types(node) {
        Some(types) => types.into_iter().map(str::to_owned).collect(),
        None if listed.is_some() && rules.type_lists != TypeLists::Any => inferred(node),
        None => return None,
    };
    let others = kinds.iter().filter(|kind| *kind != "null").count();
    let is_taken = kinds.len() < 2
        || match rules.type_lists {
            TypeLists::Any => true,
            TypeLists::WithoutValues => listed.is_none(),
            TypeLists::Nullable => listed.is_none() && others < 2,
        };
    if is_taken {
        return None;
    }
    let branches = kinds.iter().filter_map(|kind| one_kind(node, kind)).map(Value::Object).collect();
    let annotations = node.iter().filter(|(keyword, _)| is_annotation(keyword));
    Some((branches, annotations.map(|(keyword, value)| (keyword.clone(), value.clone())).collect()))
}

/// Returns the keywords of a schema that apply to one type, or `None` if its enumeration has no value of that type.
fn one_kind(node: &Map<String, Value>, kind: &str) -> Option<Map<String, Value>> {
    let about: &[&str] = match kind {
        "object" => &OBJECTS,
        "array" => &ARRAYS,
        "string" => &TEXTS,
        "integer" | "number" => &NUMBERS,
        _ => &[],
    };
    let mut own = Map::new();
    own.insert("type".to_owned(), kind.into());
    own.extend(
        node.iter()
            .filter(|(keyword, _)| about.contains(&keyword.as_str()))
            .map(|(keyword, value)| (keyword.clone(), value.clone())),
    );
    if let Some(listed) = values(node) {
        let is_own = |value: &&Value| type_of(value) == kind || (kind == "number" && value.is_number());
        let listed: Vec<Value> = listed.iter().filter(is_own).cloned().collect();
        if listed.is_empty() {
            return None;
        }
        if kind != "null" && !(kind == "boolean" && listed.len() > 1) {
            own.insert("enum".to_owned(), listed.into());
        }
    }
    Some(own)
}

/// Returns true if the provider accepts an enumeration of these values.
pub(super) fn accepts_values(rule: Values, listed: &[Value]) -> bool {
    match rule {
        Values::Any => true,
        Values::Scalars => listed.iter().all(|value| !value.is_array() && !value.is_object()),
        Values::StringsAndNumbers => listed.iter().all(|value| value.is_string() || value.is_number()),
    }
}

/// Returns true if the provider accepts a pattern.
pub(super) fn accepts_pattern(rule: Patterns, pattern: &Value) -> bool {
    let Some(pattern) = pattern.as_str() else { return false };
    match rule {
        Patterns::Any => true,
        Patterns::None => false,
        Patterns::Regular => is_regular(pattern),
        Patterns::Anchored => is_grammatical(pattern),
    }
}

/// Returns true for a pattern without lookaround, back references and word boundaries.
fn is_regular(pattern: &str) -> bool {
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(escaped) if escaped.is_ascii_digit() || "kbBpPGAzZ".contains(escaped) => return false,
                _ => {}
            },
            '(' if letters.peek() == Some(&'?') => {
                letters.next();
                if letters.peek() != Some(&':') {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// Returns true for a pattern that llama.cpp converts to an equivalent grammar: anchored with `^` and `$`, made of literals,
/// classes, groups and repetitions, with escapes of punctuation only.
fn is_grammatical(pattern: &str) -> bool {
    let Some(inner) = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')) else { return false };
    if inner.is_empty() || inner.ends_with('\\') {
        return false;
    }
    let (mut groups, mut in_class, mut can_repeat) = (0_usize, false, false);
    let mut letters = inner.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if in_class => return false,
            '\\' => match letters.next() {
                Some(escaped) if ".[](){}*+?|^$".contains(escaped) => can_repeat = true,
                _ => return false,
            },
            ']' if in_class => (in_class, can_repeat) = (false, true),
            '[' if in_class => return false,
            _ if in_class => {}
            '[' => {
                if letters.peek() == Some(&']') {
                    return false;
                }
                in_class = true;
            }
            ']' | '}' | '^' | '$' | '"' => return false,
            '(' => {
                if matches!(letters.peek(), Some('?' | ')' | '|')) {
                    return false;
                }
                groups += 1;
                can_repeat = false;
            }
            ')' => {
                let Some(open) = groups.checked_sub(1) else { return false };
                groups = open;
                can_repeat = true;
            }
            // The anchors would not apply to top-level alternatives.
            '|' => {
                if groups == 0 || !can_repeat || matches!(letters.peek(), Some(')' | '|') | None) {
                    return false;
                }
                can_repeat = false;
            }
            '*' | '+' | '?' => {
                if !can_repeat {
                    return false;
                }
                can_repeat = false;
            }
            '{' => {
                let counts: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                let fits = |count: &str| count.parse::<u16>().is_ok_and(|count| count <= 100);
                let (least, most) = counts.split_once(',').unwrap_or((&counts, &counts));
                if !can_repeat || !fits(least) || !(most.is_empty() || fits(most)) {
                    return false;
                }
                can_repeat = false;
            }
            letter if letter.is_control() => return false,
            _ => can_repeat = true,
        }
    }
    groups == 0 && !in_class
}

/// Returns a schema that allows any of the item schemas, without duplicates.
pub(super) fn any_of_these(items: &[Value]) -> Value {
    let mut different: Vec<&Value> = Vec::new();
    for item in items {
        if !different.contains(&item) {
            different.push(item);
        }
    }
    match different.as_slice() {
        [] => json!({}),
        [only] => (*only).clone(),
        several => json!({"anyOf": several}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_patterns_that_grammars_can_express() {
        for pattern in ["^a$", "^[a-z]{2,5}-[0-9]+$", "^(ab|c)*$", r"^\$[0-9]+\.[0-9]{2}$", "^.+@.+$"] {
            assert!(is_grammatical(pattern), "{pattern}");
        }
        for pattern in [
            "a",
            "^a",
            "a$",
            "^a|b$",
            r"^\d+$",
            r"^\w+$",
            "^(?:a)$",
            "^(?=a)b$",
            "^*$",
            "^(a$",
            "^a)$",
            "^[a$",
            r"^a\$",
            "^a{1,5000}$",
            "^a{,3}$",
            "^a**$",
            "^$",
            r"^[\d]$",
            "^a\"b$",
            "^()$",
        ] {
            assert!(!is_grammatical(pattern), "{pattern}");
        }
    }

    #[test]
    fn rejects_patterns_with_lookaround() {
        for pattern in ["a|b", r"^\d{3}$", "(?:a)", r"\(\?"] {
            assert!(is_regular(pattern), "{pattern}");
        }
        for pattern in ["(?=a)b", "(?!a)", r"(a)\1", r"\bword", "(?<name>a)", r"\p{L}"] {
            assert!(!is_regular(pattern), "{pattern}");
        }
    }
}
