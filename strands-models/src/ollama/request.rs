//! Request body. Fields that stay the same from turn to turn come first and the conversation last, so that each body begins
//! with the bytes of the previous one, and the server's prompt cache matches.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolUse};
use strands_core::models::{MessageSerializer, ModelError, ModelRequest, outgoing_content};
use strands_core::schema::SchemaDialect;

use super::content::{Image, MessageContent, system_text};
use super::settings::{ModelOptions, Settings};
use super::{PROVIDER, tools};
use crate::http::{self, Conversation, Fields};

/// Fields of a request. The conversation is appended after them.
pub(super) struct ChatBody<'a> {
    pub(super) model_id: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) serializer: MessageSerializer,
    pub(super) request: &'a ModelRequest<'a>,
    pub(super) streaming: bool,
}

impl ChatBody<'_> {
    /// Serializes the body with the conversation.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if the content can't be serialized as JSON.
    pub(super) fn write(&self) -> Result<Vec<u8>, ModelError> {
        let mut body = http::body(self)?;
        // An extra field replaces the conversation, as it does every field.
        if !self.settings.extra.contains_key("messages") {
            let ModelRequest { messages, serialized, system, .. } = *self.request;
            let system = system_text(system).map(|system| WireMessage {
                role: "system",
                content: Some(system),
                ..WireMessage::default()
            });
            let conversation = Conversation { messages, serialized, serializer: self.serializer };
            conversation.append(&mut body, "messages", system.as_ref(), |bytes, message| {
                serde_json::to_writer(bytes, &OutgoingMessage { message, messages })
            })?;
        }
        Ok(body)
    }
}

impl Serialize for ChatBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, request, .. } = self;
        // The output schema replaces a format in the extra fields: a response has one format.
        let has_schema = request.output_schema.is_some();
        let extra = http::without(&settings.extra, |name| has_schema && name == "format");
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &extra };
        fields.put("model", self.model_id)?;
        fields.put("stream", &self.streaming)?;
        fields.put("options", &ModelOptions(settings))?;
        fields.put_some("think", settings.think().as_ref())?;
        fields.put_some("keep_alive", settings.keep_alive.as_ref())?;
        fields.put_some("truncate", settings.truncate.as_ref())?;
        match request.output_schema {
            // A model with tools may call one instead of writing the structured output.
            Some(output) => {
                let schema = output.rewritten("ollama", |schema| SchemaDialect::LLAMACPP.arguments(schema));
                fields.put("format", &*schema)?;
            }
            None => fields.put("tools", &*tools::translated(request.tools))?,
        }
        fields.put_extra()?;
        fields.map.end()
    }
}

/// A message as a list of wire messages: each tool result is a separate one.
struct OutgoingMessage<'a> {
    message: &'a Message,
    /// The whole conversation: a tool result is sent with the tool's name, which only the call has.
    messages: &'a [Arc<Message>],
}

impl Serialize for OutgoingMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(None)?;
        match self.message.role {
            Role::User => self.serialize_user(&mut elements)?,
            Role::Assistant => serialize_assistant(&mut elements, self.message)?,
        }
        elements.end()
    }
}

