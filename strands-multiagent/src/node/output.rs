//! [`NodeOutput`], the return value of a function that is a node.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use strands_core::message::{ContentBlock, ToolResultContent};

use super::NodeError;
use crate::depth::fits;

/// Maximum number of levels of arrays and objects in the JSON of an output, as for agents.
const MAX_DEPTH: usize = 100;

/// Change of a graph's state, made when the result of a node is recorded.
pub(crate) type Update<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Output of a function that is a node: content for the nodes after it, and changes of the state.
///
/// A function may also return a text, content blocks or nothing: see [`IntoNodeOutput`].
pub struct NodeOutput<S = ()> {
    pub(crate) content: Vec<ContentBlock>,
    pub(crate) output: Option<Value>,
    pub(crate) updates: Vec<Update<S>>,
}

impl<S> NodeOutput<S> {
    /// Creates an output without content.
    pub fn none() -> Self {
        Self { content: Vec::new(), output: None, updates: Vec::new() }
    }

    /// Creates an output of a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![text.into().into()], ..Self::none() }
    }

    /// Creates an output of content blocks: texts, images, documents and others.
    pub fn content(content: impl IntoIterator<Item = impl Into<ContentBlock>>) -> Self {
        Self { content: content.into_iter().map(Into::into).collect(), ..Self::none() }
    }

    /// Creates a structured output, with its JSON as text. It may nest up to 100 levels of arrays and objects; the node fails with
    /// [`NodeError::InvalidOutput`] otherwise.
    ///
    /// # Errors
    ///
    /// Returns an error if the value can't be serialized to JSON.
    pub fn json(value: impl Serialize) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(value)?;
        Ok(Self { output: Some(value.clone()), ..Self::text(value.to_string()) })
    }

    /// Returns the output, if a session can store it and read it again.
    pub(crate) fn checked(self) -> Result<Self, NodeError> {
        let is_flat = |value: &Value| fits(value, MAX_DEPTH);
        let is_flat_block = |block: &ContentBlock| match block {
            ContentBlock::Provider(content) => is_flat(&content.content),
            ContentBlock::ToolUse(call) => is_flat(&call.input),
            ContentBlock::ToolResult(result) => result.content.iter().all(|content| match content {
                ToolResultContent::Json(json) => is_flat(json),
                _ => true,
            }),
            _ => true,
        };
        if self.output.iter().all(is_flat) && self.content.iter().all(is_flat_block) {
            return Ok(self);
        }
        let reason = format!("its JSON nests deeper than {MAX_DEPTH} levels of arrays and objects; make it flatter");
        Err(NodeError::InvalidOutput { output: "NodeOutput", reason })
    }

    /// Changes the state. The change and the result of the node are recorded together.
    #[must_use]
    pub fn update(mut self, change: impl FnOnce(&mut S) + Send + 'static) -> Self {
        self.updates.push(Box::new(change));
        self
    }
}

impl<S> fmt::Debug for NodeOutput<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeOutput")
            .field("content", &self.content.len())
            .field("updates", &self.updates.len())
            .finish_non_exhaustive()
    }
}

/// A trait for return types of functions that are nodes: a text, content blocks, nothing, a [`NodeOutput`], or a `Result` with one of
/// them and an error that converts to [`NodeError`].
pub trait IntoNodeOutput<S> {
    /// Converts the value to an output.
    ///
    /// # Errors
    ///
    /// Returns the error of the function.
    fn into_node_output(self) -> Result<NodeOutput<S>, NodeError>;
}

impl<S> IntoNodeOutput<S> for NodeOutput<S> {
    fn into_node_output(self) -> Result<Self, NodeError> {
        Ok(self)
    }
}

impl<S> IntoNodeOutput<S> for () {
    fn into_node_output(self) -> Result<NodeOutput<S>, NodeError> {
        Ok(NodeOutput::none())
    }
}

impl<S> IntoNodeOutput<S> for &str {
    fn into_node_output(self) -> Result<NodeOutput<S>, NodeError> {
        Ok(NodeOutput::text(self))
    }
}

impl<S> IntoNodeOutput<S> for String {
    fn into_node_output(self) -> Result<NodeOutput<S>, NodeError> {
        Ok(NodeOutput::text(self))
    }
}

impl<S> IntoNodeOutput<S> for Vec<ContentBlock> {
    fn into_node_output(self) -> Result<NodeOutput<S>, NodeError> {
        Ok(NodeOutput::content(self))
    }
}

impl<S, O: IntoNodeOutput<S>, E: Into<NodeError>> IntoNodeOutput<S> for Result<O, E> {
    fn into_node_output(self) -> Result<NodeOutput<S>, NodeError> {
        self.map_err(Into::into)?.into_node_output()
    }
}
