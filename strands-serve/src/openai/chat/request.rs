//! Requests of Chat Completions. Unknown fields are ignored.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::super::conversation::ClientMessage;
use super::super::error::ApiError;
use super::super::{ClientInput, OpenAiSettings};

#[derive(Deserialize)]
pub(crate) struct ChatRequest {
    model: String,
    pub(super) messages: Vec<ClientMessage>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) metadata: Option<Map<String, Value>>,
    tools: Option<Vec<IgnoredAny>>,
    functions: Option<Vec<IgnoredAny>>,
    n: Option<u64>,
    logprobs: Option<bool>,
    response_format: Option<ResponseFormat>,
    modalities: Option<Vec<String>>,
    web_search_options: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct StreamOptions {
    pub(super) include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct ResponseFormat {
    #[serde(rename = "type")]
    kind: String,
}

impl ChatRequest {
    /// Checks the model, and parameters that would change the shape of the response.
    pub(super) fn check(&self, settings: &OpenAiSettings) -> Result<(), ApiError> {
        settings.check_model(&self.model)?;
        if settings.tools == ClientInput::Refuse {
            for (param, tools) in [("tools", &self.tools), ("functions", &self.functions)] {
                if tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
                    return Err(ApiError::unsupported(param, "the agent has its own tools"));
                }
            }
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(ApiError::unsupported("n", "a turn has one response"));
        }
        if self.logprobs == Some(true) {
            return Err(ApiError::unsupported("logprobs", "an agent has no log probabilities"));
        }
        if self.response_format.as_ref().is_some_and(|format| format.kind != "text") {
            return Err(ApiError::unsupported("response_format", "the response of the agent is text"));
        }
        if self.modalities.iter().flatten().any(|modality| modality != "text") {
            return Err(ApiError::unsupported("modalities", "the response of the agent is text"));
        }
        if self.web_search_options.is_some() {
            return Err(ApiError::unsupported("web_search_options", "the agent has its own tools"));
        }
        Ok(())
    }
}
