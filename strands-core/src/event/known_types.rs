//! Names of the event types that this version knows. They are probed through the derived deserialization, so that there is no
//! list to maintain.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, StdError};

use super::EventJson;

/// Returns true if this version has an event type with this name.
pub(super) fn is_known(name: &str) -> bool {
    let only_type = MapDeserializer::<_, ProbeError>::new([("type", name)].into_iter());
    !matches!(EventJson::<serde_json::Value>::deserialize(only_type), Err(ProbeError::UnknownType))
}

/// Error of deserializing an event that has only a type.
#[derive(Debug)]
enum ProbeError {
    UnknownType,
    Fields,
}

impl de::Error for ProbeError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Fields
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::UnknownType
    }
}

impl StdError for ProbeError {}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "unknown type",
            Self::Fields => "missing fields",
        })
    }
}
