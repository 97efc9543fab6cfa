//! The body of a request: its fields, where one that the program gave by itself wins.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Map, Value};
use strands_core::models::{ErrorDetails, ModelError};

/// The body as bytes.
///
/// # Errors
///
/// [`ModelError::InvalidRequest`] for content that has no JSON.
pub(crate) fn body(body: &impl Serialize) -> Result<Vec<u8>, ModelError> {
    serde_json::to_vec(body).map_err(unwritable)
}

/// From content that has no JSON.
pub(super) fn unwritable(error: serde_json::Error) -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().with_source(error).boxed() }
}

/// The program's own fields without those that something else goes before.
pub(crate) fn without(extra: &Map<String, Value>, out: impl Fn(&str) -> bool) -> Cow<'_, Map<String, Value>> {
    if !extra.keys().any(|name| out(name)) {
        return Cow::Borrowed(extra);
    }
    let rest = extra.iter().filter(|(name, _)| !out(name));
    Cow::Owned(rest.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The fields of a body while they are written.
pub(crate) struct Fields<'a, M> {
    pub(crate) map: M,
    /// The program's own.
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

    /// The program's own fields.
    pub(crate) fn put_extra(&mut self) -> Result<(), M::Error> {
        let extra = self.extra;
        extra.iter().try_for_each(|(name, value)| self.map.serialize_entry(name, value))
    }
}
