//! The body of a request, written once, straight from the borrowed conversation. What stays the same from turn to turn
//! comes first and the conversation last, so that each body begins with the bytes of the one before.

use std::borrow::Cow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResultContent, ToolUse};
use strands_core::model::{ModelRequest, outgoing_content};

use super::thoughts::ReasoningReplay;
use crate::http::Fields;
use crate::openai::ReasoningEffort;
use crate::openai::content::{Part, Shown, arguments, joined, result_parts, system_text};
use crate::openai::tools;

/// Whose thoughts are sent.
const PROVIDER: &str = "openai";

/// Everything that shapes a request, beside the conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) max_completion_tokens: Option<u32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) stop: Option<Vec<String>>,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) replay: ReasoningReplay,
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
        if self.streaming {
            fields.put("stream_options", &json!({"include_usage": true}))?;
        }
        fields.put_some("max_completion_tokens", settings.max_completion_tokens.as_ref())?;
        fields.put_some("max_tokens", settings.max_tokens.as_ref())?;
        fields.put_some("temperature", settings.temperature.as_ref())?;
        fields.put_some("top_p", settings.top_p.as_ref())?;
        fields.put_some("stop", settings.stop.as_ref())?;
        fields.put_some("reasoning_effort", settings.reasoning_effort.map(ReasoningEffort::as_str).as_ref())?;
        if let Some(tools) = tools::chat(request.tools) {
            fields.put("tools", &*tools)?;
            fields.put_some("tool_choice", request.tool_choice.map(tools::chat_choice).as_ref())?;
            fields.put_some("parallel_tool_calls", settings.parallel_tool_calls.as_ref())?;
        }
        fields.put_extra()?;
        fields.put("messages", &Messages(request, settings.replay))?;
        fields.map.end()
    }
}

struct Messages<'a>(&'a ModelRequest<'a>, ReasoningReplay);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut messages = serializer.serialize_seq(None)?;
        if let Some(system) = system_text(self.0.system) {
            messages.serialize_element(&Said { role: "system", content: &*system })?;
        }
        for message in self.0.messages {
            match message.role {
                Role::User => user(&mut messages, message)?,
                Role::Assistant => assistant(&mut messages, message, self.1)?,
            }
        }
        messages.end()
    }
}

#[derive(Serialize)]
struct Said<'a, T: ?Sized> {
    role: &'static str,
    content: &'a T,
}

#[derive(Serialize)]
struct ToolSaid<'a> {
    role: &'static str,
    tool_call_id: &'a str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(&'a [PartJson<'a>]),
}

#[derive(Serialize)]
struct AssistantSaid<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<AssistantParts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Calls<'a>>,
}

/// What a user said. Tool results come first, each a message of its own. These take text alone, so media of theirs go
/// along with what the user said.
fn user<S: SerializeSeq>(messages: &mut S, message: &Message) -> Result<(), S::Error> {
    if let Some(text) = only_text(message) {
        let content = [PartJson(Part::Text(Cow::Borrowed(text)))];
        return messages.serialize_element(&Said { role: "user", content: &content });
    }
    let mut moved = Vec::new();
    for result in message.tool_results() {
        // What most results are, and what a long conversation has most of.
        if let ([ToolResultContent::Text(text)], false) = (result.content.as_slice(), result.is_error()) {
            let content = Content::Text(Cow::Borrowed(text));
            messages.serialize_element(&ToolSaid { role: "tool", tool_call_id: &result.tool_use_id, content })?;
            continue;
        }
        let mut texts = Vec::new();
        for part in result_parts(result) {
            match part {
                Part::Text(_) => texts.push(part),
                media => {
                    let note = match &media {
                        Part::Image(_) => IMAGE_FOLLOWS,
                        _ => DOCUMENT_FOLLOWS,
                    };
                    texts.push(Part::Text(Cow::Borrowed(note)));
                    moved.push(PartJson(media));
                }
            }
        }
        let as_parts: Vec<PartJson<'_>>;
        let only_text = !texts.iter().any(|text| matches!(text.as_text(), Some(IMAGE_FOLLOWS | DOCUMENT_FOLLOWS)));
        let content = match joined(&texts).filter(|_| only_text) {
            Some(text) => Content::Text(Cow::Owned(text.into_owned())),
            None => {
                as_parts = texts.into_iter().map(PartJson).collect();
                Content::Parts(&as_parts)
            }
        };
        messages.serialize_element(&ToolSaid { role: "tool", tool_call_id: &result.tool_use_id, content })?;
    }
    if !moved.is_empty() {
        messages.serialize_element(&Said { role: "user", content: &moved })?;
    }
    if message.content.iter().any(|block| Part::of_block(block).is_some()) {
        messages.serialize_element(&Said { role: "user", content: &UserParts(message) })?;
    }
    Ok(())
}

