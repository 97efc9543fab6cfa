//! The body of a request without its conversation, which [`messages`](super::messages) puts behind it: what stays the same
//! from turn to turn comes first, so that each body begins with the bytes of the one before.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::SystemBlock;
use strands_core::models::{ModelRequest, ToolChoice};

use super::ServiceTier;
use super::cache::{CacheControl, Marks};
use super::known::{Known, Thinks};
use super::plan::Plan;
use super::settings::Settings;
use super::tools::{self, AllTools, Choice};
use crate::http::{self, Fields};

/// A request that is ready to be written.
pub(super) struct Body<'a> {
    pub(super) model_id: &'a str,
    pub(super) known: &'a Known,
    pub(super) settings: &'a Settings,
    pub(super) request: &'a ModelRequest<'a>,
    pub(super) plan: &'a Plan,
    /// `None` where only tokens are counted.
    pub(super) streaming: Option<bool>,
}

/// The fields of the program's own that counting takes.
const COUNTED: [&str; 7] = ["cache_control", "messages", "output_config", "system", "thinking", "tool_choice", "tools"];

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { known, settings, request, plan, .. } = self;
        let extra = self.extra();
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &extra };
        fields.put("model", self.model_id)?;
        if let Some(streaming) = self.streaming {
            fields.put("max_tokens", &settings.sampling.max_tokens.unwrap_or(known.max_tokens))?;
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
        // Where a tool is forced it is one of the program's: the provider's own would be no answer to that.
        let servers: &[Value] = if plan.forces { &[] } else { &settings.server_tools };
        let tools = AllTools { ours: &ours, servers, cached: plan.marks.tools };
        if !tools.is_empty() {
            fields.put("tools", &tools)?;
            fields.put_some("tool_choice", self.choice().as_ref())?;
        }
        if request.system.iter().any(is_said) {
            fields.put("system", &System { blocks: request.system, marks: &plan.marks })?;
        }
        fields.put_extra()?;
        fields.map.end()
    }
}

impl<'a> Body<'a> {
    fn extra(&self) -> Cow<'a, Map<String, Value>> {
        http::without(&self.settings.extra, |name| self.streaming.is_none() && !COUNTED.contains(&name))
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
            Some(_) if self.known.thinks == Thinks::Always => Some(&ToolChoice::Auto {}),
            choice => choice,
        };
        Choice::of(choice, self.settings.parallel_tool_calls)
    }
}

/// Blank text is refused.
fn is_said(block: &SystemBlock) -> bool {
    matches!(block, SystemBlock::Text(text) if !text.trim().is_empty())
}

struct System<'a> {
    blocks: &'a [SystemBlock],
    marks: &'a Marks,
}

impl Serialize for System<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self.blocks.iter().enumerate().filter_map(|(at, block)| match block {
            SystemBlock::Text(text) if is_said(block) => Some(Text::new(text, self.marks.of_system(at))),
            _ => None,
        });
        serializer.collect_seq(texts)
    }
}

/// Text that is no block of ours.
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
