//! Index of a schema's parts with their base URIs and anchors, for resolving references.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::error::{JsonSchemaError, JsonSchemaErrorKind};
use super::super::uri;
use crate::schema::subschemas::{Step, visit};

/// The most subschemas in a schema.
const MAX_SCHEMAS: usize = 20_000;

/// A schema document, or a part of one with its own `$id`.
pub(in super::super) struct Resource<'a> {
    uri: String,
    position: Position,
    root: &'a Value,
    anchors: BTreeMap<String, &'a Value>,
    /// Anchors that schemas on the path to a reference can override.
    pub(in super::super) dynamic: BTreeMap<String, &'a Value>,
}

/// Position of a schema.
#[derive(Clone, Copy, Default)]
pub(super) struct Position {
    pub(super) resource: usize,
    /// Index of its path.
    path: usize,
}

/// The path to a schema: the parent's path and the last step. Pointers are built only for errors.
struct SchemaPath<'a> {
    parent: Option<usize>,
    last_step: LastStep<'a>,
}

enum LastStep<'a> {
    Root,
    Step(Step<'a>),
    /// The target of a reference, at a position that no keyword declares as a schema.
    Pointer(String),
}

pub(super) struct Index<'a> {
    pub(super) resources: Vec<Resource<'a>>,
    by_uri: BTreeMap<String, usize>,
    positions: BTreeMap<usize, Position>,
    paths: Vec<SchemaPath<'a>>,
}

/// The target of a reference.
pub(super) struct Target<'a> {
    pub(super) schema: &'a Value,
    /// The name of the dynamic anchor, if the reference uses one.
    pub(super) dynamic_anchor: Option<String>,
}

/// Returns the identity of a subschema: its address, which is stable while the schema is borrowed.
pub(super) fn identity(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}

impl<'a> Index<'a> {
    pub(super) fn new(root: &'a Value) -> Result<Self, JsonSchemaError> {
        let document = Resource {
            uri: String::new(),
            position: Position::default(),
            root,
            anchors: BTreeMap::new(),
            dynamic: BTreeMap::new(),
        };
        let mut index = Self {
            resources: vec![document],
            by_uri: BTreeMap::from([(String::new(), 0)]),
            positions: BTreeMap::new(),
            paths: Vec::new(),
        };
        index.add(root, 0, SchemaPath { parent: None, last_step: LastStep::Root })?;
        Ok(index)
    }

    /// Adds a schema and its subschemas.
    fn add(&mut self, root: &'a Value, resource: usize, path: SchemaPath<'a>) -> Result<(), JsonSchemaError> {
        let mut open = vec![(root, resource, path)];
        while let Some((schema, resource, path)) = open.pop() {
            if self.positions.contains_key(&identity(schema)) {
                continue;
            }
            let mut position = Position { resource, path: self.paths.len() };
            self.paths.push(path);
            if self.paths.len() > MAX_SCHEMAS {
                let limit = "20,000 schemas";
                return Err(JsonSchemaError::new("", JsonSchemaErrorKind::TooLarge { limit }));
            }
            self.name(schema, &mut position);
            visit(schema, |step, part| {
                open.push((
                    part,
                    position.resource,
                    SchemaPath { parent: Some(position.path), last_step: LastStep::Step(step) },
                ));
            });
            self.positions.insert(identity(schema), position);
        }
        Ok(())
    }

