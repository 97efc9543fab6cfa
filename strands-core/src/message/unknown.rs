//! Unknown JSON fields, preserved between reading and writing.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// JSON fields that this version of the library does not know.
///
/// They are preserved, so a conversation written by a newer version or by another language loses nothing when it is read
/// and written back. Without any fields, this takes one pointer.
#[derive(Clone, Default, PartialEq)]
pub struct UnknownFields(Option<Box<Fields>>);

#[derive(Clone, Default, PartialEq)]
struct Fields {
    inside: Map<String, Value>,
    outside: Map<String, Value>,
}

impl UnknownFields {
    /// Returns the value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.inside.get(name)
    }

    /// Adds a field, which is written with the value that holds this.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        self.0.get_or_insert_default().inside.insert(name.into(), value);
    }

    /// Returns true if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the fields next to the key that names a content block's kind.
    pub(super) fn outside(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().flat_map(|fields| fields.outside.iter())
    }

    pub(super) fn keep_outside(&mut self, fields: Map<String, Value>) {
        if !fields.is_empty() {
            self.0.get_or_insert_default().outside = fields;
        }
    }
}

impl std::fmt::Debug for UnknownFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.0.iter().flat_map(|fields| fields.inside.iter().chain(fields.outside.iter())))
            .finish()
    }
}

impl Serialize for UnknownFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(fields) => fields.inside.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'de> Deserialize<'de> for UnknownFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inside = Map::deserialize(deserializer)?;
        Ok(Self((!inside.is_empty()).then(|| Box::new(Fields { inside, outside: Map::new() }))))
    }
}

/// Allows any fields besides those of the value that holds this.
impl JsonSchema for UnknownFields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "UnknownFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": true})
    }
}
