//! Compilation of a schema: each keyword is read once, and unsupported ones are errors.

mod cycles;
mod index;
mod keywords;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::error::{JsonSchemaError, JsonSchemaErrorKind};
use super::node::{Compiled, Node, NodeId, Rule};
use index::{Index, Position, identity};

/// The most levels of arrays and objects in a schema.
const MAX_DEPTH: usize = 200;

/// Schemas with at most this many keywords are searched linearly.
const MAX_SCANNED: usize = 8;

/// Compiles a schema.
pub(super) fn compile(schema: &Value) -> Result<Compiled, JsonSchemaError> {
    check_depth(schema)?;
    let index = Index::new(schema)?;
    let mut compiler = Compiler { index, nodes: Vec::new(), schemas: Vec::new(), ids: BTreeMap::new() };
    compiler.id_of(schema);
    let mut next = 0;
    while let Some(schema) = compiler.schemas.get(next).copied() {
        let node = compiler.node(next, schema)?;
        if let Some(slot) = compiler.nodes.get_mut(next) {
            *slot = Node { uses: slot.uses, ..node };
        }
        next += 1;
        if next == compiler.schemas.len() {
            compiler.reach_dynamic_anchors();
        }
    }
    let anchors = compiler.anchors();
    let pointer =
        |id: NodeId| compiler.schemas.get(id).map(|schema| compiler.index.pointer(compiler.index.position(schema)));
    cycles::check(&compiler.nodes)
        .map_err(|id| JsonSchemaError::new(pointer(id).unwrap_or_default(), JsonSchemaErrorKind::EndlessReference))?;
    Ok(Compiled { nodes: compiler.nodes, anchors })
}

struct Compiler<'a> {
    index: Index<'a>,
    nodes: Vec<Node>,
    /// The schema of each node.
    schemas: Vec<&'a Value>,
    /// Node ids by identity. Most schemas have few parts, for which hashing is slower.
    ids: BTreeMap<usize, NodeId>,
}

/// A schema that is being compiled.
#[derive(Clone, Copy)]
struct Source<'a> {
    id: NodeId,
    keywords: &'a Map<String, Value>,
    position: Position,
}

impl<'a> Compiler<'a> {
    /// Returns the node of a schema, which is queued for compilation if it is new.
    fn id_of(&mut self, schema: &'a Value) -> NodeId {
        let new = self.schemas.len();
        let id = *self.ids.entry(identity(schema)).or_insert(new);
        if id == new {
            self.schemas.push(schema);
            self.nodes.push(Node::default());
        }
        if let Some(node) = self.nodes.get_mut(id) {
            node.uses += 1;
        }
        id
    }

    fn node(&mut self, id: NodeId, schema: &'a Value) -> Result<Node, JsonSchemaError> {
        let position = self.index.position(schema);
        let mut node = Node { resource: position.resource, ..Node::default() };
        match schema {
            Value::Bool(true) => {}
            Value::Bool(false) => node.rules.push(Rule::Never),
            Value::Object(keywords) => {
                let text = |keyword: &str| keywords.get(keyword).and_then(Value::as_str).map(str::to_owned);
                node.name = text("title").or_else(|| self.index.defined_name(position));
                node.format = text("format");
                node.rules = self.rules(Source { id, keywords, position })?;
            }
            _ => return Err(JsonSchemaError::new(self.index.pointer(position), JsonSchemaErrorKind::NotASchema)),
        }
        Ok(node)
    }

    /// Compiles the possible targets of dynamic references.
    fn reach_dynamic_anchors(&mut self) {
        let is_dynamic = |node: &Node| node.rules.iter().any(|rule| matches!(rule, Rule::Dynamic { .. }));
        if self.nodes.iter().any(is_dynamic) {
            let schemas: Vec<_> =
                self.index.resources.iter().flat_map(|resource| resource.dynamic.values().copied()).collect();
            schemas.into_iter().for_each(|schema| {
                self.id_of(schema);
            });
        }
    }

    fn anchors(&self) -> Vec<HashMap<String, NodeId>> {
        let of_resource = |resource: &index::Resource<'a>| {
            let node = |(name, schema): (&String, &&Value)| Some((name.clone(), *self.ids.get(&identity(schema))?));
            resource.dynamic.iter().filter_map(node).collect()
        };
        self.index.resources.iter().map(of_resource).collect()
    }
}

impl<'a> Source<'a> {
    fn get(&self, keyword: &str) -> Option<&'a Value> {
        if self.keywords.len() > MAX_SCANNED {
            return self.keywords.get(keyword);
        }
        // Cheaper than a hash, and most of the requested keywords are absent.
        self.keywords.iter().find(|(name, _)| *name == keyword).map(|(_, value)| value)
    }
}

fn check_depth(schema: &Value) -> Result<(), JsonSchemaError> {
    let mut open = vec![(schema, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            let limit = "200 levels of arrays and objects";
            return Err(JsonSchemaError::new("", JsonSchemaErrorKind::TooLarge { limit }));
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|field| (field, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}
