//! Requests of Responses. Unknown fields are ignored.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::super::conversation::ClientMessage;
use super::super::error::ApiError;
use super::super::{ClientInput, OpenAiSettings};

#[derive(Deserialize)]
pub(crate) struct ResponsesRequest {
    model: String,
    pub(super) input: Input,
    pub(super) stream: Option<bool>,
    pub(super) store: Option<bool>,
    pub(super) previous_response_id: Option<String>,
    pub(super) conversation: Option<Conversation>,
    pub(super) metadata: Option<Map<String, Value>>,
    instructions: Option<Value>,
    tools: Option<Vec<IgnoredAny>>,
    background: Option<bool>,
    prompt: Option<IgnoredAny>,
    text: Option<TextSettings>,
}

/// Input: a text, or items.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Input {
    Text(String),
    Items(Vec<ClientMessage>),
}

/// A conversation: its id, or an object with the id.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Conversation {
    Id(String),
    Object { id: String },
}

#[derive(Deserialize)]
struct TextSettings {
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
}

impl Conversation {
    pub(super) fn id(&self) -> &str {
        let (Self::Id(id) | Self::Object { id }) = self;
        id
    }

    pub(super) fn into_id(self) -> String {
        let (Self::Id(id) | Self::Object { id }) = self;
        id
    }
}

impl Input {
    pub(super) fn into_messages(self) -> Vec<ClientMessage> {
        match self {
            Self::Text(text) => vec![ClientMessage::user(text)],
            Self::Items(items) => items,
        }
    }
}

impl ResponsesRequest {
    /// Checks the model, and parameters that would change the response.
    pub(super) fn check(&self, settings: &OpenAiSettings) -> Result<(), ApiError> {
        settings.check_model(&self.model)?;
        if settings.tools == ClientInput::Refuse && self.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
            return Err(ApiError::unsupported("tools", "the agent has its own tools"));
        }
        if settings.instructions == ClientInput::Refuse && self.instructions.is_some() {
            return Err(ApiError::unsupported("instructions", "the agent has its own instructions"));
        }
        if self.background == Some(true) {
            return Err(ApiError::unsupported("background", "responses are not created in the background"));
        }
        if self.prompt.is_some() {
            return Err(ApiError::unsupported("prompt", "there are no stored prompts"));
        }
        let format = self.text.as_ref().and_then(|text| text.format.as_ref());
        if format.is_some_and(|format| format.kind != "text") {
            return Err(ApiError::unsupported("text", "the response of the agent is text"));
        }
        Ok(())
    }
}
