//! Outputs of tools.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::ToolError;
use crate::message::{
    AudioBlock, ContentBlock, DocumentBlock, ImageBlock, ToolResult, ToolResultContent, ToolResultStatus, VideoBlock,
};

/// Output of a tool: content for the model, and a status.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    content: Vec<ToolResultContent>,
    status: ToolResultStatus,
}

impl ToolOutput {
    /// Creates an output of content blocks.
    pub fn new(content: impl IntoIterator<Item = impl Into<ToolResultContent>>) -> Self {
        Self { content: content.into_iter().map(Into::into).collect(), status: ToolResultStatus::Success }
    }

    /// Creates a text output.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new([ToolResultContent::Text(text.into())])
    }

    /// Creates a JSON output.
    pub fn json(value: Value) -> Self {
        Self::new([ToolResultContent::Json(value)])
    }

    /// Creates an output of any serializable value: a string as text, everything else as JSON.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if the value can't be serialized to JSON, such as a map whose keys are not strings.
    pub fn serialize(value: &(impl Serialize + ?Sized)) -> Result<Self, ToolError> {
        match serde_json::to_value(value).map_err(ToolError::from_source)? {
            Value::String(text) => Ok(Self::text(text)),
            json => Ok(Self::json(json)),
        }
    }

    /// Creates an error result: the text tells the model why the tool failed.
    pub fn error(text: impl Into<String>) -> Self {
        Self { status: ToolResultStatus::Error, ..Self::text(text) }
    }

    /// Sets the status, for an error result whose content is more than a text.
    #[must_use]
    pub fn with_status(mut self, status: ToolResultStatus) -> Self {
        self.status = status;
        self
    }

    /// Returns the content.
    pub fn content(&self) -> &[ToolResultContent] {
        &self.content
    }

    /// Returns the status: success or error.
    pub fn status(&self) -> &ToolResultStatus {
        &self.status
    }

    /// Creates an output without content.
    pub(super) fn empty() -> Self {
        Self { content: Vec::new(), status: ToolResultStatus::Success }
    }

    /// Adds a content block.
    pub(super) fn push(&mut self, content: impl Into<ToolResultContent>) {
        self.content.push(content.into());
    }

    /// Appends the content of another output. An error status of either is that of the result.
    pub(super) fn append(&mut self, other: Self) {
        self.content.extend(other.content);
        if other.status != ToolResultStatus::Success {
            self.status = other.status;
        }
    }

    /// Returns the JSON value of an output of data.
    pub(super) fn into_value(self) -> Result<Value, ToolError> {
        let mut values = Vec::with_capacity(1);
        for content in self.content {
            values.push(match content {
                ToolResultContent::Text(text) => Value::String(text),
                ToolResultContent::Json(value) => value,
                other => serde_json::to_value(other).map_err(ToolError::from_source)?,
            });
        }
        Ok(if values.len() == 1 { values.pop().unwrap_or_default() } else { Value::Array(values) })
    }

    /// Returns the output, or null if it is empty: providers reject an empty tool result.
    pub(super) fn or_null(self) -> Self {
        if self.content.is_empty() && self.status == ToolResultStatus::Success { Self::json(Value::Null) } else { self }
    }

    pub(crate) fn into_result(self, tool_use_id: &str) -> ToolResult {
        ToolResult::new(tool_use_id, self.status, self.content)
    }
}

/// A value with its own conversion to a tool result.
///
/// Tool functions return anything that is `Serialize`; implement this trait for a type with another form, such as an image.
/// Lists, options, arrays, maps, tuples and results of such values implement it, too: their content blocks are
/// concatenated, while [data](Self::IS_DATA) stays one JSON value.
///
/// # Examples
///
/// ```
/// use strands::message::{ImageBlock, ImageFormat, ToolResultContent};
/// use strands::{IntoToolOutput, ToolError, ToolOutput};
///
/// struct Chart {
///     png: Vec<u8>,
/// }
///
/// impl IntoToolOutput for Chart {
///     fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
///         Ok(ToolOutput::new([ImageBlock::new(ImageFormat::Png, self.png)]))
///     }
/// }
///
/// let output = vec![("sales", Chart { png: vec![1] }), ("costs", Chart { png: vec![2] })].into_tool_output()?;
/// assert!(matches!(output.content(), [ToolResultContent::Text(_), ToolResultContent::Image(_), ..]));
/// assert_eq!(output.content().len(), 4);
/// # Ok::<(), ToolError>(())
/// ```
pub trait IntoToolOutput {
    /// True for data, which is one JSON value or a text: a list of it is one JSON array. Default: false, for content blocks.
    const IS_DATA: bool = false;

    /// Converts the value.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if the value can't be a tool result.
    fn into_tool_output(self) -> Result<ToolOutput, ToolError>;
}

impl IntoToolOutput for ToolOutput {
    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        Ok(self)
    }
}

macro_rules! content {
    ($($type:ty)+) => {
        $(impl IntoToolOutput for $type {
            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                Ok(ToolOutput::new([self]))
            }
        })+
    };
}

content! { ToolResultContent ImageBlock DocumentBlock VideoBlock AudioBlock }

macro_rules! data {
    ($($type:ty)+) => {
        $(impl IntoToolOutput for $type {
            const IS_DATA: bool = true;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                ToolOutput::serialize(&self)
            }
        })+
    };
}

data! { Value bool char f32 f64 u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

macro_rules! text {
    ($($type:ty)+) => {
        $(impl IntoToolOutput for $type {
            const IS_DATA: bool = true;

            fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
                Ok(ToolOutput::text(self))
            }
        })+
    };
}

text! { String &str Box<str> Cow<'_, str> }

impl IntoToolOutput for Arc<str> {
    const IS_DATA: bool = true;

    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(&*self))
    }
}

impl IntoToolOutput for () {
    const IS_DATA: bool = true;

    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("done"))
    }
}

impl IntoToolOutput for ContentBlock {
    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        match self {
            Self::Image(image) => image.into_tool_output(),
            Self::Document(document) => document.into_tool_output(),
            Self::Video(video) => video.into_tool_output(),
            Self::Audio(audio) => audio.into_tool_output(),
            Self::Text(_) | Self::Citations(_) => Ok(ToolOutput::new(self.texts())),
            // Other blocks have meaning only for the model that generated them.
            _ => Ok(ToolOutput::empty()),
        }
    }
}
