//! The body of a request. What stays the same from turn to turn comes first and the conversation last, so that each body
//! begins with the bytes of the one before.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolUse};
use strands_core::models::{MessageSerializer, ModelError, ModelRequest, outgoing_content};
use strands_core::schema::SchemaDialect;

use super::content::{Image, Said, system_text};
use super::settings::{ModelOptions, Settings};
use super::{PROVIDER, tools};
use crate::http::{self, Conversation, Fields};

/// A request without its conversation, which follows behind it.
pub(super) struct ChatBody<'a> {
    pub(super) model_id: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) serializer: MessageSerializer,
    pub(super) request: &'a ModelRequest<'a>,
    pub(super) streaming: bool,
}

impl ChatBody<'_> {
    /// The body as bytes.
    ///
    /// # Errors
    ///
    /// [`ModelError::InvalidRequest`] for content that has no JSON.
    pub(super) fn write(&self) -> Result<Vec<u8>, ModelError> {
        let mut body = http::body(self)?;
        // The program's own wins, as for every field.
        if !self.settings.extra.contains_key("messages") {
            let ModelRequest { messages, serialized, system, .. } = *self.request;
            let system = system_text(system).map(|system| MessageJson {
                role: "system",
                content: Some(system),
                ..MessageJson::default()
            });
            let conversation = Conversation { messages, serialized, serializer: self.serializer };
            conversation.append(&mut body, "messages", system.as_ref(), |bytes, message| {
                serde_json::to_writer(bytes, &Sent { message, messages })
            })?;
        }
        Ok(body)
    }
}

impl Serialize for ChatBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, request, .. } = self;
        // An answer can be held to one form alone.
        let is_held = request.output_schema.is_some();
        let extra = http::without(&settings.extra, |name| is_held && name == "format");
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &extra };
        fields.put("model", self.model_id)?;
        fields.put("stream", &self.streaming)?;
        fields.put("options", &ModelOptions(settings))?;
        fields.put_some("think", settings.think().as_ref())?;
        fields.put_some("keep_alive", settings.keep_alive.as_ref())?;
        fields.put_some("truncate", settings.truncate.as_ref())?;
        match request.output_schema {
            // A model that sees tools may call one instead of answering.
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

/// What a message is sent as: results of tools are messages of their own.
struct Sent<'a> {
    message: &'a Message,
    /// All of them: a result is sent with the name of the tool, which stands in the call.
    messages: &'a [Arc<Message>],
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = serializer.serialize_seq(None)?;
        match self.message.role {
            Role::User => self.user(&mut written)?,
            Role::Assistant => assistant(&mut written, self.message)?,
        }
        written.end()
    }
}

#[derive(Default, Serialize)]
struct MessageJson<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl Sent<'_> {
    /// What a user said. Tool results come first, each a message of its own.
    fn user<S: SerializeSeq>(&self, written: &mut S) -> Result<(), S::Error> {
        let blocks: Vec<_> = outgoing_content(self.message, PROVIDER).collect();
        let mut spoken = Said::default();
        for block in &blocks {
            match &**block {
                ContentBlock::ToolResult(result) => {
                    let said = Said::by_tool(result);
                    written.serialize_element(&MessageJson {
                        role: "tool",
                        content: said.text,
                        images: said.images,
                        tool_name: self.tool_of(result),
                        tool_call_id: Some(&result.tool_use_id),
                        ..MessageJson::default()
                    })?;
                }
                block => spoken.block(block),
            }
        }
        if spoken.is_empty() {
            return Ok(());
        }
        let Said { text: content, images } = spoken;
        written.serialize_element(&MessageJson { role: "user", content, images, ..MessageJson::default() })
    }

    /// The tool that was called, by the name that the model is told again. Results follow their calls, so the answer
    /// before them is the first place to look.
    fn tool_of(&self, result: &ToolResult) -> Option<String> {
        let messages = self.messages.iter().map(|message| &**message).rev();
        let mut before = messages.skip_while(|message| !std::ptr::eq(*message, self.message));
        let answer = before.find(|answer| answer.tool_uses().any(|call| call.tool_use_id == result.tool_use_id))?;
        outgoing_content(answer, PROVIDER).find_map(|block| match &*block {
            ContentBlock::ToolUse(call) if call.tool_use_id == result.tool_use_id => Some(call.name.clone()),
            _ => None,
        })
    }
}

