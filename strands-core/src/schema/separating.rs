//! Unions and references that stand alone. Most providers refuse keywords beside them, and a closed object beside a union
//! would let no value through: what stands beside is put into each branch.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::keywords::{is_annotation, types};
use super::merging::intersection;
use super::references;

/// The most schemas that a rewriting may copy: branches inside of branches would grow without end.
const MOST_COPIES: usize = 10_000;

/// The most branches of a union.
const MOST_BRANCHES: usize = 256;

/// The most definitions that are copied into each other.
const MOST_INSIDE: usize = 32;

/// A schema whose parts are put together.
pub(super) enum Separated {
    /// A reference to a definition, with annotations alone.
    Reference(Map<String, Value>),
    /// Several schemas of which one at least has to fit, and the annotations of all.
    Union(Vec<Value>, Map<String, Value>),
    /// Keywords that are no union and no reference.
    Plain(Map<String, Value>),
    /// No value fits.
    Nothing,
}

/// Puts the parts of schemas together.
pub(super) struct Separator<'a> {
    pub(super) definitions: &'a Map<String, Value>,
    copies: Cell<usize>,
    is_lossy: Cell<bool>,
}

impl<'a> Separator<'a> {
    pub(super) fn new(definitions: &'a Map<String, Value>) -> Self {
        Self { definitions, copies: Cell::new(0), is_lossy: Cell::new(false) }
    }

    /// True if a part was left out because there would have been too many.
    pub(super) fn is_lossy(&self) -> bool {
        self.is_lossy.get()
    }

    /// Counts copies of a schema; false if there are too many.
    pub(super) fn may_copy(&self, size: usize) -> bool {
        let copies = self.copies.get().saturating_add(size);
        self.copies.set(copies);
        let may = copies <= MOST_COPIES;
        self.is_lossy.set(self.is_lossy.get() || !may);
        may
    }

