//! JSON of events: derived for known types, and passed through for unknown ones.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::known_types::is_known;
use super::{AgentEvent, EventFields, EventJson};

/// Defines the enum of events, `EventJson` with the derived serialization of its variants, and `EventFields` with the derived
/// deserialization. These are separate types, since the JSON of `AgentEvent` itself also supports unknown types.
///
/// `EventFields` has no `tag`: with one, serde copies the fields to a buffer of its own, and each type in an event is compiled
/// once more for reading from there. That would be a sixth of this crate's code.
macro_rules! event_with_json {
    ($(#[$meta:meta])* pub enum AgentEvent<$t:ident = $default:ty> $variants:tt) => {
        $(#[$meta])*
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum AgentEvent<$t = $default> $variants

        #[derive(serde::Serialize)]
        #[serde(remote = "AgentEvent", tag = "type", rename_all = "snake_case")]
        enum EventJson<$t> $variants

        #[derive(serde::Deserialize)]
        #[serde(remote = "AgentEvent", bound = "T: serde::Deserialize<'de>", rename_all = "snake_case")]
        enum EventFields<$t> $variants
    };
}

pub(super) use event_with_json;

impl<T: Serialize> Serialize for AgentEvent<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown(fields) => fields.serialize(serializer),
            known => EventJson::serialize(known, serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AgentEvent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let Some(Value::String(name)) = fields.get("type") else {
            return Err(de::Error::custom("missing event `type`: expected a string"));
        };
        if !is_known(name) {
            return Ok(Self::Unknown(fields));
        }
        let name = name.clone();
        fields.shift_remove("type");
        let fields_of_type = Map::from_iter([(name.clone(), Value::Object(fields))]);
        let event = EventFields::deserialize(Value::Object(fields_of_type))
            .map_err(|error| de::Error::custom(format!("in event `{name}`: {error}")))?;
        Ok(event.with_joined_path())
    }
}
