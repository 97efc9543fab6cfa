//! What a tool answers.

use serde::Serialize;
use serde_json::Value;

use super::ToolError;
use crate::message::{DocumentBlock, ImageBlock, ToolResult, ToolResultContent, ToolResultStatus};

/// What a tool answers: content for the model, and whether it is good news.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    content: Vec<ToolResultContent>,
    status: ToolResultStatus,
}

impl ToolOutput {
    /// These pieces.
    pub fn new(content: impl IntoIterator<Item = impl Into<ToolResultContent>>) -> Self {
        Self { content: content.into_iter().map(Into::into).collect(), status: ToolResultStatus::Success }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new([ToolResultContent::Text(text.into())])
    }

    /// A JSON value.
    pub fn json(value: Value) -> Self {
        Self::new([ToolResultContent::Json(value)])
    }

    /// Any value, as JSON; a string, as text.
    ///
    /// # Errors
    ///
    /// [`ToolError`] when the value can't be JSON, such as a map whose keys are not strings.
    pub fn serialize(value: &(impl Serialize + ?Sized)) -> Result<Self, ToolError> {
        match serde_json::to_value(value).map_err(ToolError::from_source)? {
            Value::String(text) => Ok(Self::text(text)),
            json => Ok(Self::json(json)),
        }
    }

    /// Bad news: the model is told that the tool could not do what it was asked, and why.
    pub fn error(text: impl Into<String>) -> Self {
        Self { status: ToolResultStatus::Error, ..Self::text(text) }
    }

    /// The pieces.
    pub fn content(&self) -> &[ToolResultContent] {
        &self.content
    }

    /// Whether it is good news.
    pub fn status(&self) -> &ToolResultStatus {
        &self.status
    }

    pub(crate) fn into_result(self, tool_use_id: &str) -> ToolResult {
        ToolResult::new(tool_use_id, self.status, self.content)
    }
}

/// A value that is a tool's answer as it is.
///
/// Tool functions return anything that is `Serialize`; implement this for a type that wants another form, such as an
/// image.
pub trait IntoToolOutput {
    /// The answer.
    ///
    /// # Errors
    ///
    /// [`ToolError`] when the value can't be one.
    fn into_tool_output(self) -> Result<ToolOutput, ToolError>;
}

impl IntoToolOutput for ToolOutput {
    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        Ok(self)
    }
}

macro_rules! into_tool_output {
    ($($type:ty: $value:pat => $output:expr;)+) => {
        $(impl IntoToolOutput for $type {
            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                let $value = self;
                Ok($output)
            }
        })+
    };
}

into_tool_output! {
    (): () => ToolOutput::text("done");
    String: text => ToolOutput::text(text);
    &str: text => ToolOutput::text(text);
    ToolResultContent: piece => ToolOutput::new([piece]);
    Vec<ToolResultContent>: pieces => ToolOutput::new(pieces);
    ImageBlock: image => ToolOutput::new([image]);
    DocumentBlock: document => ToolOutput::new([document]);
}
