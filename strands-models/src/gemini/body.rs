//! The body of a request. What stays the same from turn to turn comes first and the conversation last, so that each body
//! begins with the bytes of the one before.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use strands_core::message::SystemBlock;
use strands_core::models::{MessageSerializer, ModelError, ModelRequest};

use super::contents::Sent;
use super::known::Traits;
use super::settings::{GenerationConfig, Settings};
use super::tools::Tools;
use crate::http::{self, Conversation, Fields};

/// A request without its conversation, which follows behind it.
pub(super) struct Body<'a> {
    pub(super) settings: &'a Settings,
    pub(super) traits: Traits,
    pub(super) serializer: MessageSerializer,
    pub(super) request: &'a ModelRequest<'a>,
    /// The model, where its URL is not enough.
    pub(super) model: Option<String>,
}

impl Body<'_> {
    /// The body as bytes.
    ///
    /// # Errors
    ///
    /// [`ModelError::InvalidRequest`] for content that has no JSON.
    pub(super) fn write(&self) -> Result<Vec<u8>, ModelError> {
        let mut body = http::body(self)?;
        // The program's own wins, as for every field.
        if !self.settings.extra.contains_key("contents") {
            let ModelRequest { messages, serialized, .. } = *self.request;
            let conversation = Conversation { messages, serialized, serializer: self.serializer };
            conversation.append(&mut body, "contents", None::<&Value>, |bytes, message| {
                serde_json::to_writer(bytes, &Sent { message, messages, traits: self.traits })
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
            // The cache has both, and the provider refuses them beside it.
            Some(cache) => fields.put("cachedContent", cache)?,
            None => {
                let system = system_text(request.system);
                // The role says nothing; Strands writes it.
                let system = system.map(|text| json!({"role": "user", "parts": [{"text": text}]}));
                fields.put_some("systemInstruction", system.as_ref())?;
                // JSON of a schema and calls of functions are not to be had at once from every model, and here nobody
                // is to be called.
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

/// The system prompt as one text. The provider caches by itself, so cache points say nothing to it.
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