/// The words of Strands.
const IMAGE_FOLLOWS: &str =
    "Tool successfully returned an image. The image is being provided in the following user message.";
const DOCUMENT_FOLLOWS: &str =
    "Tool successfully returned a document. The document is being provided in the following user message.";

/// What the model said: text and calls. Anything else it may have said elsewhere leaves a note.
fn assistant<S: SerializeSeq>(messages: &mut S, message: &Message, replay: ReasoningReplay) -> Result<(), S::Error> {
    if let Some(text) = only_text(message).filter(|text| !text.trim().is_empty()) {
        let content = [PartJson(Part::Text(Cow::Borrowed(text)))];
        return messages.serialize_element(&Said { role: "assistant", content: &content });
    }
    let content = outgoing_content(message, PROVIDER).any(|block| Part::of_block(&block).is_some());
    let calls = message.tool_uses().next().is_some();
    // A message of thoughts alone is refused.
    if !content && !calls {
        return Ok(());
    }
    let thoughts: Vec<_> =
        if replay == ReasoningReplay::Never { Vec::new() } else { outgoing_content(message, PROVIDER).collect() };
    messages.serialize_element(&AssistantSaid {
        role: "assistant",
        content: content.then_some(AssistantParts(message)),
        reasoning_content: replay.content(&thoughts),
        reasoning_details: replay.details(&thoughts),
        tool_calls: calls.then_some(Calls(message)),
    })
}

/// The text of a message that is nothing else, as most of a long conversation are.
fn only_text(message: &Message) -> Option<&str> {
    match message.content.as_slice() {
        [ContentBlock::Text(text)] => Some(&text.text),
        _ => None,
    }
}

/// The parts are written as they are found: a conversation is written anew for every request.
struct UserParts<'a>(&'a Message);

impl Serialize for UserParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.content.iter().filter_map(Part::of_block).map(PartJson))
    }
}

struct AssistantParts<'a>(&'a Message);

impl Serialize for AssistantParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_seq(None)?;
        for block in outgoing_content(self.0, PROVIDER) {
            match Part::of_block(&block) {
                None => {}
                Some(text @ Part::Text(_)) => parts.serialize_element(&PartJson(text))?,
                Some(_) => {
                    let note = Part::Text(Cow::Borrowed("[Media that can't be shown to this model.]"));
                    parts.serialize_element(&PartJson(note))?;
                }
            }
        }
        parts.end()
    }
}

struct Calls<'a>(&'a Message);

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut calls = serializer.serialize_seq(None)?;
        for block in outgoing_content(self.0, PROVIDER) {
            if let ContentBlock::ToolUse(call) = &*block {
                calls.serialize_element(&CallJson(call))?;
            }
        }
        calls.end()
    }
}

struct PartJson<'a>(Part<'a>);

impl Serialize for PartJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Wire<'a> {
            Text { text: &'a str },
            ImageUrl { image_url: ImageUrl<'a> },
            File { file: File<'a> },
            InputAudio { input_audio: Audio<'a> },
        }
        #[derive(Serialize)]
        struct ImageUrl<'a> {
            url: Shown<'a>,
            detail: &'static str,
        }
        #[derive(Serialize)]
        struct File<'a> {
            file_data: Shown<'a>,
            filename: &'a str,
        }
        #[derive(Serialize)]
        struct Audio<'a> {
            data: Shown<'a>,
            format: &'a str,
        }
        match &self.0 {
            Part::Text(text) => Wire::Text { text },
            Part::Image(url) => Wire::ImageUrl { image_url: ImageUrl { url: Shown(url), detail: "auto" } },
            Part::File { name, data } => Wire::File { file: File { file_data: Shown(data), filename: name } },
            Part::Audio(format, bytes) => {
                let data = base64::display::Base64Display::new(bytes, &base64::engine::general_purpose::STANDARD);
                let audio = Wire::InputAudio { input_audio: Audio { data: Shown(&data), format } };
                return audio.serialize(serializer);
            }
        }
        .serialize(serializer)
    }
}

struct CallJson<'a>(&'a ToolUse);

impl Serialize for CallJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            id: &'a str,
            r#type: &'static str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: &'a str,
            arguments: String,
        }
        let function = Function { name: &self.0.name, arguments: arguments(&self.0.input) };
        Wire { id: &self.0.tool_use_id, r#type: "function", function }.serialize(serializer)
    }
}
