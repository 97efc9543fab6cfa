//! Fields of a request. [`messages`](super::messages) appends the conversation: fields that stay the same from turn to turn
//! come first, so that each body begins with the bytes of the previous one.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::SystemBlock;
use strands_core::models::{ModelRequest, ToolChoice};

use super::ServiceTier;
use super::model_catalog::{ReasoningDefault, Traits};
use super::prompt_cache::{CacheControl, CachePoints};
use super::request_plan::RequestPlan;
use super::settings::Settings;
use super::tools::{self, AllTools, Choice};
use crate::http::{self, Fields};

/// Fields of a request, ready to be serialized.
pub(super) struct Body<'a> {
    pub(super) model_id: &'a str,
    pub(super) traits: &'a Traits,
    pub(super) settings: &'a Settings,
    pub(super) request: &'a ModelRequest<'a>,
    pub(super) plan: &'a RequestPlan,
    /// `None` for token counts.
    pub(super) streaming: Option<bool>,
}

/// Extra fields that the token count endpoint accepts.
const COUNT_FIELDS: [&str; 7] =
    ["cache_control", "messages", "output_config", "system", "thinking", "tool_choice", "tools"];

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { traits, settings, request, plan, .. } = self;
        let extra = self.extra();
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &extra };
        fields.put("model", self.model_id)?;
        if let Some(streaming) = self.streaming {
            fields.put("max_tokens", &settings.sampling.max_tokens.unwrap_or(traits.max_tokens))?;
            fields.put("stream", &streaming)?;
            fields.put_some("temperature", settings.sampling.temperature.as_ref())?;
            fields.put_some("top_p", settings.sampling.top_p.as_ref())?;
            fields.put_some("top_k", settings.sampling.top_k.as_ref())?;
            fields.put_some("stop_sequences", settings.sampling.stop_sequences.as_ref())?;
            fields.put_some("metadata", settings.user_id.as_ref().map(|id| json!({"user_id": id})).as_ref())?;
            fields.put_some("service_tier", settings.service_tier.map(ServiceTier::as_str).as_ref())?;
        }
        fields.put_some("thinking", plan.thinking.as_ref())?;
        fields.put_some("output_config", self.output_config().as_ref())?;
        let ours = tools::translated(request.tools);
        // A forced call must be one of the program's tools, so server tools are omitted.
        let servers: &[Value] = if plan.forces { &[] } else { &settings.server_tools };
        let tools = AllTools { ours: &ours, servers, cached: plan.cache_points.tools };
        if !tools.is_empty() {
            fields.put("tools", &tools)?;
            fields.put_some("tool_choice", self.choice().as_ref())?;
        }
        if request.system.iter().any(is_sent) {
            fields.put("system", &System { blocks: request.system, cache_points: &plan.cache_points })?;
        }
        fields.put_extra()?;
        fields.map.end()
    }
}

impl<'a> Body<'a> {
    fn extra(&self) -> Cow<'a, Map<String, Value>> {
        http::without(&self.settings.extra, |name| self.streaming.is_none() && !COUNT_FIELDS.contains(&name))
    }

    fn output_config(&self) -> Option<Value> {
        let mut config = Map::new();
        if let Some(effort) = self.settings.effort(self.plan.thinking.as_ref()) {
            config.insert("effort".to_owned(), effort.into());
        }
        if let Some(schema) = &self.plan.format {
            config.insert("format".to_owned(), json!({"type": "json_schema", "schema": **schema}));
        }
        (!config.is_empty()).then_some(Value::Object(config))
    }

    fn choice(&self) -> Option<Choice<'a>> {
        if self.request.output_schema.is_some() {
            return Some(Choice::NONE);
        }
        let choice = match self.request.tool_choice {
            Some(_) if self.traits.reasoning == ReasoningDefault::Always => Some(&ToolChoice::Auto {}),
            choice => choice,
        };
        Choice::of(choice, self.settings.parallel_tool_calls)
    }
}

/// True for blocks that are sent. The API rejects blank text.
fn is_sent(block: &SystemBlock) -> bool {
    matches!(block, SystemBlock::Text(text) if !text.trim().is_empty())
}

struct System<'a> {
    blocks: &'a [SystemBlock],
    cache_points: &'a CachePoints,
}

impl Serialize for System<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self.blocks.iter().enumerate().filter_map(|(at, block)| match block {
            SystemBlock::Text(text) if is_sent(block) => Some(Text::new(text, self.cache_points.of_system(at))),
            _ => None,
        });
        serializer.collect_seq(texts)
    }
}

/// A text block that is not part of a message.
#[derive(Serialize)]
pub(super) struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str, cache_control: Option<CacheControl>) -> Self {
        Self { r#type: "text", text, cache_control }
    }
}