    /// True if a schema has parts to put together.
    pub(super) fn has_parts(node: &Map<String, Value>) -> bool {
        ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|keyword| node.contains_key(*keyword))
    }

    /// Puts the parts of a schema together. References in `inside` lead here and are not followed again.
    pub(super) fn separate(&self, mut node: Map<String, Value>, inside: &mut Vec<String>) -> Separated {
        // Unions beside another one under the same keyword. They have no form in one schema.
        let mut beside_union: Vec<Vec<Value>> = Vec::new();
        loop {
            match node.shift_remove("allOf") {
                Some(Value::Array(parts)) if parts.len() == 1 && is_bare(&node) && !node.contains_key("$ref") => {
                    let Some(part) = parts.into_iter().next() else { continue };
                    match joined(node, part) {
                        Some(one) => node = one,
                        None => return Separated::Nothing,
                    }
                    continue;
                }
                Some(Value::Array(parts)) => {
                    for part in parts {
                        let mut part = self.followed(part, inside);
                        beside_union.extend(second_unions(&node, &mut part));
                        match joined(std::mem::take(&mut node), part) {
                            Some(both) => node = both,
                            None => return Separated::Nothing,
                        }
                    }
                    continue;
                }
                _ => {}
            }
            if node.contains_key("$ref") {
                if node.keys().all(|keyword| keyword == "$ref" || is_annotation(keyword)) {
                    return Separated::Reference(node);
                }
                let reference = node.shift_remove("$ref").unwrap_or_default();
                let target = self.followed(Value::Object(Map::from_iter([("$ref".to_owned(), reference)])), inside);
                match joined(node, target) {
                    Some(both) => node = both,
                    None => return Separated::Nothing,
                }
                continue;
            }
            let Some((branches, beside)) = self.union(&mut node, std::mem::take(&mut beside_union), inside) else {
                return Separated::Plain(node);
            };
            let mut branches = branches.into_iter();
            return match (branches.next(), branches.next()) {
                (None, _) => Separated::Nothing,
                (Some(only), None) => match joined(beside, only) {
                    Some(one) => {
                        node = one;
                        continue;
                    }
                    None => Separated::Nothing,
                },
                (Some(first), Some(second)) => {
                    Separated::Union([first, second].into_iter().chain(branches).collect(), beside)
                }
            };
        }
    }

    /// Takes the unions out of a node, with what stands beside them in each branch. Returns the annotations apart.
    fn union(
        &self,
        node: &mut Map<String, Value>,
        others: Vec<Vec<Value>>,
        inside: &mut Vec<String>,
    ) -> Option<(Vec<Value>, Map<String, Value>)> {
        let mut unions = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| match node.shift_remove(keyword) {
            Some(Value::Array(branches)) => Some(branches),
            _ => None,
        });
        let (first, second) = (unions.next()?, unions.next());
        let (annotations, base): (Map<_, _>, Map<_, _>) =
            std::mem::take(node).into_iter().partition(|(keyword, _)| is_annotation(keyword));
        let mut branches = self.multiplied(vec![Value::Object(base)], first, inside);
        for other in second.into_iter().chain(others) {
            branches = self.multiplied(branches, other, inside);
        }
        Some((branches, annotations))
    }

    /// Each base with each branch, where a value may fit both.
    fn multiplied(&self, bases: Vec<Value>, branches: Vec<Value>, inside: &mut Vec<String>) -> Vec<Value> {
        if bases.len() == 1 && bases.iter().all(|base| base.as_object().is_some_and(Map::is_empty)) {
            return branches.into_iter().filter(|branch| *branch != Value::Bool(false)).collect();
        }
        let size: usize = bases.iter().map(size_of).sum();
        if bases.len() * branches.len() > MOST_BRANCHES || !self.may_copy(size.saturating_mul(branches.len())) {
            // A union that is left out lets more fit.
            self.is_lossy.set(true);
            return bases;
        }
        let mut all = Vec::new();
        let anything = Map::new();
        for base in &bases {
            let base = match base {
                Value::Object(base) => base,
                Value::Bool(false) => continue,
                _ => &anything,
            };
            all.extend(branches.iter().filter_map(|branch| self.branch(base, branch, inside)));
        }
        all
    }

    fn branch(&self, base: &Map<String, Value>, branch: &Value, inside: &mut Vec<String>) -> Option<Value> {
        let before = inside.len();
        let target = self.followed(branch.clone(), inside);
        // A type that the branch has anyway is no reason to copy what it refers to.
        let says_less = base.len() == 1 && target.get("type").is_some() && target.get("type") == base.get("type");
        let both = if says_less { Some(branch.clone()) } else { joined(base.clone(), target).map(Value::Object) };
        inside.truncate(before);
        both
    }

    /// Returns what a schema refers to with what stands beside the reference, or the schema itself. A reference that leads
    /// to itself is left out.
    fn followed(&self, schema: Value, inside: &mut Vec<String>) -> Value {
        let mut schema = schema;
        while let Value::Object(fields) = &mut schema
            && let Some(name) = references::target(fields).map(str::to_owned)
        {
            fields.shift_remove("$ref");
            let target = self.definitions.get(&name).filter(|_| !inside.contains(&name) && inside.len() < MOST_INSIDE);
            let Some(target) = target.filter(|target| self.may_copy(size_of(target))) else {
                self.is_lossy.set(true);
                return schema;
            };
            inside.push(name);
            let beside = std::mem::take(fields);
            schema = joined(beside, target.clone()).map_or(Value::Bool(false), Value::Object);
        }
        schema
    }

    /// Returns a copy of what a reference leads to, with the annotations beside it; `None` if that led here.
    pub(super) fn copied(&self, reference: Map<String, Value>, inside: &mut Vec<String>) -> Option<Map<String, Value>> {
        let name = references::target(&reference).map(str::to_owned)?;
        let target = self.definitions.get(&name).filter(|_| !inside.contains(&name) && inside.len() < MOST_INSIDE)?;
        let Value::Object(target) = target else { return target.as_bool().filter(|any| *any).map(|_| Map::new()) };
        if !self.may_copy(size_of(self.definitions.get(&name)?)) {
            return None;
        }
        inside.push(name);
        let mut copy = reference;
        copy.shift_remove("$ref");
        for (keyword, value) in target {
            copy.entry(keyword.clone()).or_insert_with(|| value.clone());
        }
        Some(copy)
    }
}

/// Takes the unions out of a part whose keyword the node has, too.
fn second_unions(node: &Map<String, Value>, part: &mut Value) -> Vec<Vec<Value>> {
    let Value::Object(part) = part else { return Vec::new() };
    let both = ["anyOf", "oneOf"].into_iter().filter(|keyword| node.contains_key(*keyword));
    both.filter_map(|keyword| match part.get_mut(keyword)? {
        Value::Array(branches) => {
            let branches = std::mem::take(branches);
            part.shift_remove(keyword);
            Some(branches)
        }
        _ => None,
    })
    .collect()
}

/// True if nothing but annotations is in a node.
fn is_bare(node: &Map<String, Value>) -> bool {
    node.keys().all(|keyword| is_annotation(keyword))
}

/// Returns the keywords of values that fit both.
fn joined(node: Map<String, Value>, part: Value) -> Option<Map<String, Value>> {
    match part {
        Value::Object(part) => intersection(node, part),
        Value::Bool(false) => None,
        _ => Some(node),
    }
}

/// Counts the values in a value, itself included.
pub(super) fn size_of(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size_of).sum(),
        Value::Object(fields) => fields.values().map(size_of).sum::<usize>(),
        _ => 0,
    }
}

/// True if values of the schema may be objects.
pub(super) fn may_be_object(node: &Map<String, Value>) -> bool {
    types(node).is_none_or(|types| types.contains(&"object"))
        && super::merging::values(node).is_none_or(|values| values.iter().any(Value::is_object))
}
