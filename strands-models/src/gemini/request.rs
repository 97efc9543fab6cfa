//! Request body. Fields that stay the same from turn to turn come first and the conversation last, so that each body begins
//! with the bytes of the previous one.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use strands_core::message::SystemBlock;
use strands_core::models::{MessageSerializer, ModelError, ModelRequest};

use super::contents::OutgoingMessage;
use super::model_catalog::Traits;
use super::settings::{GenerationConfig, Settings};
use super::tools::Tools;
use crate::http::{self, Conversation, Fields};

/// Fields of a request. The conversation is appended after them.
pub(super) struct Body<'a> {
    pub(super) settings: &'a Settings,
    pub(super) traits: Traits,
    pub(super) serializer: MessageSerializer,
    pub(super) request: &'a ModelRequest<'a>,
    /// Model resource name, for endpoints that need it in the body.
    pub(super) model: Option<String>,
}

impl Body<'_> {
    /// Serializes the body with the conversation.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if the content can't be serialized as JSON.
    pub(super) fn write(&self) -> Result<Vec<u8>, ModelError> {
        let mut body = http::body(self)?;
        // An extra field replaces the conversation, as it does every field.
        if !self.settings.extra.contains_key("contents") {
            let ModelRequest { messages, serialized, .. } = *self.request;
            let conversation = Conversation { messages, serialized, serializer: self.serializer };
            conversation.append(&mut body, "contents", None::<&Value>, |bytes, message| {
                serde_json::to_writer(bytes, &OutgoingMessage { message, messages, traits: self.traits })
            })?;
        }
        Ok(body)
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, traits, request, model, .. } = self;
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &settings.extra };
        fields.put_some("model", model.as_ref())?;
        match &settings.cached_content {
            // The cached content includes system prompt and tools, and the provider rejects requests with both.
            Some(cache) => fields.put("cachedContent", cache)?,
            None => {
                let system = system_text(request.system);
                // The role has no effect; Strands sends it too.
                let system = system.map(|text| json!({"role": "user", "parts": [{"text": text}]}));
                fields.put_some("systemInstruction", system.as_ref())?;
                // Not every model supports a response schema and functions in one request, and a request for structured
                // output needs no calls.
                if request.output_schema.is_none()
                    && let Some(tools) = Tools::new(request.tools, &settings.server_tools)
                {
                    fields.put("tools", &tools)?;
                    fields.put_some("toolConfig", tools.config(request.tool_choice, traits.cloud).as_ref())?;
                }
            }
        }
        let config = GenerationConfig { settings, output: request.output_schema };
        if !config.is_empty() {
            fields.put("generationConfig", &config)?;
        }
        if !settings.safety.is_empty() {
            fields.put("safetySettings", &settings.safety)?;
        }
        fields.put_extra()?;
        fields.map.end()
    }
}

/// Returns the system prompt as one text. Cache points are skipped: the provider caches prompts automatically.
fn system_text(system: &[SystemBlock]) -> Option<String> {
    let texts: Vec<&str> = system
        .iter()
        .filter_map(|block| match block {
            SystemBlock::Text(text) if !text.trim().is_empty() => Some(text.as_str()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
