//! Fields that this version has no name for: kept when read, written back when written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// JSON fields that this version of the library has no name for.
///
/// A conversation written by a newer version, or by another language, is read, used and written back without losing
/// them. Most values have none, and then this costs one pointer.
#[derive(Clone, Default, PartialEq)]
pub struct UnknownFields(Option<Box<Fields>>);

#[derive(Clone, Default, PartialEq)]
struct Fields {
    inside: Map<String, Value>,
    beside: Map<String, Value>,
}

impl UnknownFields {
    /// The value of an unknown field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.inside.get(name)
    }

    /// Keeps a field, to be written with the value that holds this.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        self.0.get_or_insert_default().inside.insert(name.into(), value);
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Fields that stood beside the one key that names a content block's kind.
    pub(super) fn beside(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().flat_map(|fields| fields.beside.iter())
    }

    pub(super) fn keep_beside(&mut self, fields: Map<String, Value>) {
        if !fields.is_empty() {
            self.0.get_or_insert_default().beside = fields;
        }
    }
}

impl std::fmt::Debug for UnknownFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.0.iter().flat_map(|fields| fields.inside.iter().chain(fields.beside.iter())))
            .finish()
    }
}

impl Serialize for UnknownFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().flat_map(|fields| fields.inside.iter()))
    }
}

impl<'de> Deserialize<'de> for UnknownFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inside = Map::deserialize(deserializer)?;
        Ok(Self((!inside.is_empty()).then(|| Box::new(Fields { inside, beside: Map::new() }))))
    }
}

/// Beside the fields of the value that holds them, there may be any others.
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
