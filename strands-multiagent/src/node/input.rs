//! [`NodeInput`], the input of a node: the task, and the outputs of the nodes before it.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use strands_core::Prompt;
use strands_core::message::{ContentBlock, Message};

use super::NodeError;

/// Input of a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeInput {
    /// Prompt of the graph.
    pub task: Prompt,
    /// Outputs of the nodes whose edges have fired, in the order in which the edges were declared.
    pub from: Vec<NodeSource>,
    /// Item of a node that runs once for each item of a list.
    pub item: Option<Value>,
}

/// Output of a node, as the input of another one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeSource {
    /// Id of the node.
    pub node: Arc<str>,
    /// Output of the node.
    pub message: Arc<Message>,
    /// Structured output of the node.
    pub output: Option<Arc<Value>>,
}

impl NodeInput {
    /// Creates the input of a node.
    pub(crate) fn new(task: Prompt, from: Vec<NodeSource>) -> Self {
        Self { task, from, item: None }
    }

    /// Returns the texts of the outputs before the node, joined with line breaks; or of the task, if there are none.
    pub fn text(&self) -> String {
        if self.from.is_empty() {
            return self.task.text();
        }
        let texts: Vec<String> = self.from.iter().map(|source| source.message.text()).collect();
        texts.join("\n")
    }

    /// Returns the output of a node, if its edge has fired.
    pub fn of(&self, node: &str) -> Option<&NodeSource> {
        self.from.iter().find(|source| &*source.node == node)
    }

    /// Returns the item of a node that runs once for each item of a list.
    ///
    /// # Errors
    ///
    /// Returns [`NodeError::InvalidOutput`] if the node has no item, or one of another type.
    pub fn item<T: DeserializeOwned>(&self) -> Result<T, NodeError> {
        read(self.item.as_ref())
    }

    /// Returns the prompt for an agent, in the form of Strands: the item, or the task followed by the outputs with the ids of their
    /// nodes. All content is preserved: texts, images, documents and others.
    pub fn prompt(&self) -> Prompt {
        if let Some(item) = &self.item {
            return Prompt::from(match item {
                Value::String(text) => text.clone(),
                item => item.to_string(),
            });
        }
        if self.from.is_empty() {
            return self.task.clone();
        }
        let mut content = Vec::new();
        let mut parts = self.task.messages().iter().flat_map(|message| &message.content).peekable();
        if let Some(ContentBlock::Text(first)) = parts.peek() {
            content.push(format!("Original Task: {}", first.text).into());
            parts.next();
        }
        content.extend(parts.cloned());
        content.push("\nInputs from previous nodes:".into());
        for source in &self.from {
            content.push(format!("\nFrom {}:", source.node).into());
            let before = content.len();
            content.extend(source.message.content.iter().filter(|block| is_output(block)).cloned());
            if content.len() == before {
                content
                    .push(source.output.as_ref().map_or_else(|| "(no output)".to_owned(), ToString::to_string).into());
            }
        }
        Prompt::from(content)
    }
}

impl NodeSource {
    /// Returns the text of the output.
    pub fn text(&self) -> String {
        self.message.text()
    }

    /// Returns the structured output.
    ///
    /// # Errors
    ///
    /// Returns [`NodeError::InvalidOutput`] if there is none, or one of another type.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, NodeError> {
        read(self.output.as_deref())
    }
}

/// Returns true for content that another agent may get.
pub(crate) fn is_output(block: &ContentBlock) -> bool {
    use ContentBlock::{Audio, Document, Image, Text, Video};
    match block {
        Text(text) => !text.text.is_empty(),
        Image(_) | Document(_) | Audio(_) | Video(_) => true,
        _ => false,
    }
}

/// Reads a value of a node.
pub(crate) fn read<T: DeserializeOwned>(value: Option<&Value>) -> Result<T, NodeError> {
    let invalid = |reason: String| NodeError::InvalidOutput { output: std::any::type_name::<T>(), reason };
    let value = value.ok_or_else(|| invalid("there is none".to_owned()))?;
    T::deserialize(value).map_err(|error| invalid(error.to_string()))
}
