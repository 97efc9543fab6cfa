//! References of a schema, resolved once. Each target becomes a definition of the root, with a name that every provider
//! accepts: some reject `#`, `#/properties/x`, anchors and nested definitions.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use super::{malformed, subschemas};
use crate::depth;

/// A schema whose references all have the form `#/$defs/NAME`.
pub(super) struct Bundle {
    /// The schema without its definitions.
    pub(super) root: Value,
    /// The schemas that it refers to, directly or indirectly.
    pub(super) definitions: Map<String, Value>,
    /// True if a reference is dangling or leads to another document: any value fits there.
    pub(super) is_lossy: bool,
}

pub(super) const DEFINITIONS: &str = "#/$defs/";

/// Moves the targets of all references to definitions of the root.
pub(super) fn bundle(schema: &Value) -> Bundle {
    // All code here recurses as deep as the schema.
    if depth::check(schema).is_err() {
        return Bundle { root: Value::Object(Map::new()), definitions: Map::new(), is_lossy: true };
    }
    let mut bundler = Bundler {
        root: schema,
        places: None,
        names: HashMap::new(),
        used: HashSet::new(),
        open: VecDeque::new(),
        is_lossy: false,
    };
    let root = bundler.copied(schema);
    let mut definitions = Map::new();
    while let Some((name, target)) = bundler.open.pop_front() {
        let definition = bundler.copied(target);
        definitions.insert(name, definition);
    }
    Bundle { root, definitions, is_lossy: bundler.is_lossy }
}

struct Bundler<'a> {
    root: &'a Value,
    /// Schemas with an anchor or an id, collected on first use.
    places: Option<HashMap<&'a str, &'a Value>>,
    /// Names of the referenced schemas, by address.
    names: HashMap<*const Value, String>,
    used: HashSet<String>,
    open: VecDeque<(String, &'a Value)>,
    is_lossy: bool,
}

impl<'a> Bundler<'a> {
    fn copied(&mut self, schema: &'a Value) -> Value {
        let fields = match schema {
            Value::Object(fields) => fields,
            Value::Bool(_) => return schema.clone(),
            // No schema: anything is allowed.
            _ => return Value::Bool(true),
        };
        let mut copy = Map::new();
        for (keyword, value) in fields {
            match (malformed::bound(keyword, fields), value) {
                ("$defs" | "definitions", _) => {}
                // The root is not a separate document, and the provider determines the draft.
                ("$schema" | "$id" | "$anchor" | "$dynamicAnchor" | "$vocabulary", _) => {}
                ("$ref" | "$dynamicRef", Value::String(reference)) => match self.resolved(reference) {
                    Some(target) => {
                        let name = self.name(reference, target);
                        copy.insert("$ref".to_owned(), format!("{DEFINITIONS}{name}").into());
                    }
                    None => self.is_lossy = true,
                },
                ("items", Value::Array(_)) if !fields.contains_key("prefixItems") => {
                    // A tuple of an older draft, with a separate keyword for the rest.
                    let first = subschemas::mapped("prefixItems", value, &mut |schema| self.copied(schema));
                    copy.insert("prefixItems".to_owned(), first);
                    if let Some(rest) = fields.get("additionalItems") {
                        let rest = self.copied(rest);
                        copy.insert("items".to_owned(), rest);
                    }
                }
                ("additionalItems", _) => {}
                ("type", value) => {
                    copy.extend(malformed::types(value).map(|types| ("type".to_owned(), types)));
                }
                (keyword, value) if !malformed::is_well_formed(keyword, value) => {}
                (keyword, value) => {
                    let value = subschemas::mapped(keyword, value, &mut |schema| self.copied(schema));
                    copy.insert(keyword.to_owned(), value);
                }
            }
        }
        Value::Object(copy)
    }

    /// Returns the schema that a reference leads to within its document.
    fn resolved(&mut self, reference: &str) -> Option<&'a Value> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let root = if document.is_empty() { self.root } else { self.place(document)? };
        if fragment.is_empty() {
            return Some(root);
        }
        let fragment = decoded(fragment);
        if fragment.starts_with('/') { root.pointer(&fragment) } else { self.place(&fragment) }
    }

    fn place(&mut self, name: &str) -> Option<&'a Value> {
        let root = self.root;
        let places = self.places.get_or_insert_with(|| {
            let mut places = HashMap::new();
            note_places(root, &mut places);
            places
        });
        places.get(name).copied()
    }

    fn name(&mut self, reference: &str, target: &'a Value) -> String {
        if let Some(known) = self.names.get(&std::ptr::from_ref(target)) {
            return known.clone();
        }
        let last = reference.rsplit(['/', '#']).next().unwrap_or_default();
        let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        let mut name: String = decoded(last).chars().map(|letter| if is_safe(letter) { letter } else { '_' }).collect();
        if name.is_empty() {
            "Root".clone_into(&mut name);
        }
        let base = name.clone();
        let mut number = 1_u32;
        while !self.used.insert(name.clone()) {
            number += 1;
            name = format!("{base}_{number}");
        }
        self.names.insert(std::ptr::from_ref(target), name.clone());
        self.open.push_back((name.clone(), target));
        name
    }
}

