//! [`Continuation`]: the state with which a suspended or kept conversation goes on.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::depth;

/// The state with which a [`Promptable`](crate::Promptable) or a tool goes on later, in any process: a JSON value that only its
/// owner understands. Cheap to clone.
///
/// It may contain a conversation, so `Debug` prints nothing of it. Its own JSON is the value. A value may nest up to 100 levels of
/// arrays and objects.
///
/// ```
/// use strands::{Continuation, serde_json::json};
///
/// let continuation = Continuation::new(json!({"task": "17", "secret": "s"}));
/// assert_eq!(continuation.value()["task"], "17");
/// assert_eq!(format!("{continuation:?}"), "Continuation(..)");
/// ```
#[derive(Clone)]
pub struct Continuation {
    value: Arc<Value>,
    /// True for the snapshot of an agent that this crate made. Others may have been made elsewhere, so that what they say about
    /// calls and approvals is not trusted.
    is_of_agent: bool,
}

impl Continuation {
    /// Creates a continuation from the state of a custom promptable or tool.
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: Arc::new(value.into()), is_of_agent: false }
    }

    /// Creates a continuation from a state that may nest deeper than 100 levels, since it has the continuations of others: a state
    /// that is too deep becomes JSON text. [`read`](Self::read) reads both.
    pub fn nested(state: Value) -> Self {
        Self::new(if depth::check(&state).is_ok() { state } else { Value::String(state.to_string()) })
    }

    /// Returns the state.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Creates the continuation of an agent from its snapshot. One that nests too deep to be stored becomes JSON text.
    pub(crate) fn of_agent(snapshot: Value) -> Self {
        Self::nested(snapshot).into_agents()
    }

    /// Returns the continuation as that of an agent, from a record in which this crate or Strands has stored it so.
    pub(crate) fn into_agents(self) -> Self {
        Self { is_of_agent: true, ..self }
    }

    /// Returns true for the snapshot of an agent that this crate made.
    pub(crate) fn is_of_agent(&self) -> bool {
        self.is_of_agent
    }

    /// Reads a state that [`nested`](Self::nested) has made.
    ///
    /// # Errors
    ///
    /// Returns an error if the state is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &*self.value {
            Value::String(text) => serde_json::from_str(text),
            value => T::deserialize(value),
        }
    }
}

impl From<Value> for Continuation {
    fn from(value: Value) -> Self {
        Self::new(value)
    }
}

impl PartialEq for Continuation {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value) || self.value == other.value
    }
}

impl Serialize for Continuation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Continuation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Continuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Continuation(..)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deep_snapshot_of_an_agent_is_stored_as_text() {
        let deep = |levels| (0..levels).fold(json!("leaf"), |value, _| json!([value]));
        for (levels, is_text) in [(100, false), (101, true), (120, true)] {
            let continuation = Continuation::of_agent(deep(levels));
            assert_eq!(continuation.value().is_string(), is_text, "{levels}");
            assert!(depth::check(continuation.value()).is_ok());
            assert_eq!(continuation.read::<Value>().unwrap(), deep(levels));
        }
    }

    #[test]
    fn json_keeps_the_value_and_no_trust() {
        let own = Continuation::of_agent(json!({"data": {}}));
        let json = serde_json::to_value(&own).unwrap();
        assert_eq!(json, json!({"data": {}}));
        let read: Continuation = serde_json::from_value(json).unwrap();
        assert_eq!(read, own);
        assert!(own.is_of_agent() && !read.is_of_agent());
    }
}
