//! Body of a request, serialized once from the borrowed conversation. Fields that do not change from turn to turn come first
//! and the conversation last, so that each body begins with the bytes of the one before.

use std::borrow::Cow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultContent};
use strands_core::models::{ModelRequest, OutputSchema, outgoing_content};

use super::content::{Part, joined, result_parts};
use super::described;
use super::dialect::Dialect;
use super::parts::{AssistantParts, Calls, PartJson, UserParts, has_thinking, is_image, is_own, is_part};
use super::reasoning::ReasoningReplay;
use super::settings::Settings;
use super::tools::Offer;
use crate::ReasoningEffort;
use crate::http::{self, Fields};

/// Body without the conversation, which is appended.
pub(super) struct Body<'a> {
    pub(super) model_id: &'a str,
    pub(super) dialect: &'a Dialect,
    pub(super) settings: &'a Settings,
    pub(super) extra: &'a Map<String, Value>,
    pub(super) request: &'a ModelRequest<'a>,
    pub(super) streaming: bool,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { dialect, settings, request, .. } = self;
        // A response can have one format only.
        let is_held = request.output_schema.is_some();
        let is_form = |name: &str| is_held && matches!(name, "response_format" | "grammar" | "json_schema");
        let extra = http::without(self.extra, is_form);
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &extra };
        fields.put("model", self.model_id)?;
        fields.put("stream", &self.streaming)?;
        if self.streaming && dialect.asks_for_usage {
            fields.put("stream_options", &json!({"include_usage": true}))?;
        }
        settings.sampling.put(&mut fields, &dialect.sampling)?;
        fields.put_some("reasoning_effort", settings.reasoning_effort.map(ReasoningEffort::as_str).as_ref())?;
        for (name, value) in settings.fields.iter().filter(|(name, _)| !is_form(name)) {
            fields.put(name, value)?;
        }
        match request.output_schema {
            // Tools can't be called then, and servers handle tools along with a format differently.
            Some(schema) => fields.put("response_format", &response_format(schema, dialect))?,
            None => {
                let offer = Offer::new(request.tools, request.tool_choice, dialect);
                fields.put_some("tools", offer.tools(&settings.server_tools).as_ref())?;
                if offer.has_functions() {
                    fields.put_some("tool_choice", offer.choice.as_ref())?;
                    fields.put_some("parallel_tool_calls", settings.parallel_tool_calls.as_ref())?;
                }
            }
        }
        fields.put_extra()?;
        fields.map.end()
    }
}

fn response_format(schema: &OutputSchema, dialect: &Dialect) -> Value {
    json!({"type": "json_schema", "json_schema": described(schema, dialect.schemas)})
}

/// Messages of the protocol for one message: usually one, and one for each tool result.
pub(super) struct OutgoingMessage<'a>(pub(super) &'a Message, pub(super) &'a Dialect);

impl Serialize for OutgoingMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message, dialect) = self;
        let mut messages = serializer.serialize_seq(None)?;
        match message.role {
            Role::User => user(&mut messages, message, dialect)?,
            Role::Assistant => assistant(&mut messages, message, dialect)?,
        }
        messages.end()
    }
}

#[derive(Serialize)]
pub(super) struct PlainMessage<'a, T: ?Sized> {
    pub(super) role: &'static str,
    pub(super) content: &'a T,
}

#[derive(Serialize)]
struct ToolMessage<'a> {
    role: &'static str,
    tool_call_id: Cow<'a, str>,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<PartJson<'a>>),
}

#[derive(Serialize)]
struct AssistantMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<AssistantParts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Calls<'a>>,
    /// OpenRouter's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<Vec<PartJson<'a>>>,
}

