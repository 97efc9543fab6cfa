//! Features that distinguish an alternative of a union from the others.

use std::collections::HashSet;

use super::super::equality::Allowed;
use super::super::node::{Compiled, NodeId, Rule, Types};

/// The deepest nesting of references and `allOf` that is followed.
const MAX_DEPTH: usize = 8;

/// The most parts of an alternative that are searched.
const MAX_PARTS: usize = 64;

/// The most properties of an alternative that are searched.
const MAX_PROPERTIES: usize = 256;

/// An alternative of a union.
pub(super) struct Alternative<'s> {
    pub(super) id: NodeId,
    pub(super) name: Option<&'s str>,
    pub(super) types: Types,
    /// The allowed values, if the schema lists them.
    pub(super) values: Option<&'s Allowed>,
    /// Properties that allow only certain values.
    pub(super) tags: Vec<(&'s str, &'s Allowed)>,
    pub(super) required: Vec<&'s str>,
    pub(super) properties: Vec<&'s str>,
    /// Nested alternatives.
    inner: Vec<NodeId>,
}

impl<'s> Alternative<'s> {
    pub(super) fn of(compiled: &'s Compiled, id: NodeId) -> Self {
        let mut alternative = Self {
            id,
            name: None,
            types: Types::ALL,
            values: None,
            tags: Vec::new(),
            required: Vec::new(),
            properties: Vec::new(),
            inner: Vec::new(),
        };
        let mut open = vec![(id, 0)];
        let mut parts = 0;
        while let Some((id, depth)) = open.pop() {
            let Some(node) = compiled.nodes.get(id) else { continue };
            parts += 1;
            if parts > MAX_PARTS || depth > MAX_DEPTH {
                break;
            }
            alternative.name = alternative.name.or(node.name.as_deref());
            for rule in &node.rules {
                match rule {
                    Rule::Types(types) => alternative.types = alternative.types.and(*types),
                    Rule::Allowed(allowed) => {
                        let types = allowed.values().iter().map(Types::of).fold(Types::default(), Types::or);
                        alternative.types = alternative.types.and(types);
                        alternative.values = alternative.values.or(Some(allowed));
                    }
                    Rule::Reference(target) => open.push((*target, depth + 1)),
                    Rule::AllOf(parts) => open.extend(parts.iter().map(|part| (*part, depth + 1))),
                    Rule::AnyOf(alternatives) | Rule::OneOf(alternatives) if depth < MAX_DEPTH / 2 => {
                        alternative.inner.extend(alternatives.iter().take(MAX_PARTS));
                        let types =
                            alternatives.iter().take(MAX_PARTS).map(|alternative| types_of(compiled, *alternative));
                        alternative.types = alternative.types.and(types.fold(Types::default(), Types::or));
                    }
                    Rule::Required(names) => {
                        alternative.required.extend(names.iter().take(MAX_PROPERTIES).map(String::as_str));
                    }
                    Rule::Properties(properties) => {
                        for (name, id) in properties.named.iter().take(MAX_PROPERTIES) {
                            alternative.properties.push(name);
                            alternative.tags.extend(values_of(compiled, *id).map(|values| (name.as_str(), values)));
                        }
                    }
                    _ => {}
                }
            }
        }
        alternative
    }

    /// Returns the properties of the alternative and of nested ones, without repetition.
    pub(super) fn all_properties(self, compiled: &'s Compiled) -> Vec<&'s str> {
        let inner = self.inner.iter().flat_map(|alternative| Self::of(compiled, *alternative).properties);
        let mut evaluated = HashSet::new();
        self.properties.iter().copied().chain(inner).filter(|name| evaluated.insert(*name)).collect()
    }

    pub(super) fn tag(&self, name: &str) -> Option<&'s Allowed> {
        self.tags.iter().find(|(tag, _)| *tag == name).map(|(_, values)| *values)
    }

    /// Returns the wrapping property, if the alternative is an object with a single property.
    pub(super) fn wrapper(&self) -> Option<&'s str> {
        match (self.required.as_slice(), self.properties.as_slice()) {
            ([required], [property]) if required == property => Some(property),
            _ => None,
        }
    }
}

/// Returns the types that a schema allows, directly or through references.
fn types_of(compiled: &Compiled, id: NodeId) -> Types {
    let mut types = Types::ALL;
    let mut next = Some(id);
    for _ in 0..MAX_DEPTH {
        let Some(node) = next.take().and_then(|id| compiled.nodes.get(id)) else { break };
        for rule in &node.rules {
            match rule {
                Rule::Types(own) => types = types.and(*own),
                Rule::Allowed(allowed) => {
                    types = types.and(allowed.values().iter().map(Types::of).fold(Types::default(), Types::or));
                }
                Rule::Reference(target) => next = Some(*target),
                _ => {}
            }
        }
    }
    types
}

/// Returns the values that a schema lists, directly or through references.
fn values_of(compiled: &Compiled, id: NodeId) -> Option<&Allowed> {
    let mut next = id;
    for _ in 0..MAX_DEPTH {
        let mut target = None;
        for rule in &compiled.nodes.get(next)?.rules {
            match rule {
                Rule::Allowed(allowed) => return Some(allowed),
                Rule::Reference(id) => target = Some(*id),
                _ => {}
            }
        }
        next = target?;
    }
    None
}
