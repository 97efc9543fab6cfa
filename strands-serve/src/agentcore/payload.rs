//! Payloads: a prompt, or responses to interrupts.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use strands_core::{InterruptResponse, Prompt, PromptContent};

use super::error::InvocationError;
use crate::http::Problem;

/// Key of debug actions.
const ACTION: &str = "_agent_core_app_action";

/// A payload. Fields that are not known are left to the program, which gets the whole payload in the
/// [`AgentCoreContext`](super::AgentCoreContext).
#[derive(Debug)]
pub(super) struct Payload {
    json: Value,
}

/// Prompt of a payload.
#[derive(Debug)]
pub(super) struct PromptOfPayload {
    pub(super) prompt: Prompt,
    pub(super) responses: Vec<InterruptResponse>,
}

/// A response to an interrupt as a content block, as Strands for Python takes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResponseBlock {
    interrupt_response: InterruptResponse,
}

impl Payload {
    /// Parses a payload.
    ///
    /// # Errors
    ///
    /// Returns the errors of the SDK for texts that are not UTF-8 or not JSON.
    pub(super) fn parse(body: &[u8]) -> Result<Self, InvocationError> {
        let text = std::str::from_utf8(body).map_err(|error| {
            let invalid = InvocationError::new(StatusCode::BAD_REQUEST, "invalid_encoding", "Invalid encoding");
            invalid.with_details(error.to_string())
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json = serde_json::from_str(text).map_err(|error| {
            let invalid = InvocationError::new(StatusCode::BAD_REQUEST, "invalid_json", "Invalid JSON");
            invalid.with_details(error.to_string())
        })?;
        Ok(Self { json })
    }

    /// Returns the debug action.
    pub(super) fn action(&self) -> Option<&Value> {
        self.json.get(ACTION).filter(|action| !action.is_null() && *action != "")
    }

    /// Returns true or false if the client has asked for a stream or for one response.
    pub(super) fn stream(&self) -> Option<bool> {
        self.json.get("stream")?.as_bool()
    }

    pub(super) fn into_json(self) -> Value {
        self.json
    }

    /// Returns the prompt: a text, content blocks, or blocks `{"interruptResponse": {"interruptId", "response"}}`.
    pub(super) fn prompt(&self) -> Result<PromptOfPayload, InvocationError> {
        let invalid = |detail: String| InvocationError::new(StatusCode::BAD_REQUEST, "invalid_prompt", detail);
        let Some(prompt) = self.json.get("prompt") else {
            return Err(invalid("the payload must be an object with a `prompt`".to_owned()));
        };
        if is_responses(prompt) {
            let blocks: Vec<ResponseBlock> =
                Deserialize::deserialize(prompt).map_err(|error| invalid(format!("invalid `prompt`: {error}")))?;
            let responses = blocks.into_iter().map(|block| block.interrupt_response).collect();
            return Ok(PromptOfPayload { prompt: Prompt::none(), responses });
        }
        let content = PromptContent::deserialize(prompt);
        let content = content.map_err(|_| invalid("`prompt` must be a text or a list of content blocks".to_owned()))?;
        Ok(PromptOfPayload { prompt: content.into_prompt().map_err(Problem::from)?, responses: Vec::new() })
    }
}

fn is_responses(prompt: &Value) -> bool {
    let first = prompt.as_array().and_then(|blocks| blocks.first());
    first.is_some_and(|block| block.get("interruptResponse").is_some())
}
