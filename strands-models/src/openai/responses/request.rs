//! The body of a request, written once, straight from the borrowed conversation, which comes last.

use std::borrow::Cow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::{ContentBlock, Message, Role};
use strands_core::model::{ModelRequest, outgoing_content};

use super::builder::ReasoningSummary;
use super::thoughts;
use crate::http::Fields;
use crate::openai::ReasoningEffort;
use crate::openai::content::{NO_AUDIO, Part, Shown, arguments, joined, result_parts, system_text};
use crate::openai::tools;

/// Whose thoughts are sent.
const PROVIDER: &str = "openai";

/// Everything that shapes a request, beside the conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) max_output_tokens: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
    pub(super) reasoning_summary: Option<ReasoningSummary>,
    pub(super) encrypted_reasoning: bool,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) extra: Map<String, Value>,
}

/// A request that is ready to be written.
pub(super) struct Body<'a> {
    pub(super) model_id: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) request: &'a ModelRequest<'a>,
    pub(super) streaming: bool,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, request, .. } = self;
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &settings.extra };
        fields.put("model", self.model_id)?;
        fields.put("stream", &self.streaming)?;
        fields.put("store", &false)?;
        fields.put_some("max_output_tokens", settings.max_output_tokens.as_ref())?;
        fields.put_some("temperature", settings.temperature.as_ref())?;
        fields.put_some("top_p", settings.top_p.as_ref())?;
        fields.put_some("reasoning", reasoning(settings).as_ref())?;
        if settings.encrypted_reasoning {
            fields.put("include", &["reasoning.encrypted_content"])?;
        }
        if let Some(tools) = tools::responses(request.tools) {
            fields.put("tools", &*tools)?;
            fields.put_some("tool_choice", request.tool_choice.map(tools::responses_choice).as_ref())?;
            fields.put_some("parallel_tool_calls", settings.parallel_tool_calls.as_ref())?;
        }
        fields.put_some("instructions", system_text(request.system).as_ref())?;
        fields.put_extra()?;
        fields.put("input", &Input(request))?;
        fields.map.end()
    }
}

fn reasoning(settings: &Settings) -> Option<Value> {
    let mut reasoning = Map::new();
    if let Some(effort) = settings.reasoning_effort {
        reasoning.insert("effort".to_owned(), effort.as_str().into());
    }
    if let Some(summary) = settings.reasoning_summary {
        reasoning.insert("summary".to_owned(), summary.as_str().into());
    }
    (!reasoning.is_empty()).then_some(Value::Object(reasoning))
}

struct Input<'a>(&'a ModelRequest<'a>);

impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(None)?;
        for message in self.0.messages {
            match message.role {
                Role::User => user(&mut items, message)?,
                Role::Assistant => assistant(&mut items, message)?,
            }
        }
        items.end()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(&'a [PartJson<'a>]),
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Content<'a>,
}

/// What a user said. Tool results come first, each an item of its own.
fn user<S: SerializeSeq>(items: &mut S, message: &Message) -> Result<(), S::Error> {
    #[derive(Serialize)]
    struct Output<'a> {
        r#type: &'static str,
        call_id: &'a str,
        output: Content<'a>,
    }
    for result in message.tool_results() {
        let parts = result_parts(result);
        let as_parts: Vec<PartJson<'_>>;
        let output = match joined(&parts) {
            Some(text) => Content::Text(Cow::Owned(text.into_owned())),
            None => {
                as_parts = parts.into_iter().map(PartJson).collect();
                Content::Parts(&as_parts)
            }
        };
        items.serialize_element(&Output { r#type: "function_call_output", call_id: &result.tool_use_id, output })?;
    }
    let content: Vec<_> = message.content.iter().filter_map(Part::of_block).map(PartJson).collect();
    if content.is_empty() {
        return Ok(());
    }
    items.serialize_element(&Said { role: "user", content: Content::Parts(&content) })
}

/// What the model said, an item for each block. A thought goes with what it led to, and alone is refused.
fn assistant<S: SerializeSeq>(items: &mut S, message: &Message) -> Result<(), S::Error> {
    let mut thought = None;
    for block in outgoing_content(message, PROVIDER) {
        let item = match &*block {
            ContentBlock::Reasoning(reasoning) => {
                if let Some(item) = thoughts::item(reasoning)
                    && let Some(before) = thought.replace(item)
                {
                    items.serialize_element(&before)?;
                }
                continue;
            }
            ContentBlock::ToolUse(call) => json!({
                "type": "function_call",
                "call_id": call.tool_use_id,
                "name": call.name,
                "arguments": arguments(&call.input),
            }),
            block => match Part::of_block(block) {
                Some(Part::Text(text)) => json!({"role": "assistant", "content": text}),
                Some(_) => json!({"role": "assistant", "content": "[Media that can't be shown to this model.]"}),
                None => continue,
            },
        };
        if let Some(thought) = thought.take() {
            items.serialize_element(&thought)?;
        }
        items.serialize_element(&item)?;
    }
    Ok(())
}

struct PartJson<'a>(Part<'a>);

impl Serialize for PartJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "type")]
        enum Wire<'a> {
            #[serde(rename = "input_text")]
            Text { text: &'a str },
            #[serde(rename = "input_image")]
            Image { image_url: Shown<'a> },
            #[serde(rename = "input_file")]
            File { filename: &'a str, file_data: Shown<'a> },
        }
        match &self.0 {
            Part::Text(text) => Wire::Text { text },
            Part::Image(url) => Wire::Image { image_url: Shown(url) },
            Part::File { name, data } => Wire::File { filename: name, file_data: Shown(data) },
            Part::Audio(..) => Wire::Text { text: NO_AUDIO },
        }
        .serialize(serializer)
    }
}
