//! Body of a request: its fields, which those of `extra` override.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Map, Value};
use strands_core::models::{ErrorDetails, ModelError};

/// Serializes the body.
///
/// # Errors
///
/// Returns [`ModelError::InvalidRequest`] for content that JSON can't hold.
pub(crate) fn body(body: &impl Serialize) -> Result<Vec<u8>, ModelError> {
    serde_json::to_vec(body).map_err(unwritable)
}

/// Returns the error of content that JSON can't hold.
pub(super) fn unwritable(error: serde_json::Error) -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().with_source(error).boxed() }
}

/// Returns the fields of `extra` without those that `out` excludes.
pub(crate) fn without(extra: &Map<String, Value>, out: impl Fn(&str) -> bool) -> Cow<'_, Map<String, Value>> {
    if !extra.keys().any(|name| out(name)) {
        return Cow::Borrowed(extra);
    }
    let rest = extra.iter().filter(|(name, _)| !out(name));
    Cow::Owned(rest.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Serializer of a body's fields.
pub(crate) struct Fields<'a, M> {
    pub(crate) map: M,
    /// Fields that the program sets, which override the others.
    pub(crate) extra: &'a Map<String, Value>,
}

impl<M: SerializeMap> Fields<'_, M> {
    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), M::Error> {
        if self.extra.contains_key(name) {
            return Ok(());
        }
        self.map.serialize_entry(name, value)
    }

    pub(crate) fn put_some<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.put(name, value))
    }

    /// Writes the fields of `extra`.
    pub(crate) fn put_extra(&mut self) -> Result<(), M::Error> {
        let extra = self.extra;
        extra.iter().try_for_each(|(name, value)| self.map.serialize_entry(name, value))
    }
}