fn note_places<'a>(schema: &'a Value, places: &mut HashMap<&'a str, &'a Value>) {
    let names = ["$id", "$anchor", "$dynamicAnchor"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_str());
    places.extend(names.map(|name| (name.trim_end_matches('#'), schema)));
    subschemas::visit(schema, |_, schema| note_places(schema, places));
}

/// Decodes the percent encoding of a fragment.
fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the name of the definition that a bundled schema refers to.
pub(super) fn target(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(DEFINITIONS)
}

/// Collects the names of all definitions that a schema refers to.
pub(super) fn targets<'a>(schema: &'a Value, into: &mut HashSet<&'a str>) {
    into.extend(schema.as_object().and_then(target));
    subschemas::visit(schema, |_, schema| targets(schema, into));
}

/// Returns the names of the definitions on a reference cycle, or on a path between two cycles.
pub(super) fn cyclic(definitions: &Map<String, Value>) -> HashSet<&str> {
    let mut edges: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut backwards: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, definition) in definitions {
        let mut leads_to = HashSet::new();
        targets(definition, &mut leads_to);
        for next in &leads_to {
            backwards.entry(next).or_default().push(name);
        }
        edges.insert(name, leads_to);
    }
    // Remove definitions without outgoing references until each remaining one has some.
    let mut ends: Vec<&str> = edges.iter().filter(|(_, next)| next.is_empty()).map(|(name, _)| *name).collect();
    while let Some(end) = ends.pop() {
        edges.remove(end);
        for before in backwards.get(end).into_iter().flatten() {
            if let Some(next) = edges.get_mut(before)
                && next.remove(end)
                && next.is_empty()
            {
                ends.push(before);
            }
        }
    }
    // Of those that remain, the ones without incoming references lead to a cycle but are not on one.
    let mut before: HashMap<&str, usize> = edges.keys().map(|name| (*name, 0)).collect();
    for next in edges.values().flatten() {
        *before.entry(next).or_default() += 1;
    }
    let mut starts: Vec<&str> = before.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(start) = starts.pop() {
        for next in edges.remove(start).into_iter().flatten() {
            if let Some(count) = before.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    starts.push(next);
                }
            }
        }
    }
    edges.into_keys().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moves_referenced_schemas_to_root_definitions() {
        let schema = json!({
            "properties": {
                "again": {"$ref": "#"},
                "same": {"$ref": "#/properties/list/items"},
                "named": {"$ref": "#corner"},
                "odd": {"$ref": "#/definitions/a%20b~1c"},
                "elsewhere": {"$ref": "https://example.com/x.json"},
                "list": {"items": {"type": "string"}},
            },
            "definitions": {
                "a b/c": {"type": "null"},
                "unused": {"$ref": "#"},
                "deep": {"$defs": {"Corner": {"$anchor": "corner", "enum": [{"$ref": "#"}]}}},
            },
        });
        let Bundle { root, definitions, is_lossy } = bundle(&schema);
        let at = |name: &str| root["properties"][name].clone();
        assert_eq!(at("again"), json!({"$ref": "#/$defs/Root"}));
        assert_eq!(at("same"), json!({"$ref": "#/$defs/items"}));
        assert_eq!(at("named"), json!({"$ref": "#/$defs/corner"}));
        assert_eq!(at("odd"), json!({"$ref": "#/$defs/a_b_1c"}));
        assert_eq!((at("elsewhere"), is_lossy), (json!({}), true));
        assert_eq!(definitions["corner"], json!({"enum": [{"$ref": "#"}]}), "a value is no reference");
        assert_eq!(definitions["items"], json!({"type": "string"}));
        assert_eq!(definitions["Root"], root);
        assert!(!definitions.contains_key("unused"));
    }

    #[test]
    fn finds_cycles_of_any_length() {
        let definition = |next: &str| json!({"properties": {"next": {"$ref": format!("{DEFINITIONS}{next}")}}});
        let mut definitions: Map<String, Value> =
            (0..20_000).map(|at| (format!("n{at}"), definition(&format!("n{}", at + 1)))).collect();
        assert_eq!(cyclic(&definitions).len(), 0, "the last one leads nowhere");
        definitions.insert("n20000".to_owned(), definition("n19998"));
        let mut found: Vec<_> = cyclic(&definitions).into_iter().collect();
        found.sort_unstable();
        assert_eq!(found, ["n19998", "n19999", "n20000"]);
    }
}
