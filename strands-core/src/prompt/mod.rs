//! Prompts: the messages that an invocation adds to the history.

mod content;

pub use content::{PromptContent, PromptError};

use crate::message::{ContentBlock, Message, Role};

/// Messages that an invocation adds to the history: text, content blocks, whole messages, or none.
///
/// # Examples
///
/// A text with an image. Documents, video and audio work the same way; the table of providers in the book lists the media
/// that each accepts.
///
/// ```
/// use strands::Agent;
/// use strands::message::{ImageBlock, ImageFormat};
/// # use strands::testing::ScriptedModel;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = ScriptedModel::responding("A cat.");
/// # let bytes = vec![0x89, 0x50, 0x4e, 0x47];
/// let mut agent = Agent::builder().model(model).build().await?;
/// // let bytes = std::fs::read("cat.png")?;
/// let image = ImageBlock::new(ImageFormat::Png, bytes);
/// let response = agent.prompt(["What is in this image?".into(), image.into()]).await?;
/// assert_eq!(response.text(), "A cat.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    pub(crate) messages: Vec<Message>,
}

impl Prompt {
    /// Creates an empty prompt: the model continues from the history as it is.
    ///
    /// The history must end with something to respond to: a user message, tool results, open tool calls, or a response that
    /// a limit has just cut off. Otherwise the invocation fails with
    /// [`AgentError::NothingToRespondTo`](crate::AgentError::NothingToRespondTo) before a model call.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Returns the text of the messages, joined with line breaks.
    ///
    /// ```
    /// use strands::Prompt;
    ///
    /// assert_eq!(Prompt::from("How is the weather?").text(), "How is the weather?");
    /// ```
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.messages.iter().map(Message::text).collect();
        texts.join("\n")
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::from(Message::user(text))
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self::from(Message::user(text))
    }
}

impl From<&String> for Prompt {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Vec<ContentBlock>> for Prompt {
    fn from(content: Vec<ContentBlock>) -> Self {
        Self::from(Message::new(Role::User, content))
    }
}

impl<const N: usize> From<[ContentBlock; N]> for Prompt {
    fn from(content: [ContentBlock; N]) -> Self {
        Self::from(Message::new(Role::User, content))
    }
}

impl From<Message> for Prompt {
    fn from(message: Message) -> Self {
        Self { messages: vec![message] }
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages }
    }
}
