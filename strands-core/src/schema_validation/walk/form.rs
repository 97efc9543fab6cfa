//! The features by which an alternative of a union is told from the others.

use std::collections::HashSet;

use super::super::equality::Allowed;
use super::super::node::{Compiled, NodeId, Rule, Types};

/// References and `allOf` inside of each other that are followed.
const MAX_DEPTH: usize = 8;

/// Parts of an alternative that are looked at.
const MAX_PARTS: usize = 64;

/// Properties of an alternative that are looked at.
const MAX_PROPERTIES: usize = 256;

/// An alternative of a union.
pub(super) struct Form<'s> {
    pub(super) id: NodeId,
    pub(super) name: Option<&'s str>,
    pub(super) types: Types,
    /// The only values that fit, if the schema lists them.
    pub(super) values: Option<&'s Allowed>,
    /// Properties of which only certain values fit.
    pub(super) tags: Vec<(&'s str, &'s Allowed)>,
    pub(super) required: Vec<&'s str>,
    pub(super) properties: Vec<&'s str>,
    /// Alternatives inside of the alternative.
    inner: Vec<NodeId>,
}

impl<'s> Form<'s> {
    pub(super) fn of(compiled: &'s Compiled, id: NodeId) -> Self {
        let mut form = Self {
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
            form.name = form.name.or(node.name.as_deref());
            for rule in &node.rules {
                match rule {
                    Rule::Types(types) => form.types = form.types.and(*types),
                    Rule::Allowed(allowed) => {
                        let types = allowed.values().iter().map(Types::of).fold(Types::default(), Types::or);
                        form.types = form.types.and(types);
                        form.values = form.values.or(Some(allowed));
                    }
                    Rule::Reference(target) => open.push((*target, depth + 1)),
                    Rule::AllOf(parts) => open.extend(parts.iter().map(|part| (*part, depth + 1))),
                    Rule::AnyOf(forms) | Rule::OneOf(forms) if depth < MAX_DEPTH / 2 => {
                        form.inner.extend(forms.iter().take(MAX_PARTS));
                        let types = forms.iter().take(MAX_PARTS).map(|form| types_of(compiled, *form));
                        form.types = form.types.and(types.fold(Types::default(), Types::or));
                    }
                    Rule::Required(names) => {
                        form.required.extend(names.iter().take(MAX_PROPERTIES).map(String::as_str));
                    }
                    Rule::Properties(properties) => {
                        for (name, id) in properties.named.iter().take(MAX_PROPERTIES) {
                            form.properties.push(name);
                            form.tags.extend(values_of(compiled, *id).map(|values| (name.as_str(), values)));
                        }
                    }
                    _ => {}
                }
            }
        }
        form
    }

    /// The properties of the alternative, and of those inside of it, each once.
    pub(super) fn all_properties(self, compiled: &'s Compiled) -> Vec<&'s str> {
        let inner = self.inner.iter().flat_map(|form| Self::of(compiled, *form).properties);
        let mut seen = HashSet::new();
        self.properties.iter().copied().chain(inner).filter(|name| seen.insert(*name)).collect()
    }

    pub(super) fn tag(&self, name: &str) -> Option<&'s Allowed> {
        self.tags.iter().find(|(tag, _)| *tag == name).map(|(_, values)| *values)
    }

    /// The property that the alternative is wrapped in, if it is an object with nothing else.
    pub(super) fn wrapper(&self) -> Option<&'s str> {
        match (self.required.as_slice(), self.properties.as_slice()) {
            ([required], [property]) if required == property => Some(property),
            _ => None,
        }
    }
}

/// The types that a schema allows by itself and by what it refers to.
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

/// The values that a schema lists, by itself or by what it refers to.
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
