//! The body of a request, written once, straight from the borrowed conversation. What stays the same from turn to turn
//! comes first and the conversation last, so that each body begins with the bytes of the one before.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;
use strands_core::message::SystemBlock;
use strands_core::model::ModelRequest;

use super::contents::Contents;
use super::known::Traits;
use super::settings::{GenerationConfig, Settings};
use super::tools::Tools;
use crate::http::Fields;

/// A request that is ready to be written.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) settings: &'a Settings,
    pub(super) traits: Traits,
    pub(super) request: &'a ModelRequest<'a>,
}

impl Body<'_> {
    /// The fields of a request, without the braces around them.
    pub(super) fn write<M: SerializeMap>(&self, map: M) -> Result<M, M::Error> {
        let Self { settings, traits, request } = self;
        let mut fields = Fields { map, extra: &settings.extra };
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
                    && let Some(tools) = Tools::new(request.tools, &settings.built_in_tools)
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
        fields.put("contents", &Contents { messages: request.messages, traits: *traits })?;
        Ok(fields.map)
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write(serializer.serialize_map(None)?)?.end()
    }
}

/// The system prompt as one text. The provider caches by itself, so cache points say nothing to it.
fn system_text(system: &[SystemBlock]) -> Option<String> {
    let texts: Vec<&str> = system
        .iter()
        .filter_map(|block| match block {
            SystemBlock::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
