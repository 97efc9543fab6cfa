//! What an invocation adds to the history.

use crate::message::{ContentBlock, Message, Role};

/// What an invocation adds to the history: text, content blocks, whole messages, or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    pub(crate) messages: Vec<Message>,
}

impl Prompt {
    /// Nothing: the model goes on from the history as it is, which must end with something to respond to: a user message,
    /// tool results, or open tool calls. Otherwise the invocation fails with
    /// [`AgentError::NothingToAnswer`](crate::AgentError::NothingToAnswer) before a model call.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the messages: none, or those that the invocation adds.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Returns the text of the messages, each in lines of its own.
    ///
    /// ```
    /// use strands_core::Prompt;
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
