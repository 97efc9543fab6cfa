//! Index of a schema: its parts, their base URIs and anchors, so that references can be resolved.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::error::{JsonSchemaError, JsonSchemaErrorKind};
use super::super::uri;
use crate::schema::subschemas::{Step, visit};

/// The most schemas in a schema.
const MAX_SCHEMAS: usize = 20_000;

/// A schema document, or a part of one with an `$id` of its own.
pub(in super::super) struct Resource<'a> {
    uri: String,
    place: Place,
    root: &'a Value,
    anchors: BTreeMap<String, &'a Value>,
    /// Anchors that the schemas on the way to a reference may replace.
    pub(in super::super) dynamic: BTreeMap<String, &'a Value>,
}

/// Place of a schema.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) resource: usize,
    /// Index of the way to it.
    way: usize,
}

/// The way to a schema: that of the schema around it, and the rest. Pointers are made of it for errors alone.
struct Way<'a> {
    around: Option<usize>,
    rest: Rest<'a>,
}

enum Rest<'a> {
    Nothing,
    Step(Step<'a>),
    /// Of a reference to a place that no keyword says to be a schema.
    Pointer(String),
}

pub(super) struct Index<'a> {
    pub(super) resources: Vec<Resource<'a>>,
    by_uri: BTreeMap<String, usize>,
    places: BTreeMap<usize, Place>,
    ways: Vec<Way<'a>>,
}

/// The target of a reference.
pub(super) struct Target<'a> {
    pub(super) schema: &'a Value,
    /// Name of the dynamic anchor, if the reference is one by such a name.
    pub(super) dynamic_anchor: Option<String>,
}

/// Identity of a part of the schema: its address, which stays for as long as the schema is borrowed.
pub(super) fn identity(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}

impl<'a> Index<'a> {
    pub(super) fn new(root: &'a Value) -> Result<Self, JsonSchemaError> {
        let document = Resource {
            uri: String::new(),
            place: Place::default(),
            root,
            anchors: BTreeMap::new(),
            dynamic: BTreeMap::new(),
        };
        let mut index = Self {
            resources: vec![document],
            by_uri: BTreeMap::from([(String::new(), 0)]),
            places: BTreeMap::new(),
            ways: Vec::new(),
        };
        index.add(root, 0, Way { around: None, rest: Rest::Nothing })?;
        Ok(index)
    }

    /// Adds a schema and those in it.
    fn add(&mut self, root: &'a Value, resource: usize, way: Way<'a>) -> Result<(), JsonSchemaError> {
        let mut open = vec![(root, resource, way)];
        while let Some((schema, resource, way)) = open.pop() {
            if self.places.contains_key(&identity(schema)) {
                continue;
            }
            let mut place = Place { resource, way: self.ways.len() };
            self.ways.push(way);
            if self.ways.len() > MAX_SCHEMAS {
                let limit = "20,000 schemas";
                return Err(JsonSchemaError::new("", JsonSchemaErrorKind::TooLarge { limit }));
            }
            self.name(schema, &mut place);
            visit(schema, |step, part| {
                open.push((part, place.resource, Way { around: Some(place.way), rest: Rest::Step(step) }));
            });
            self.places.insert(identity(schema), place);
        }
        Ok(())
    }

    /// Notes the names that a schema gives itself.
    fn name(&mut self, schema: &'a Value, place: &mut Place) {
        let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
        if let Some(id) = text("$id") {
            let (id, anchor) = uri::split_fragment(id);
            if !id.is_empty() {
                let base = self.resources.get(place.resource).map(|resource| resource.uri.as_str()).unwrap_or_default();
                let uri = uri::resolve(base, id);
                if place.way == 0 {
                    // The root keeps its empty name, too: references without a base lead to it.
                    if let Some(document) = self.resources.first_mut() {
                        document.uri.clone_from(&uri);
                    }
                } else {
                    place.resource = self.resources.len();
                    self.resources.push(Resource {
                        uri: uri.clone(),
                        place: *place,
                        root: schema,
                        anchors: BTreeMap::new(),
                        dynamic: BTreeMap::new(),
                    });
                }
                self.by_uri.entry(uri).or_insert(place.resource);
            }
            // Before 2019 this was the way to say `$anchor`.
            self.anchor(place.resource, anchor, schema);
        }
        self.anchor(place.resource, text("$anchor").unwrap_or_default(), schema);
        if let Some(name) = text("$dynamicAnchor") {
            self.anchor(place.resource, name, schema);
            if let Some(resource) = self.resources.get_mut(place.resource) {
                resource.dynamic.entry(name.to_owned()).or_insert(schema);
            }
        }
    }

    fn anchor(&mut self, resource: usize, name: &str, schema: &'a Value) {
        if let Some(resource) = self.resources.get_mut(resource).filter(|_| !name.is_empty()) {
            resource.anchors.entry(name.to_owned()).or_insert(schema);
        }
    }

    pub(super) fn place(&self, schema: &Value) -> Place {
        self.places.get(&identity(schema)).copied().unwrap_or_default()
    }

    /// The JSON Pointer of a place.
    pub(super) fn pointer(&self, place: Place) -> String {
        let mut parts = Vec::new();
        let mut next = Some(place.way);
        while let Some(way) = next.and_then(|way| self.ways.get(way)) {
            match &way.rest {
                Rest::Nothing => {}
                Rest::Step(step) => parts.push(step.pointer()),
                Rest::Pointer(pointer) => parts.push(pointer.clone()),
            }
            next = way.around;
        }
        parts.reverse();
        parts.concat()
    }

    /// The name of a definition, by its place.
    pub(super) fn defined_name(&self, place: Place) -> Option<String> {
        match &self.ways.get(place.way)?.rest {
            Rest::Step(Step::Named("$defs" | "definitions", name)) => Some((*name).to_owned()),
            _ => None,
        }
    }

    /// Resolves a reference of a schema at a place.
    pub(super) fn resolve(
        &mut self,
        reference: &str,
        from: Place,
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
            if !self.places.contains_key(&identity(schema)) {
                // No keyword says that a schema is there, but the reference does.
                if !(schema.is_object() || schema.is_boolean()) {
                    return Err(JsonSchemaError::new(at(), JsonSchemaErrorKind::NotASchema));
                }
                let way = Way { around: Some(resource.place.way), rest: Rest::Pointer(fragment) };
                self.add(schema, number, way)?;
            }
            return Ok(Target { schema, dynamic_anchor: None });
        }
        let is_dynamic = resource.dynamic.contains_key(&fragment);
        let schema = *resource.anchors.get(&fragment).ok_or_else(|| unresolved(reference))?;
        Ok(Target { schema, dynamic_anchor: is_dynamic.then_some(fragment) })
    }
}
