//! Body of a request, serialized once from the borrowed conversation, which comes last.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::{ContentBlock, Message, Role};
use strands_core::models::{
    CallIdForm, MessageSerializer, ModelError, ModelRequest, OutputSchema, outgoing_content, placeholder,
};
use strands_core::schema::SchemaDialect;

use super::reasoning;
use super::tools::{self, ResponsesTools};
use super::{generated_images, provider_state};
use crate::chat_completions::{
    Displayed, Media, NO_AUDIO, Part, Settings, arguments, described, joined, result_parts, system_text,
};
use crate::http::{self, Conversation, Fields, SamplingFields};

/// Form of call ids for OpenAI; other providers may have others.
const CALL_IDS: CallIdForm = CallIdForm::up_to(64).words();

/// Value of `include` that requests encrypted reasoning.
pub(super) const ENCRYPTED_REASONING: &str = "reasoning.encrypted_content";

/// Parts of a request that all requests of a model share.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Name of the provider, whose content in a conversation is sent.
    pub(super) provider: Cow<'static, str>,
    pub(super) serializer: MessageSerializer,
    pub(super) settings: Settings,
    pub(super) reasoning: Map<String, Value>,
    pub(super) encrypted_reasoning: bool,
    /// True if the provider stores the conversation.
    pub(super) stateful: bool,
    /// Fields of `text` other than the format.
    pub(super) text: Map<String, Value>,
    pub(super) extra: Map<String, Value>,
}

/// Body without the conversation, which is appended.
pub(super) struct Body<'a> {
    pub(super) model_id: &'a str,
    pub(super) shape: &'a Shape,
    pub(super) request: &'a ModelRequest<'a>,
    /// Id of the response that the conversation continues, if the provider stores it, and the messages after it.
    pub(super) previous: Option<&'a str>,
    pub(super) messages: &'a [Arc<Message>],
    pub(super) streaming: bool,
}

impl<'a> Body<'a> {
    /// Creates a body with the messages that the provider does not have.
    pub(super) fn new(model_id: &'a str, shape: &'a Shape, request: &'a ModelRequest<'a>, streaming: bool) -> Self {
        let kept = if shape.stateful { provider_state::last(request.messages, &shape.provider) } else { None };
        let (previous, messages) = kept.unzip();
        Self { model_id, shape, request, previous, messages: messages.unwrap_or(request.messages), streaming }
    }

    /// Returns the body with all messages.
    pub(super) fn whole(self) -> Self {
        Self { previous: None, messages: self.request.messages, ..self }
    }

    /// Serializes the body.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] for content that JSON can't hold.
    pub(super) fn write(&self) -> Result<Vec<u8>, ModelError> {
        let mut body = http::body(self)?;
        // As every field in `extra`, it overrides ours.
        if !self.shape.extra.contains_key("input") {
            let Self { messages, request, shape, .. } = self;
            let conversation = Conversation { messages, serialized: request.serialized, serializer: shape.serializer };
            conversation.append(&mut body, "input", None::<&Value>, |bytes, message| {
                serde_json::to_writer(bytes, &OutgoingMessage(message, &shape.provider))
            })?;
        }
        Ok(body)
    }
}

const SAMPLING: SamplingFields = SamplingFields { max_tokens: "max_output_tokens", ..SamplingFields::CHAT };

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, request, .. } = self;
        let settings = &shape.settings;
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &shape.extra };
        fields.put("model", self.model_id)?;
        fields.put("stream", &self.streaming)?;
        fields.put("store", &shape.stateful)?;
        fields.put_some("previous_response_id", self.previous.as_ref())?;
        settings.sampling.put(&mut fields, &SAMPLING)?;
        for (name, value) in &settings.fields {
            fields.put(name, value)?;
        }
        if !shape.reasoning.is_empty() {
            fields.put("reasoning", &shape.reasoning)?;
        }
        if shape.encrypted_reasoning {
            fields.put("include", &[ENCRYPTED_REASONING])?;
        }
        let text = text(&shape.text, request.output_schema);
        if !text.is_empty() {
            fields.put("text", &text)?;
        }
        if request.output_schema.is_none() {
            let functions = ResponsesTools::new(request.tools);
            fields.put_some("tools", functions.with(&settings.server_tools).as_ref())?;
            if !request.tools.is_empty() {
                fields.put_some("tool_choice", request.tool_choice.map(tools::choice).as_ref())?;
                fields.put_some("parallel_tool_calls", settings.parallel_tool_calls.as_ref())?;
            }
        }
        fields.put_some("instructions", system_text(request.system).as_ref())?;
        fields.put_extra()?;
        fields.map.end()
    }
}

