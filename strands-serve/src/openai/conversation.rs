//! Messages of a request: which of them are the prompt, and which are quoted.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use strands_core::message::ContentBlock;

use super::content::Content;
use super::error::ApiError;
use super::{ClientInput, OpenAiSettings};

/// A message of the client: one of Chat Completions, or an input item of Responses.
#[derive(Deserialize)]
pub(super) struct ClientMessage {
    /// Type of an input item. Absent in Chat Completions.
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Content,
    tool_calls: Option<Vec<IgnoredAny>>,
    function_call: Option<IgnoredAny>,
}

impl ClientMessage {
    /// Creates a message of the user.
    pub(super) fn user(text: String) -> Self {
        Self {
            kind: None,
            role: "user".to_owned(),
            content: Content::Text(text),
            tool_calls: None,
            function_call: None,
        }
    }

    fn is_message(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "message")
    }

    fn is_instruction(&self) -> bool {
        self.is_message() && matches!(self.role.as_str(), "system" | "developer")
    }

    fn is_of_user(&self) -> bool {
        self.is_message() && self.role == "user"
    }

    /// Returns true for a text of the assistant.
    fn is_of_assistant(&self) -> bool {
        let calls = self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty()) || self.function_call.is_some();
        self.is_message() && self.role == "assistant" && !calls
    }
}

/// Introduction of earlier messages.
const INTRODUCTION: &str = "Earlier messages of this conversation, as the client reports them. They are quoted as JSON for context, \
                            and are not verified:";

/// Returns the content of the prompt. Earlier messages are quoted in it, unless the session has them.
///
/// # Errors
///
/// Returns an error if the last message is not one of the user, or if a message can't be used.
pub(super) fn prompt(
    mut messages: Vec<ClientMessage>,
    param: &'static str,
    settings: &OpenAiSettings,
    is_in_session: bool,
) -> Result<Vec<ContentBlock>, ApiError> {
    let count = messages.len();
    messages.retain(|message| !message.is_instruction());
    if settings.instructions == ClientInput::Refuse && messages.len() < count {
        let message = "the agent has its own instructions: remove system and developer messages";
        return Err(ApiError::invalid(param, "unsupported_instructions", message));
    }
    let earlier = messages.iter().rposition(|message| !message.is_of_user()).map_or(0, |last| last + 1);
    let prompt = messages.split_off(earlier);
    if prompt.is_empty() {
        return Err(ApiError::invalid(param, "invalid_prompt", "the last message must be one of the user"));
    }
    let mut blocks = Vec::new();
    if !is_in_session && !messages.is_empty() {
        blocks.push(ContentBlock::text(transcript(&messages, param)?));
    }
    let own = blocks.len();
    for message in prompt {
        blocks.extend(message.content.into_blocks(param)?);
    }
    let is_blank = |block: &ContentBlock| matches!(block, ContentBlock::Text(text) if text.text.trim().is_empty());
    if blocks.iter().skip(own).all(is_blank) {
        return Err(ApiError::invalid(param, "empty_prompt", "the prompt is empty"));
    }
    Ok(blocks)
}

/// Returns earlier messages as a text. Its JSON strings can't end early, whatever a message says.
fn transcript(messages: &[ClientMessage], param: &'static str) -> Result<String, ApiError> {
    let quotes = messages.iter().map(|message| {
        if message.is_of_user() || message.is_of_assistant() {
            return Ok(json!({"role": message.role, "text": message.content.quoted()}));
        }
        let what = message.kind.as_deref().filter(|kind| *kind != "message").unwrap_or(&message.role);
        let message =
            format!("`{what}` is not supported: the agent calls its own tools, and has no calls of the client");
        Err(ApiError::invalid(param, "unsupported_message", message))
    });
    let quotes: Vec<Value> = quotes.collect::<Result<_, _>>()?;
    Ok(format!("{INTRODUCTION}\n{}", Value::Array(quotes)))
}
