//! The fields of a request's body, where a field that the program gave by itself wins.

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Map, Value};

pub(super) struct Fields<'a, M> {
    pub(super) map: M,
    pub(super) extra: &'a Map<String, Value>,
}

impl<M: SerializeMap> Fields<'_, M> {
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), M::Error> {
        if self.extra.contains_key(name) {
            return Ok(());
        }
        self.map.serialize_entry(name, value)
    }

    pub(super) fn put_some<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.put(name, value))
    }

    /// The program's own fields.
    pub(super) fn put_extra(&mut self) -> Result<(), M::Error> {
        let extra = self.extra;
        extra.iter().try_for_each(|(name, value)| self.map.serialize_entry(name, value))
    }
}