/// Returns `text` of a request: the format of the response, and other fields.
fn text(other: &Map<String, Value>, schema: Option<&OutputSchema>) -> Map<String, Value> {
    let mut text = other.clone();
    if let Some(schema) = schema {
        let mut format = Map::from_iter([("type".to_owned(), "json_schema".into())]);
        format.extend(described(schema, &SchemaDialect::OPENAI));
        text.insert("format".to_owned(), format.into());
    }
    text
}

/// Items of one message.
struct OutgoingMessage<'a>(&'a Message, &'a str);

impl Serialize for OutgoingMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message, provider) = self;
        let mut items = serializer.serialize_seq(None)?;
        match message.role {
            Role::User => user(&mut items, message, provider)?,
            Role::Assistant => assistant(&mut items, message, provider)?,
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
struct UserMessage<'a> {
    role: &'static str,
    content: Content<'a>,
}

/// Serializes a user message. Each tool result is a separate item, before the others.
fn user<S: SerializeSeq>(items: &mut S, message: &Message, provider: &str) -> Result<(), S::Error> {
    #[derive(Serialize)]
    struct Output<'a> {
        r#type: &'static str,
        call_id: Cow<'a, str>,
        output: Content<'a>,
    }
    let outgoing: Vec<_> = outgoing_content(message, provider).collect();
    for block in &outgoing {
        let ContentBlock::ToolResult(result) = &**block else { continue };
        let parts = result_parts(result, &Media::OPENAI);
        let as_parts: Vec<PartJson<'_>>;
        let output = match joined(&parts) {
            Some(text) => Content::Text(Cow::Owned(text.into_owned())),
            None => {
                as_parts = parts.into_iter().map(PartJson).collect();
                Content::Parts(&as_parts)
            }
        };
        let call_id = CALL_IDS.apply(&result.tool_use_id);
        items.serialize_element(&Output { r#type: "function_call_output", call_id, output })?;
    }
    // Responses to requests of the provider itself, such as the approval of a server tool.
    for block in &outgoing {
        if let ContentBlock::Provider(own) = &**block
            && provider_state::is_item(&own.content)
        {
            items.serialize_element(&own.content)?;
        }
    }
    let parts = outgoing.iter().filter_map(|block| Part::of_block(block, &Media::OPENAI));
    let content: Vec<_> = parts.map(PartJson).collect();
    if content.is_empty() {
        return Ok(());
    }
    items.serialize_element(&UserMessage { role: "user", content: Content::Parts(&content) })
}

/// Serializes an assistant message, one item for each block. Reasoning precedes the item that it led to, and is refused alone.
fn assistant<S: SerializeSeq>(items: &mut S, message: &Message, provider: &str) -> Result<(), S::Error> {
    let mut pending = None;
    let mut blocks = outgoing_content(message, provider).peekable();
    while let Some(block) = blocks.next() {
        let item = match &*block {
            ContentBlock::Reasoning(reasoning) => {
                if let Some(item) = reasoning::item(reasoning)
                    && let Some(before) = pending.replace(item)
                {
                    items.serialize_element(&before)?;
                }
                continue;
            }
            ContentBlock::ToolUse(call) => json!({
                "type": "function_call",
                "call_id": CALL_IDS.apply(&call.tool_use_id),
                "name": call.name,
                "arguments": arguments(&call.input),
            }),
            ContentBlock::Provider(own) if generated_images::is_apart(&own.content) => {
                let image = blocks.next_if(|block| matches!(**block, ContentBlock::Image(_)));
                match generated_images::together(&own.content, image.as_deref()) {
                    Some(item) => item,
                    None => continue,
                }
            }
            ContentBlock::Provider(own) if provider_state::is_item(&own.content) => own.content.clone(),
            block => match Part::of_block(block, &Media::OPENAI) {
                Some(Part::Text(text)) => json!({"role": "assistant", "content": text}),
                Some(_) => json!({"role": "assistant", "content": placeholder::MODEL_MEDIA}),
                None => continue,
            },
        };
        if let Some(reasoning) = pending.take() {
            items.serialize_element(&reasoning)?;
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
            Image { image_url: Displayed<'a> },
            #[serde(rename = "input_file")]
            File { filename: &'a str, file_data: Displayed<'a> },
        }
        match &self.0 {
            Part::Text(text) => Wire::Text { text },
            Part::Image(url) => Wire::Image { image_url: Displayed(url) },
            Part::File { name, data } => Wire::File { filename: name, file_data: Displayed(data) },
            Part::Link(_) | Part::Audio(..) | Part::Own(_) => Wire::Text { text: NO_AUDIO },
        }
        .serialize(serializer)
    }
}
