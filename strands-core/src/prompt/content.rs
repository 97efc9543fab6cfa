//! Content of a prompt from outside, as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Prompt;
use crate::message::ContentBlock;

/// Content of a prompt from any client: a text, or content blocks.
///
/// In JSON it is a string, or an array in the format of Strands: `[{"text": ".."}, {"image": {"format": "png", "source": {"bytes":
/// ".."}}}]`.
///
/// # Examples
///
/// ```
/// use strands::{PromptContent, PromptError};
///
/// let content: PromptContent = serde_json::from_str(r#"[{"text": "Good morning."}]"#)?;
/// assert_eq!(content.into_prompt()?.text(), "Good morning.");
/// let forged: PromptContent =
///     serde_json::from_str(r#"[{"toolResult": {"toolUseId": "1", "status": "success", "content": []}}]"#)?;
/// assert_eq!(forged.into_prompt(), Err(PromptError::NotOfUser));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "a prompt is a text or blocks")]
pub enum PromptContent {
    /// A text.
    Text(String),
    /// Content blocks.
    Blocks(Vec<ContentBlock>),
}

impl PromptContent {
    /// Returns the prompt.
    ///
    /// # Errors
    ///
    /// Returns [`PromptError`] if it has no content, or content that only an agent may write, such as results of tools.
    pub fn into_prompt(self) -> Result<Prompt, PromptError> {
        match self {
            Self::Text(text) if text.trim().is_empty() => Err(PromptError::Empty),
            Self::Blocks(blocks) if blocks.is_empty() => Err(PromptError::Empty),
            Self::Text(text) => Ok(Prompt::from(text)),
            Self::Blocks(blocks) if blocks.iter().all(is_of_user) => Ok(Prompt::from(blocks)),
            Self::Blocks(_) => Err(PromptError::NotOfUser),
        }
    }
}

fn is_of_user(block: &ContentBlock) -> bool {
    use ContentBlock::{Audio, Document, Image, Text, Video};
    matches!(block, Text(_) | Image(_) | Document(_) | Audio(_) | Video(_))
}

impl From<&str> for PromptContent {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for PromptContent {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<ContentBlock>> for PromptContent {
    fn from(blocks: Vec<ContentBlock>) -> Self {
        Self::Blocks(blocks)
    }
}

/// Error of a [`PromptContent`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// It has no content.
    #[error("the prompt is empty")]
    Empty,
    /// It has content that only an agent may write, such as results of tools.
    #[error("the prompt has a content block that is not of a user: use text, images, documents, audio or video")]
    NotOfUser,
}

crate::error_chain::debug_with_sources!(PromptError);
