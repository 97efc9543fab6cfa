//! The root of a tool's schema: an object without a union beside its properties, as every provider wants it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::keywords::{TYPES, texts, types};
use super::merging::{one_object, values};
use super::separating::{Separated, Separator, may_be_object};
use super::{SchemaError, telling};

/// The most forms of arguments that are told in words.
const MOST_FORMS: usize = 50;

/// The deepest union in unions.
const MOST_LEVELS: usize = 32;

/// The schema of an object.
pub(super) struct Root {
    pub(super) object: Map<String, Value>,
    /// The properties by whose presence a form of the arguments is told from another.
    pub(super) telling_apart: Vec<String>,
}

/// Returns the schema of an object for a root.
///
/// # Errors
///
/// Returns [`SchemaError`] if no object fits the root.
pub(super) fn object(root: &Value, separator: &Separator<'_>) -> Result<Root, SchemaError> {
    let root = match root {
        Value::Object(root) => root.clone(),
        Value::Bool(true) => Map::new(),
        _ => return Err(SchemaError::NotASchema),
    };
    let mut branches = Vec::new();
    let annotations = collect(root.clone(), separator, &mut Vec::new(), &mut branches, 0);
    let mut telling_apart = Vec::new();
    let mut object = match branches.len() {
        0 => return Err(SchemaError::NotAnObject { found: found(&root) }),
        1 => branches.pop().unwrap_or_default(),
        _ => {
            let mut object = one_object(&branches);
            telling::append(&mut object, &forms(&branches));
            let of_one = branches.iter().flat_map(|branch| texts(branch, "required"));
            let of_one = of_one.filter(|name| !texts(&object, "required").any(|own| own == *name));
            telling_apart = of_one.map(str::to_owned).collect();
            object
        }
    };
    let described = annotations.get("description").filter(|_| branches.len() > 1).and_then(Value::as_str);
    if let Some(described) = described.map(str::trim_end).filter(|described| !described.is_empty()) {
        let forms = object.get("description").and_then(Value::as_str).unwrap_or_default();
        object.insert("description".to_owned(), format!("{described}\n\n{forms}").into());
    }
    for (keyword, value) in annotations {
        object.entry(keyword).or_insert(value);
    }
    object.insert("type".to_owned(), "object".into());
    // Some providers refuse them at the root, whatever they say.
    let refused = ["not", "enum", "const"].map(|keyword| (keyword, object.shift_remove(keyword)));
    let told: Vec<_> = refused.into_iter().filter_map(|(keyword, value)| Some((keyword, value?))).collect();
    telling::tell(&mut object, &told);
    Ok(Root { object, telling_apart })
}

/// Collects the objects that fit a schema: more than one if it is a union. Returns the annotations of the union.
fn collect(
    node: Map<String, Value>,
    separator: &Separator<'_>,
    inside: &mut Vec<String>,
    branches: &mut Vec<Map<String, Value>>,
    level: usize,
) -> Map<String, Value> {
    let before = inside.len();
    let mut annotations = Map::new();
    match separator.separate(node, inside) {
        Separated::Nothing => {}
        Separated::Plain(node) if may_be_object(&node) => branches.push(node),
        Separated::Plain(_) => {}
        Separated::Reference(node) => {
            if let Some(node) = separator.copied(node, inside).filter(|_| level < MOST_LEVELS) {
                annotations = collect(node, separator, inside, branches, level + 1);
            }
        }
        Separated::Union(parts, beside) => {
            annotations = beside;
            for part in parts.into_iter().filter(|_| level < MOST_LEVELS) {
                match part {
                    Value::Object(part) => {
                        let first = branches.len();
                        let own = collect(part, separator, inside, branches, level + 1);
                        if let Some(branch) = branches.get_mut(first) {
                            for (keyword, value) in own {
                                branch.entry(keyword).or_insert(value);
                            }
                        }
                    }
                    Value::Bool(true) => branches.push(Map::new()),
                    _ => {}
                }
            }
        }
    }
    inside.truncate(before);
    annotations
}

/// The words for a root that is no object.
fn found(root: &Map<String, Value>) -> String {
    match (types(root), values(root)) {
        (Some(types), _) if types.iter().any(|name| !TYPES.contains(name)) => {
            format!("{}, which JSON Schema does not have", json!(types.first()))
        }
        (Some(types), _) => json!(types).to_string().trim_matches(['[', ']']).replace(',', " or "),
        (None, Some(_)) => "a list of values".to_owned(),
        (None, None) => "a union without an object".to_owned(),
    }
}

/// The forms of arguments of which one has to fit, in words.
fn forms(branches: &[Map<String, Value>]) -> String {
    let mut told: Vec<String> = Vec::new();
    for branch in branches {
        let properties = branch.get("properties").and_then(Value::as_object);
        let is_required = |name: &str| texts(branch, "required").any(|own| own == name);
        let undeclared = texts(branch, "required").filter(|name| properties.is_none_or(|own| !own.contains_key(*name)));
        let mut fields: Vec<String> = undeclared.map(str::to_owned).collect();
        for (name, schema) in properties.into_iter().flatten() {
            let mut field = name.clone();
            if let Some([only]) = schema.as_object().and_then(values) {
                // Writing to text can't fail.
                let _ = write!(field, ": {only}");
            }
            if !is_required(name) {
                field.push_str(" (optional)");
            }
            fields.push(field);
        }
        let mut form = format!("- {}", if fields.is_empty() { "nothing".to_owned() } else { fields.join(", ") });
        if let Some(described) = branch.get("description").and_then(Value::as_str) {
            let _ = write!(form, " ({})", described.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if !told.contains(&form) {
            told.push(form);
        }
        if told.len() == MOST_FORMS {
            break;
        }
    }
    format!("Give the arguments of one of these forms:\n{}", told.join("\n"))
}