    /// Records the identifiers that a schema declares.
    fn name(&mut self, schema: &'a Value, position: &mut Position) {
        let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
        if let Some(id) = text("$id") {
            let (id, anchor) = uri::split_fragment(id);
            if !id.is_empty() {
                let base =
                    self.resources.get(position.resource).map(|resource| resource.uri.as_str()).unwrap_or_default();
                let uri = uri::resolve(base, id);
                if position.path == 0 {
                    // The root is also known by an empty name, for references without a base.
                    if let Some(document) = self.resources.first_mut() {
                        document.uri.clone_from(&uri);
                    }
                } else {
                    position.resource = self.resources.len();
                    self.resources.push(Resource {
                        uri: uri.clone(),
                        position: *position,
                        root: schema,
                        anchors: BTreeMap::new(),
                        dynamic: BTreeMap::new(),
                    });
                }
                self.by_uri.entry(uri).or_insert(position.resource);
            }
            // Before draft 2019-09, the fragment of `$id` was the anchor.
            self.anchor(position.resource, anchor, schema);
        }
        self.anchor(position.resource, text("$anchor").unwrap_or_default(), schema);
        if let Some(name) = text("$dynamicAnchor") {
            self.anchor(position.resource, name, schema);
            if let Some(resource) = self.resources.get_mut(position.resource) {
                resource.dynamic.entry(name.to_owned()).or_insert(schema);
            }
        }
    }

    fn anchor(&mut self, resource: usize, name: &str, schema: &'a Value) {
        if let Some(resource) = self.resources.get_mut(resource).filter(|_| !name.is_empty()) {
            resource.anchors.entry(name.to_owned()).or_insert(schema);
        }
    }

    pub(super) fn position(&self, schema: &Value) -> Position {
        self.positions.get(&identity(schema)).copied().unwrap_or_default()
    }

    /// Returns the JSON Pointer of a position.
    pub(super) fn pointer(&self, position: Position) -> String {
        let mut parts = Vec::new();
        let mut next = Some(position.path);
        while let Some(path) = next.and_then(|path| self.paths.get(path)) {
            match &path.last_step {
                LastStep::Root => {}
                LastStep::Step(step) => parts.push(step.pointer()),
                LastStep::Pointer(pointer) => parts.push(pointer.clone()),
            }
            next = path.parent;
        }
        parts.reverse();
        parts.concat()
    }

    /// Returns the name of a definition by its position.
    pub(super) fn defined_name(&self, position: Position) -> Option<String> {
        match &self.paths.get(position.path)?.last_step {
            LastStep::Step(Step::Named("$defs" | "definitions", name)) => Some((*name).to_owned()),
            _ => None,
        }
    }

    /// Resolves the reference of a schema.
    pub(super) fn resolve(
        &mut self,
        reference: &str,
        from: Position,
        keyword: &str,
    ) -> Result<Target<'a>, JsonSchemaError> {
        let at = || format!("{}/{keyword}", self.pointer(from));
        let (uri, fragment) = uri::split_fragment(reference);
        let fragment = uri::percent_decoded(fragment);
        let unresolved = |reference: &str| {
            JsonSchemaError::new(at(), JsonSchemaErrorKind::UnresolvedReference { reference: reference.to_owned() })
        };
        let number = if uri.is_empty() {
            from.resource
        } else {
            let base = self.resources.get(from.resource).map(|resource| resource.uri.as_str()).unwrap_or_default();
            let kind = || JsonSchemaErrorKind::RemoteReference { reference: reference.to_owned() };
            let found = self.by_uri.get(&uri::resolve(base, uri)).copied();
            found.ok_or_else(|| JsonSchemaError::new(at(), kind()))?
        };
        let resource = self.resources.get(number).ok_or_else(|| unresolved(reference))?;
        if fragment.is_empty() || fragment.starts_with('/') {
            let schema = resource.root.pointer(&fragment).ok_or_else(|| unresolved(reference))?;
            if !self.positions.contains_key(&identity(schema)) {
                // No keyword declares a schema there, but the reference does.
                if !(schema.is_object() || schema.is_boolean()) {
                    return Err(JsonSchemaError::new(at(), JsonSchemaErrorKind::NotASchema));
                }
                let path = SchemaPath { parent: Some(resource.position.path), last_step: LastStep::Pointer(fragment) };
                self.add(schema, number, path)?;
            }
            return Ok(Target { schema, dynamic_anchor: None });
        }
        let is_dynamic = resource.dynamic.contains_key(&fragment);
        let schema = *resource.anchors.get(&fragment).ok_or_else(|| unresolved(reference))?;
        Ok(Target { schema, dynamic_anchor: is_dynamic.then_some(fragment) })
    }
}
