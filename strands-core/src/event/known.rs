//! Names of the event types that this version knows, by the derived deserialization: no list of them to maintain.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, StdError};

use super::EventJson;

/// True if an event type of this name exists in this version.
pub(super) fn is_known(name: &str) -> bool {
    let only_type = MapDeserializer::<_, Refusal>::new([("type", name)].into_iter());
    !matches!(EventJson::<serde_json::Value>::deserialize(only_type), Err(Refusal::UnknownType))
}

/// Reason why an event that has nothing but a type can't be read.
#[derive(Debug)]
enum Refusal {
    UnknownType,
    Fields,
}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Fields
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::UnknownType
    }
}

impl StdError for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "unknown type",
            Self::Fields => "missing fields",
        })
    }
}
