//! Composition keywords (`$ref`, `allOf`, `anyOf`, `oneOf`) without sibling keywords. Most providers reject siblings, and a
//! closed object beside a union would allow no value, so siblings are merged into each branch.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::keywords::{is_annotation, types};
use super::merging::intersection;
use super::references;

/// The most schemas copied in one rewriting, since nested branches could grow exponentially.
const MAX_COPIES: usize = 10_000;

/// The most branches of a union.
const MAX_BRANCHES: usize = 256;

/// The deepest nesting of definitions that are copied into each other.
const MAX_EXPANDED: usize = 32;

/// A schema after its composition keywords are resolved.
pub(super) enum Resolved {
    /// A reference to a definition, with annotations only.
    Reference(Map<String, Value>),
    /// Alternatives, with their common annotations.
    Union(Vec<Value>, Map<String, Value>),
    /// Keywords without unions and references.
    Plain(Map<String, Value>),
    /// No value fits.
    Never,
}

/// Resolver of composition keywords.
pub(super) struct Resolver<'a> {
    pub(super) definitions: &'a Map<String, Value>,
    copies: Cell<usize>,
    is_lossy: Cell<bool>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(definitions: &'a Map<String, Value>) -> Self {
        Self { definitions, copies: Cell::new(0), is_lossy: Cell::new(false) }
    }

    /// Returns true if a part was dropped because of a limit.
    pub(super) fn is_lossy(&self) -> bool {
        self.is_lossy.get()
    }

    /// Counts copies of a schema. Returns false over the limit.
    pub(super) fn may_copy(&self, size: usize) -> bool {
        let copies = self.copies.get().saturating_add(size);
        self.copies.set(copies);
        let may = copies <= MAX_COPIES;
        self.is_lossy.set(self.is_lossy.get() || !may);
        may
    }

    /// Returns true if a schema has composition keywords.
    pub(super) fn has_parts(node: &Map<String, Value>) -> bool {
        ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|keyword| node.contains_key(*keyword))
    }

    /// Resolves the composition keywords of a schema. References to names in `expanding` are not followed again.
    pub(super) fn resolve(&self, mut node: Map<String, Value>, expanding: &mut Vec<String>) -> Resolved {
        // Unions that share a keyword with another union, which one schema can't hold.
        let mut other_unions: Vec<Vec<Value>> = Vec::new();
        loop {
            match node.shift_remove("allOf") {
                Some(Value::Array(parts)) if parts.len() == 1 && is_bare(&node) && !node.contains_key("$ref") => {
                    let Some(part) = parts.into_iter().next() else { continue };
                    match joined(node, part) {
                        Some(one) => node = one,
                        None => return Resolved::Never,
                    }
                    continue;
                }
                Some(Value::Array(parts)) => {
                    for part in parts {
                        let mut part = self.followed(part, expanding);
                        other_unions.extend(second_unions(&node, &mut part));
                        match joined(std::mem::take(&mut node), part) {
                            Some(both) => node = both,
                            None => return Resolved::Never,
                        }
                    }
                    continue;
                }
                _ => {}
            }
            if node.contains_key("$ref") {
                if node.keys().all(|keyword| keyword == "$ref" || is_annotation(keyword)) {
                    return Resolved::Reference(node);
                }
                let reference = node.shift_remove("$ref").unwrap_or_default();
                let target = self.followed(Value::Object(Map::from_iter([("$ref".to_owned(), reference)])), expanding);
                match joined(node, target) {
                    Some(both) => node = both,
                    None => return Resolved::Never,
                }
                continue;
            }
            let Some((branches, beside)) = self.union(&mut node, std::mem::take(&mut other_unions), expanding) else {
                return Resolved::Plain(node);
            };
            let mut branches = branches.into_iter();
            return match (branches.next(), branches.next()) {
                (None, _) => Resolved::Never,
                (Some(only), None) => match joined(beside, only) {
                    Some(one) => {
                        node = one;
                        continue;
                    }
                    None => Resolved::Never,
                },
                (Some(first), Some(second)) => {
                    Resolved::Union([first, second].into_iter().chain(branches).collect(), beside)
                }
            };
        }
    }

    /// Takes the unions out of a node and merges its other keywords into each branch. Returns the annotations separately.
    fn union(
        &self,
        node: &mut Map<String, Value>,
        others: Vec<Vec<Value>>,
        expanding: &mut Vec<String>,
    ) -> Option<(Vec<Value>, Map<String, Value>)> {
        let mut unions = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| match node.shift_remove(keyword) {
            Some(Value::Array(branches)) => Some(branches),
            _ => None,
        });
        let (first, second) = (unions.next()?, unions.next());
        let (annotations, base): (Map<_, _>, Map<_, _>) =
            std::mem::take(node).into_iter().partition(|(keyword, _)| is_annotation(keyword));
        let mut branches = self.multiplied(vec![Value::Object(base)], first, expanding);
        for other in second.into_iter().chain(others) {
            branches = self.multiplied(branches, other, expanding);
        }
        Some((branches, annotations))
    }

    /// Merges each base with each branch, and leaves out combinations that no value fits.
    fn multiplied(&self, bases: Vec<Value>, branches: Vec<Value>, expanding: &mut Vec<String>) -> Vec<Value> {
        if bases.len() == 1 && bases.iter().all(|base| base.as_object().is_some_and(Map::is_empty)) {
            return branches.into_iter().filter(|branch| *branch != Value::Bool(false)).collect();
        }
        let size: usize = bases.iter().map(size_of).sum();
        if bases.len() * branches.len() > MAX_BRANCHES || !self.may_copy(size.saturating_mul(branches.len())) {
            // Without the union, the schema allows more values.
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
            all.extend(branches.iter().filter_map(|branch| self.branch(base, branch, expanding)));
        }
        all
    }

    fn branch(&self, base: &Map<String, Value>, branch: &Value, expanding: &mut Vec<String>) -> Option<Value> {
        let before = expanding.len();
        let target = self.followed(branch.clone(), expanding);
        // Don't copy the target if the branch has the same type anyway.
        let adds_nothing = base.len() == 1 && target.get("type").is_some() && target.get("type") == base.get("type");
        let both = if adds_nothing { Some(branch.clone()) } else { joined(base.clone(), target).map(Value::Object) };
        expanding.truncate(before);
        both
    }

    /// Replaces a reference with its target, merged with the sibling keywords. A reference to an enclosing definition is
    /// dropped.
    fn followed(&self, schema: Value, expanding: &mut Vec<String>) -> Value {
        let mut schema = schema;
        while let Value::Object(fields) = &mut schema
            && let Some(name) = references::target(fields).map(str::to_owned)
        {
            fields.shift_remove("$ref");
            let target =
                self.definitions.get(&name).filter(|_| !expanding.contains(&name) && expanding.len() < MAX_EXPANDED);
            let Some(target) = target.filter(|target| self.may_copy(size_of(target))) else {
                self.is_lossy.set(true);
                return schema;
            };
            expanding.push(name);
            let beside = std::mem::take(fields);
            schema = joined(beside, target.clone()).map_or(Value::Bool(false), Value::Object);
        }
        schema
    }

    /// Returns a copy of a reference's target with the annotations beside the reference; `None` for an enclosing definition.
    pub(super) fn copied(
        &self,
        reference: Map<String, Value>,
        expanding: &mut Vec<String>,
    ) -> Option<Map<String, Value>> {
        let name = references::target(&reference).map(str::to_owned)?;
        let target =
            self.definitions.get(&name).filter(|_| !expanding.contains(&name) && expanding.len() < MAX_EXPANDED)?;
        let Value::Object(target) = target else { return target.as_bool().filter(|any| *any).map(|_| Map::new()) };
        if !self.may_copy(size_of(self.definitions.get(&name)?)) {
            return None;
        }
        expanding.push(name);
        let mut copy = reference;
        copy.shift_remove("$ref");
        for (keyword, value) in target {
            copy.entry(keyword.clone()).or_insert_with(|| value.clone());
        }
        Some(copy)
    }
}

/// Removes the unions from a part that use the same keyword as the node.
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

/// Returns true if a node has only annotations.
fn is_bare(node: &Map<String, Value>) -> bool {
    node.keys().all(|keyword| is_annotation(keyword))
}

/// Returns the intersection of two schemas.
fn joined(node: Map<String, Value>, part: Value) -> Option<Map<String, Value>> {
    match part {
        Value::Object(part) => intersection(node, part),
        Value::Bool(false) => None,
        _ => Some(node),
    }
}

/// Returns the number of values in a value, including itself.
pub(super) fn size_of(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size_of).sum(),
        Value::Object(fields) => fields.values().map(size_of).sum::<usize>(),
        _ => 0,
    }
}

/// Returns true if the schema may allow objects.
pub(super) fn may_be_object(node: &Map<String, Value>) -> bool {
    types(node).is_none_or(|types| types.contains(&"object"))
        && super::merging::values(node).is_none_or(|values| values.iter().any(Value::is_object))
}