/// What the model said: text, images, calls, and what it thought where the model was one of Ollama's.
fn assistant<S: SerializeSeq>(written: &mut S, message: &Message) -> Result<(), S::Error> {
    // Thoughts without a name are somebody else's: they were not kept before answers had one.
    let is_own = message.metadata.as_ref().is_some_and(|known| known.provider.as_deref() == Some(PROVIDER));
    let mut said = Said::default();
    let mut thinking = String::new();
    let mut tool_calls = Vec::new();
    for block in outgoing_content(message, PROVIDER) {
        match block {
            Cow::Borrowed(ContentBlock::ToolUse(call)) => tool_calls.push(CallJson(Cow::Borrowed(call))),
            Cow::Owned(ContentBlock::ToolUse(call)) => tool_calls.push(CallJson(Cow::Owned(call))),
            Cow::Borrowed(ContentBlock::Reasoning(thought)) if is_own => {
                thinking += thought.reasoning_text.as_ref().map_or("", |thought| &thought.text);
            }
            Cow::Borrowed(block) => said.block(block),
            Cow::Owned(ContentBlock::Text(text)) => said.line(Cow::Owned(text.text)),
            Cow::Owned(_) => {}
        }
    }
    if said.is_empty() && tool_calls.is_empty() && thinking.is_empty() {
        return Ok(());
    }
    let Said { text: content, images } = said;
    written.serialize_element(&MessageJson {
        role: "assistant",
        content,
        thinking,
        images,
        tool_calls,
        ..MessageJson::default()
    })
}

struct CallJson<'a>(Cow<'a, ToolUse>);

impl Serialize for CallJson<'_> {
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
        /// A call whose arguments were no JSON object never ran, and the server refuses anything else.
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

    fn answer_of(provider: Option<&str>, content: impl IntoIterator<Item = ContentBlock>) -> Message {
        let mut message = Message::new(Role::Assistant, content);
        let provider = provider.map(str::to_owned);
        let mut metadata = MessageMetadata::default();
        metadata.provider = provider;
        message.metadata = Some(metadata);
        message
    }

    #[test]
    fn thoughts_go_back_to_ollama_alone() {
        let said = || {
            [
                ContentBlock::Reasoning(ReasoningContent::text("hm", None)),
                ContentBlock::provider("anthropic", json!({"type": "server_tool_use"})),
                ContentBlock::text("It rains."),
            ]
        };
        for (provider, thinking) in [(Some("ollama"), json!("hm")), (Some("openai"), Value::Null), (None, Value::Null)]
        {
            let sent = messages([answer_of(provider, said())]);
            assert_eq!(sent[0]["thinking"], thinking, "{provider:?}");
            assert_eq!(sent[0]["content"], "It rains.", "{provider:?}");
        }
    }

    #[test]
    fn results_keep_their_order_and_say_whose_they_are() {
        let call = |id: &str, name: &str, input: Value| ContentBlock::ToolUse(ToolUse::new(id, name, input));
        let result = |id: &str, status, text: &str| ContentBlock::ToolResult(ToolResult::new(id, status, [text]));
        let sent = messages([
            Message::user("How is it?"),
            answer_of(None, [call("a", "look", json!({"at": 1})), call("b", "no name", json!("{bad"))]),
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
    fn a_schema_takes_the_place_of_tools() {
        let asked = [Arc::new(Message::user("Where?"))];
        let tools: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        let output = OutputSchema::new("Place", json!({"type": "object", "properties": {"city": {"type": "string"}}}));
        let request = ModelRequest::new(&asked).with_tools(&tools);
        let body_with = |request: &ModelRequest<'_>| body(&Settings::default(), request);
        assert_eq!(body_with(&request)["tools"][0]["function"]["name"], "look");
        let held = body_with(&request.with_output_schema(&output));
        assert_eq!(held["format"], output.schema);
        assert!(held.get("tools").is_none(), "{held}");
        let extra = Map::from_iter([("format".to_owned(), json!("json"))]);
        let settings = Settings { extra, ..Settings::default() };
        assert_eq!(body(&settings, &request)["format"], "json");
        let request = request.with_output_schema(&output);
        assert_eq!(body(&settings, &request)["format"], output.schema, "an answer is held to one form alone");
    }

    #[test]
    fn a_field_of_the_programs_own_wins() {
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
