//! Root of a tool's schema: an object without a union beside its properties, as every provider requires.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::composition::{Resolved, Resolver, may_be_object};
use super::keywords::{texts, types};
use super::merging::{one_object, values};
use super::{ToolSchemaError, descriptions};

/// The most variants that are listed in the description.
const MAX_VARIANTS: usize = 50;

/// The deepest nesting of unions.
const MAX_LEVELS: usize = 32;

/// The schema of an object.
pub(super) struct Root {
    pub(super) object: Map<String, Value>,
    /// The properties whose presence distinguishes the branches of a union.
    pub(super) distinguishing: Vec<String>,
}

/// Converts the root of a schema to the schema of one object.
///
/// # Errors
///
/// Returns [`ToolSchemaError`] if no object fits the root.
pub(super) fn object(root: &Value, resolver: &Resolver<'_>) -> Result<Root, ToolSchemaError> {
    let root = match root {
        Value::Object(root) => root.clone(),
        Value::Bool(true) => Map::new(),
        _ => return Err(ToolSchemaError::NotASchema),
    };
    let mut branches = Vec::new();
    let annotations = collect(root.clone(), resolver, &mut Vec::new(), &mut branches, 0);
    let mut distinguishing = Vec::new();
    let mut object = match branches.len() {
        0 => return Err(ToolSchemaError::NotAnObject { found: found(&root) }),
        1 => branches.pop().unwrap_or_default(),
        _ => {
            let mut object = one_object(&branches);
            descriptions::append(&mut object, &describe_variants(&branches));
            let of_one = branches.iter().flat_map(|branch| texts(branch, "required"));
            let of_one = of_one.filter(|name| !texts(&object, "required").any(|own| own == *name));
            distinguishing = of_one.map(str::to_owned).collect();
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
    // Some providers reject these keywords at the root.
    let rejected = ["not", "enum", "const"].map(|keyword| (keyword, object.shift_remove(keyword)));
    let constraints: Vec<_> = rejected.into_iter().filter_map(|(keyword, value)| Some((keyword, value?))).collect();
    descriptions::add_constraints(&mut object, &constraints);
    Ok(Root { object, distinguishing })
}

/// Collects the object schemas that a schema allows: more than one for a union. Returns the annotations of the union.
fn collect(
    node: Map<String, Value>,
    resolver: &Resolver<'_>,
    expanding: &mut Vec<String>,
    branches: &mut Vec<Map<String, Value>>,
    level: usize,
) -> Map<String, Value> {
    let before = expanding.len();
    let mut annotations = Map::new();
    match resolver.resolve(node, expanding) {
        Resolved::Never => {}
        Resolved::Plain(node) if may_be_object(&node) => branches.push(node),
        Resolved::Plain(_) => {}
        Resolved::Reference(node) => {
            if let Some(node) = resolver.copied(node, expanding).filter(|_| level < MAX_LEVELS) {
                annotations = collect(node, resolver, expanding, branches, level + 1);
            }
        }
        Resolved::Union(parts, beside) => {
            annotations = beside;
            for part in parts.into_iter().filter(|_| level < MAX_LEVELS) {
                match part {
                    Value::Object(part) => {
                        let first = branches.len();
                        let own = collect(part, resolver, expanding, branches, level + 1);
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
    expanding.truncate(before);
    annotations
}

/// Describes a root that is not an object.
fn found(root: &Map<String, Value>) -> String {
    match (types(root), values(root)) {
        (Some(types), _) => json!(types).to_string().trim_matches(['[', ']']).replace(',', " or "),
        (None, Some(_)) => "a list of values".to_owned(),
        (None, None) => "a union without an object".to_owned(),
    }
}

/// Describes the variants of the arguments.
fn describe_variants(branches: &[Map<String, Value>]) -> String {
    let mut variants: Vec<String> = Vec::new();
    for branch in branches {
        let properties = branch.get("properties").and_then(Value::as_object);
        let is_required = |name: &str| texts(branch, "required").any(|own| own == name);
        let undeclared = texts(branch, "required").filter(|name| properties.is_none_or(|own| !own.contains_key(*name)));
        let mut fields: Vec<String> = undeclared.map(str::to_owned).collect();
        for (name, schema) in properties.into_iter().flatten() {
            let mut field = name.clone();
            if let Some([only]) = schema.as_object().and_then(values) {
                // Writing to a `String` can't fail.
                let _ = write!(field, ": {only}");
            }
            if !is_required(name) {
                field.push_str(" (optional)");
            }
            fields.push(field);
        }
        let mut variant = format!("- {}", if fields.is_empty() { "nothing".to_owned() } else { fields.join(", ") });
        if let Some(described) = branch.get("description").and_then(Value::as_str) {
            let _ = write!(variant, " ({})", described.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if !variants.contains(&variant) {
            variants.push(variant);
        }
        if variants.len() == MAX_VARIANTS {
            break;
        }
    }
    format!("Give the arguments of one of these forms:\n{}", variants.join("\n"))
}