#[derive(Default, Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl OutgoingMessage<'_> {
    /// Serializes a user message. Tool results come first, each as a separate message.
    fn serialize_user<S: SerializeSeq>(&self, elements: &mut S) -> Result<(), S::Error> {
        let blocks: Vec<_> = outgoing_content(self.message, PROVIDER).collect();
        let mut rest = MessageContent::default();
        for block in &blocks {
            match &**block {
                ContentBlock::ToolResult(result) => {
                    let content = MessageContent::of_tool_result(result);
                    elements.serialize_element(&WireMessage {
                        role: "tool",
                        content: content.text,
                        images: content.images,
                        tool_name: self.tool_name(result),
                        tool_call_id: Some(&result.tool_use_id),
                        ..WireMessage::default()
                    })?;
                }
                block => rest.push_block(block),
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        let MessageContent { text: content, images } = rest;
        elements.serialize_element(&WireMessage { role: "user", content, images, ..WireMessage::default() })
    }

    /// Returns the name of the called tool, as it is sent in the call. Results follow their calls, so the search goes
    /// backwards from the results.
    fn tool_name(&self, result: &ToolResult) -> Option<String> {
        let messages = self.messages.iter().map(|message| &**message).rev();
        let mut before = messages.skip_while(|message| !std::ptr::eq(*message, self.message));
        let turn = before.find(|turn| turn.tool_uses().any(|call| call.tool_use_id == result.tool_use_id))?;
        outgoing_content(turn, PROVIDER).find_map(|block| match &*block {
            ContentBlock::ToolUse(call) if call.tool_use_id == result.tool_use_id => Some(call.name.clone()),
            _ => None,
        })
    }
}

/// Serializes an assistant message: text, images and calls, and its reasoning if a model behind Ollama wrote it.
fn serialize_assistant<S: SerializeSeq>(elements: &mut S, message: &Message) -> Result<(), S::Error> {
    // Reasoning without a provider name is from another provider: Ollama's was not persisted before messages had one.
    let is_own = message.metadata.as_ref().is_some_and(|metadata| metadata.provider.as_deref() == Some(PROVIDER));
    let mut content = MessageContent::default();
    let mut thinking = String::new();
    let mut tool_calls = Vec::new();
    for block in outgoing_content(message, PROVIDER) {
        match block {
            Cow::Borrowed(ContentBlock::ToolUse(call)) => tool_calls.push(WireCall(Cow::Borrowed(call))),
            Cow::Owned(ContentBlock::ToolUse(call)) => tool_calls.push(WireCall(Cow::Owned(call))),
            Cow::Borrowed(ContentBlock::Reasoning(reasoning)) if is_own => {
                thinking += reasoning.reasoning_text.as_ref().map_or("", |reasoning| &reasoning.text);
            }
            Cow::Borrowed(block) => content.push_block(block),
            Cow::Owned(ContentBlock::Text(text)) => content.push_line(Cow::Owned(text.text)),
            Cow::Owned(_) => {}
        }
    }
    if content.is_empty() && tool_calls.is_empty() && thinking.is_empty() {
        return Ok(());
    }
    let MessageContent { text: content, images } = content;
    elements.serialize_element(&WireMessage {
        role: "assistant",
        content,
        thinking,
        images,
        tool_calls,
        ..WireMessage::default()
    })
}

struct WireCall<'a>(Cow<'a, ToolUse>);