/// Serializes a user message. Each tool result is a separate message, before the others. Media of tool results follow in a
/// user message, if the server accepts only text in results.
fn user<S: SerializeSeq>(messages: &mut S, message: &Message, dialect: &Dialect) -> Result<(), S::Error> {
    if let Some(text) = only_text(message) {
        return messages.serialize_element(&PlainMessage { role: "user", content: text });
    }
    let outgoing: Vec<_> = outgoing_content(message, &dialect.provider).collect();
    let mut moved = Vec::new();
    let mut answered = false;
    for block in &outgoing {
        let ContentBlock::ToolResult(result) = &**block else { continue };
        answered = true;
        let content = tool_content(result, dialect, &mut moved);
        let tool_call_id = dialect.call_id(&result.tool_use_id);
        messages.serialize_element(&ToolMessage { role: "tool", tool_call_id, content })?;
    }
    let has_content = outgoing.iter().any(|block| is_part(block, dialect));
    if let Some(between) = dialect.after_results.filter(|_| answered && (has_content || !moved.is_empty())) {
        messages.serialize_element(&PlainMessage { role: "assistant", content: between })?;
    }
    if !moved.is_empty() {
        messages.serialize_element(&PlainMessage { role: "user", content: &moved })?;
    }
    if has_content {
        messages.serialize_element(&PlainMessage { role: "user", content: &UserParts(&outgoing, dialect) })?;
    }
    Ok(())
}

/// Returns the content of a tool result. Media that its message can't contain are added to `moved`.
fn tool_content<'a>(result: &'a ToolResult, dialect: &'a Dialect, moved: &mut Vec<PartJson<'a>>) -> Content<'a> {
    // Fast path for most results.
    if let ([ToolResultContent::Text(text)], false) = (result.content.as_slice(), result.is_error()) {
        return Content::Text(Cow::Borrowed(text));
    }
    let mut parts = result_parts(result, &dialect.media);
    if let Some(text) = joined(&parts) {
        return Content::Text(Cow::Owned(text.into_owned()));
    }
    if !dialect.media_in_results {
        for part in parts.iter_mut().filter(|part| part.as_text().is_none()) {
            let note = if matches!(part, Part::Image(_)) { IMAGE_FOLLOWS } else { DOCUMENT_FOLLOWS };
            let media = std::mem::replace(part, Part::Text(Cow::Borrowed(note)));
            moved.push(PartJson(media, dialect));
        }
    }
    Content::Parts(parts.into_iter().map(|part| PartJson(part, dialect)).collect())
}

/// Texts of Strands.
const IMAGE_FOLLOWS: &str =
    "Tool successfully returned an image. The image is being provided in the following user message.";
const DOCUMENT_FOLLOWS: &str =
    "Tool successfully returned a document. The document is being provided in the following user message.";

/// Serializes an assistant message: text and tool calls. Notes replace other content.
fn assistant<S: SerializeSeq>(messages: &mut S, message: &Message, dialect: &Dialect) -> Result<(), S::Error> {
    let has_field = dialect.replay == ReasoningReplay::Content && dialect.empty_reasoning;
    if let Some(text) = only_text(message).filter(|_| !has_field) {
        return messages.serialize_element(&PlainMessage { role: "assistant", content: text });
    }
    let outgoing = || outgoing_content(message, &dialect.provider);
    let images = generated_images(message, dialect);
    let content = outgoing().any(|block| is_part(&block, dialect) && !(images.is_some() && is_image(&block)));
    let calls = message.tool_uses().next().is_some();
    // A message with only reasoning is refused.
    if !content && !calls && images.is_none() {
        return Ok(());
    }
    let beside = matches!(dialect.replay, ReasoningReplay::Content | ReasoningReplay::Details);
    let blocks: Vec<_> = if beside { outgoing().collect() } else { Vec::new() };
    messages.serialize_element(&AssistantMessage {
        role: "assistant",
        content: (content || has_thinking(message, dialect)).then_some(AssistantParts(message, dialect)),
        reasoning_content: dialect.replay.content(&blocks).filter(|text| dialect.empty_reasoning || !text.is_empty()),
        reasoning_details: dialect.replay.details(&blocks),
        tool_calls: calls.then_some(Calls(message, dialect)),
        images,
    })
}

/// Returns the images in a response of this server, which are sent back in the same form.
fn generated_images<'a>(message: &'a Message, dialect: &'a Dialect) -> Option<Vec<PartJson<'a>>> {
    if !is_own(message, dialect) {
        return None;
    }
    let images = message.content.iter().filter(|block| is_image(block));
    let images: Vec<_> = images.filter_map(Part::of_image).map(|part| PartJson(part, dialect)).collect();
    (!images.is_empty()).then_some(images)
}

/// Returns the text of a message with one text block that is not blank, as most messages are.
fn only_text(message: &Message) -> Option<&str> {
    match message.content.as_slice() {
        [ContentBlock::Text(text)] => Some(text.text.as_str()).filter(|text| !text.trim().is_empty()),
        _ => None,
    }
}
