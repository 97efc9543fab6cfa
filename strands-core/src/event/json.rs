//! JSON of an event: derived for the types that this version knows; an event of any other type is its own JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::known::is_known;
use super::{AgentEvent, EventJson};

/// Defines the enum of events, and `EventJson` with the derived serialization of its variants. That has to be a type of its
/// own, since the serialization of `AgentEvent` itself adds types that this version does not know.
macro_rules! event_with_json {
    ($(#[$meta:meta])* pub enum AgentEvent $variants:tt) => {
        $(#[$meta])*
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum AgentEvent $variants

        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(remote = "AgentEvent", tag = "type", rename_all = "snake_case")]
        enum EventJson $variants
    };
}

pub(super) use event_with_json;

impl Serialize for AgentEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown(fields) => fields.serialize(serializer),
            known => EventJson::serialize(known, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AgentEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let Some(Value::String(name)) = fields.get("type") else {
            return Err(de::Error::custom("an event needs a `type`: expected a string"));
        };
        if !is_known(name) {
            return Ok(Self::Unknown(fields));
        }
        let name = name.clone();
        let event = EventJson::deserialize(Value::Object(fields))
            .map_err(|error| de::Error::custom(format!("in event `{name}`: {error}")))?;
        Ok(event.with_joined_path())
    }
}
