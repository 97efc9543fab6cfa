//! Node paths: the origin of an event in nested agents and in graphs of agents.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::AgentEvent;

impl AgentEvent {
    /// Marks an event as one of the node `name`: a nested agent, or a node of a graph. The name is prepended to the existing
    /// path, so each level adds its own name to the events that it forwards.
    ///
    /// A client for one conversation uses the events with an empty [`path`](Self::path). A client for nested agents groups
    /// events by path. Each nested invocation has its own [`Start`](Self::Start) and [`Result`](Self::Result) at its path.
    ///
    /// ```
    /// use serde_json::json;
    /// use strands::AgentEvent;
    ///
    /// let event = AgentEvent::TextDelta { text: "Hel".into() }.at_node("writer").at_node("newsroom");
    /// assert_eq!(event.path().join("/"), "newsroom/writer");
    /// assert!(matches!(event.leaf(), AgentEvent::TextDelta { text } if text == "Hel"));
    /// assert_eq!(
    ///     serde_json::to_value(&event)?,
    ///     json!({"type": "node", "path": ["newsroom", "writer"], "event": {"type": "text_delta", "text": "Hel"}}),
    /// );
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn at_node(self, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        match self {
            Self::Node { mut path, event } => {
                path.insert(0, name);
                Self::Node { path, event }
            }
            event => Self::Node { path: vec![name], event: Box::new(event) },
        }
    }

    /// Returns the names of the nodes that forwarded the event, outermost first. Empty for an event of the invocation itself.
    pub fn path(&self) -> &[Arc<str>] {
        match self {
            Self::Node { path, .. } => path,
            _ => &[],
        }
    }

    /// Returns the event without its path.
    pub fn leaf(&self) -> &AgentEvent {
        match self {
            Self::Node { event, .. } => event,
            event => event,
        }
    }
}

impl<T> AgentEvent<T> {
    /// Joins the paths of nested `Node` events after deserialization. Paths within the event are already joined.
    pub(super) fn with_joined_path(self) -> Self {
        let Self::Node { mut path, event } = self else { return self };
        match *event {
            AgentEvent::Node { path: inner, event } => {
                path.extend(inner);
                Self::Node { path, event }
            }
            leaf => Self::Node { path, event: Box::new(leaf) },
        }
    }
}

/// Serialization and schema of a path, for serde's `with`. An empty path is an error.
pub(super) struct NodePath;

impl NodePath {
    pub(super) fn serialize<S: Serializer>(path: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
        path.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<str>>, D::Error> {
        let path = Vec::deserialize(deserializer)?;
        if path.is_empty() { Err(de::Error::custom("the path is empty")) } else { Ok(path) }
    }
}

impl JsonSchema for NodePath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NodePath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "string"}, "minItems": 1})
    }
}