impl Serialize for WireCall<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            id: &'a str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: &'a str,
            arguments: Arguments<'a>,
        }
        /// Only objects are sent: the server rejects other arguments, and a call with them never ran.
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Arguments<'a> {
            Given(&'a Map<String, Value>),
            None {},
        }
        let arguments = self.0.input.as_object().map_or(Arguments::None {}, Arguments::Given);
        Wire { id: &self.0.tool_use_id, function: Function { name: &self.0.name, arguments } }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::{MessageMetadata, ReasoningContent, ToolResultStatus};
    use strands_core::models::{OutputSchema, ToolSpecs};
    use strands_core::tool::ToolSpec;

    use super::*;

    fn body(settings: &Settings, request: &ModelRequest<'_>) -> Value {
        let serializer = MessageSerializer::new();
        let body = ChatBody { model_id: "qwen3:8b", settings, serializer, request, streaming: true }.write().unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn messages(messages: impl IntoIterator<Item = Message>) -> Value {
        let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
        body(&Settings::default(), &ModelRequest::new(&messages))["messages"].take()
    }

    fn response_of(provider: Option<&str>, content: impl IntoIterator<Item = ContentBlock>) -> Message {
        let mut message = Message::new(Role::Assistant, content);
        let provider = provider.map(str::to_owned);
        let mut metadata = MessageMetadata::default();
        metadata.provider = provider;
        message.metadata = Some(metadata);
        message
    }

    #[test]
    fn sends_reasoning_back_to_ollama_only() {
        let content = || {
            [
                ContentBlock::Reasoning(ReasoningContent::text("hm", None)),
                ContentBlock::provider("anthropic", json!({"type": "server_tool_use"})),
                ContentBlock::text("It rains."),
            ]
        };
        for (provider, thinking) in [(Some("ollama"), json!("hm")), (Some("openai"), Value::Null), (None, Value::Null)]
        {
            let sent = messages([response_of(provider, content())]);
            assert_eq!(sent[0]["thinking"], thinking, "{provider:?}");
            assert_eq!(sent[0]["content"], "It rains.", "{provider:?}");
        }
    }

    #[test]
    fn keeps_the_order_of_tool_results_and_names_their_tools() {
        let call = |id: &str, name: &str, input: Value| ContentBlock::ToolUse(ToolUse::new(id, name, input));
        let result = |id: &str, status, text: &str| ContentBlock::ToolResult(ToolResult::new(id, status, [text]));
        let sent = messages([
            Message::user("How is it?"),
            response_of(None, [call("a", "look", json!({"at": 1})), call("b", "no name", json!("{bad"))]),
            Message::new(
                Role::User,
                [
                    ContentBlock::text("And?"),
                    result("b", ToolResultStatus::Error, "no such tool"),
                    result("a", ToolResultStatus::Success, "sunny"),
                    result("c", ToolResultStatus::Error, ""),
                ],
            ),
        ]);
        assert_eq!(
            sent,
            json!([
                {"role": "user", "content": "How is it?"},
                {"role": "assistant", "tool_calls": [
                    {"id": "a", "function": {"name": "look", "arguments": {"at": 1}}},
                    {"id": "b", "function": {"name": "INVALID_TOOL_NAME", "arguments": {}}},
                ]},
                {"role": "tool", "content": "Error: no such tool", "tool_name": "INVALID_TOOL_NAME", "tool_call_id": "b"},
                {"role": "tool", "content": "sunny", "tool_name": "look", "tool_call_id": "a"},
                {"role": "tool", "content": "Error: the tool failed.", "tool_call_id": "c"},
                {"role": "user", "content": "And?"},
            ])
        );
    }

    #[test]
    fn an_output_schema_replaces_tools_and_formats() {
        let conversation = [Arc::new(Message::user("Where?"))];
        let tools: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        let output = OutputSchema::new("Place", json!({"type": "object", "properties": {"city": {"type": "string"}}}));
        let request = ModelRequest::new(&conversation).with_tools(&tools);
        let body_with = |request: &ModelRequest<'_>| body(&Settings::default(), request);
        assert_eq!(body_with(&request)["tools"][0]["function"]["name"], "look");
        let constrained = body_with(&request.with_output_schema(&output));
        assert_eq!(constrained["format"], output.schema);
        assert!(constrained.get("tools").is_none(), "{constrained}");
        let extra = Map::from_iter([("format".to_owned(), json!("json"))]);
        let settings = Settings { extra, ..Settings::default() };
        assert_eq!(body(&settings, &request)["format"], "json");
        let request = request.with_output_schema(&output);
        assert_eq!(body(&settings, &request)["format"], output.schema, "a response has one format");
    }

    #[test]
    fn extra_fields_replace_others() {
        let settings = Settings {
            extra: Map::from_iter([("think".to_owned(), json!("low")), ("shift".to_owned(), json!(false))]),
            thinks: true,
            truncate: Some(false),
            ..Settings::default()
        };
        let body = body(&settings, &ModelRequest::new(&[]));
        assert_eq!(
            body,
            json!({"model": "qwen3:8b", "stream": true, "options": {}, "truncate": false, "tools": [], "think": "low",
                "shift": false, "messages": []})
        );
    }
}
