//! The body of a request, written once, straight from the borrowed conversation. What stays the same from turn to turn
//! comes first and the conversation last, so that each body begins with the bytes of the one before.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::{ContentBlock, DocumentBlock, Message, Role, SystemBlock, ToolResultContent};
use strands_core::model::{ModelRequest, outgoing_content};

use super::PROVIDER;
use super::blocks::{Outgoing, is_sent, is_thought};
use super::cache::{CacheControl, Marks};
use super::known::{Known, Thinks};
use super::schema::constrained;
use super::settings::{Settings, ThinkingField};
use super::tools::{self, AllTools, Choice, MessagesTools};
use crate::http::Fields;

/// A request that is ready to be written.
pub(super) struct Body<'a> {
    pub(super) model_id: &'a str,
    pub(super) known: &'a Known,
    pub(super) settings: &'a Settings,
    pub(super) request: &'a ModelRequest<'a>,
    /// `None` where only tokens are counted.
    pub(super) streaming: Option<bool>,
}

/// The fields that counting takes.
const COUNTED: [&str; 6] = ["cache_control", "output_config", "system", "thinking", "tool_choice", "tools"];

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { known, settings, request, .. } = self;
        // A model that always thinks can't be made to call a tool: it is asked to.
        let forces = tools::forces(request.tool_choice) && known.thinks != Thinks::Always;
        let thinking = settings.thinking(known, forces);
        let output = request.output_schema.map(|output| (output, constrained_output(&output.schema, request.messages)));
        let format = output.as_ref().and_then(|(_, format)| format.as_ref());
        let ours = tools::translated(request.tools);
        let tools = self.tools(&ours, forces);
        let marks = self.marks(!tools.is_empty());

        let counts = self.streaming.is_none();
        let extra: Cow<'_, Map<String, Value>> = if counts {
            let counted = settings.extra.iter().filter(|(name, _)| COUNTED.contains(&name.as_str()));
            Cow::Owned(counted.map(|(name, value)| (name.clone(), value.clone())).collect())
        } else {
            Cow::Borrowed(&settings.extra)
        };
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &extra };
        fields.put("model", self.model_id)?;
        if let Some(streaming) = self.streaming {
            fields.put("max_tokens", &settings.max_tokens.unwrap_or(known.max_tokens))?;
            fields.put("stream", &streaming)?;
            fields.put_some("temperature", settings.temperature.as_ref())?;
            fields.put_some("top_p", settings.top_p.as_ref())?;
            fields.put_some("top_k", settings.top_k.as_ref())?;
            fields.put_some("stop_sequences", settings.stop_sequences.as_ref())?;
            fields.put_some("metadata", settings.user_id.as_ref().map(|id| json!({"user_id": id})).as_ref())?;
            fields.put_some("service_tier", settings.service_tier.map(super::AnthropicServiceTier::as_str).as_ref())?;
        }
        fields.put_some("thinking", thinking.as_ref())?;
        fields.put_some("output_config", output_config(settings.effort(thinking.as_ref()), format).as_ref())?;
        if !tools.is_empty() {
            fields.put("tools", &AllTools { cached: marks.tools, ..tools })?;
            fields.put_some("tool_choice", self.choice(output.is_some()).as_ref())?;
        }
        if request.system.iter().any(is_said) {
            fields.put("system", &System { blocks: request.system, marks: &marks })?;
        }
        fields.put_extra()?;
        let instruction = output.as_ref().filter(|(_, format)| format.is_none()).map(|(output, _)| instruction(output));
        fields.put(
            "messages",
            &Messages {
                messages: request.messages,
                marks: &marks,
                documents: documents(request.messages),
                with_thoughts: !(known.binds_thoughts && matches!(thinking, Some(ThinkingField::Disabled))),
                instruction: instruction.as_deref(),
            },
        )?;
        fields.map.end()
    }
}

impl<'a> Body<'a> {
    /// Where a tool is forced it is one of the program's: the provider's own would be no answer to that.
    fn tools<'t>(&'t self, ours: &'t MessagesTools, forced: bool) -> AllTools<'t> {
        let servers = if forced { &[] } else { self.settings.server_tools.as_slice() };
        AllTools { ours, servers, cached: None }
    }

    fn choice(&self, has_output: bool) -> Option<Choice<'a>> {
        if has_output {
            return Some(Choice::NONE);
        }
        let auto = &strands_core::model::ToolChoice::Auto {};
        let choice = match self.request.tool_choice {
            Some(_) if self.known.thinks == Thinks::Always => Some(auto),
            choice => choice,
        };
        Choice::of(choice, self.settings.parallel_tool_calls)
    }

    fn marks(&self, has_tools: bool) -> Marks {
        let Settings { caching, server_tools, extra, .. } = self.settings;
        let marked = |tool: &&Value| tool.get("cache_control").is_some();
        let taken = server_tools.iter().filter(marked).count() + usize::from(extra.contains_key("cache_control"));
        Marks::plan(*caching, has_tools, self.request.system, self.request.messages, taken)
    }
}

fn is_said(block: &SystemBlock) -> bool {
    matches!(block, SystemBlock::Text(text) if !text.trim().is_empty())
}

fn output_config(effort: Option<&'static str>, format: Option<&Value>) -> Option<Value> {
    let mut config = Map::new();
    if let Some(effort) = effort {
        config.insert("effort".to_owned(), effort.into());
    }
    if let Some(format) = format {
        config.insert("format".to_owned(), json!({"type": "json_schema", "schema": format}));
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

/// The schema that the provider itself holds the answer to. It does not where documents can be cited.
fn constrained_output(schema: &Value, messages: &[Arc<Message>]) -> Option<Value> {
    let cited = |document: &DocumentBlock| document.citations.as_ref().is_some_and(|citations| citations.enabled);
    if all_documents(messages).any(cited) {
        return None;
    }
    constrained(schema)
}

/// What stands in for a schema that the provider does not take.
fn instruction(output: &strands_core::model::OutputSchema) -> String {
    let what = output.description.as_deref().map_or_else(String::new, |what| format!(" ({what})"));
    let (name, schema) = (&output.name, &output.schema);
    format!(
        "Answer with nothing but JSON, without a code fence. It must be a `{name}`{what} of this JSON schema: {schema}"
    )
}

/// How many documents there are, where a citation may name one of them.
fn documents(messages: &[Arc<Message>]) -> u64 {
    let cites =
        |message: &Arc<Message>| message.content.iter().any(|block| matches!(block, ContentBlock::Citations(_)));
    if messages.iter().any(cites) { all_documents(messages).count() as u64 } else { 0 }
}

fn all_documents(messages: &[Arc<Message>]) -> impl Iterator<Item = &DocumentBlock> {
    messages.iter().flat_map(|message| &message.content).flat_map(|block| {
        let (own, inside) = match block {
            ContentBlock::Document(document) => (Some(document), [].as_slice()),
            ContentBlock::ToolResult(result) => (None, result.content.as_slice()),
            _ => (None, [].as_slice()),
        };
        own.into_iter().chain(inside.iter().filter_map(|content| match content {
            ToolResultContent::Document(document) => Some(document),
            _ => None,
        }))
    })
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

impl<'a> Text<'a> {
    fn new(text: &'a str, cache_control: Option<CacheControl>) -> Self {
        Self { r#type: "text", text, cache_control }
    }
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

struct Messages<'a> {
    messages: &'a [Arc<Message>],
    marks: &'a Marks,
    documents: u64,
    with_thoughts: bool,
    /// What is said after the last message.
    instruction: Option<&'a str>,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut messages = serializer.serialize_seq(Some(self.messages.len()))?;
        let last = self.messages.len().saturating_sub(1);
        for (number, message) in self.messages.iter().enumerate() {
            let instruction = self.instruction.filter(|_| number == last);
            messages.serialize_element(&Said {
                role: message.role,
                content: Content { all: self, number, message, instruction },
            })?;
        }
        messages.end()
    }
}

#[derive(Serialize)]
struct Said<'a> {
    role: Role,
    content: Content<'a>,
}

struct Content<'a> {
    all: &'a Messages<'a>,
    number: usize,
    message: &'a Message,
    instruction: Option<&'a str>,
}

/// A message that has nothing to say is refused.
const BLANK: &str = "[blank text]";

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut blocks = serializer.serialize_seq(None)?;
        let said = match self.message.role {
            Role::User => self.user(&mut blocks)?,
            Role::Assistant => self.assistant(&mut blocks)?,
        };
        if let Some(instruction) = self.instruction {
            blocks.serialize_element(&Text::new(instruction, None))?;
        } else if !said {
            blocks.serialize_element(&Text::new(BLANK, None))?;
        }
        blocks.end()
    }
}

impl Content<'_> {
    /// What a user said: the results of tools come first, as they must. True if there was something.
    fn user<S: SerializeSeq>(&self, blocks: &mut S) -> Result<bool, S::Error> {
        let mut said = false;
        for results in [true, false] {
            for (at, block) in self.message.content.iter().enumerate() {
                if is_sent(block) && matches!(block, ContentBlock::ToolResult(_)) == results {
                    blocks.serialize_element(&self.outgoing(Some(at), block))?;
                    said = true;
                }
            }
        }
        Ok(said)
    }

    /// What the model said, without thoughts that led to nothing: no message may end with them. True if there was
    /// something.
    fn assistant<S: SerializeSeq>(&self, blocks: &mut S) -> Result<bool, S::Error> {
        let mut held: Vec<Cow<'_, ContentBlock>> = Vec::new();
        let mut said = false;
        for block in outgoing_content(self.message, PROVIDER).filter(|block| is_sent(block)) {
            if is_thought(&block) {
                if self.all.with_thoughts {
                    held.push(block);
                }
                continue;
            }
            for thought in held.drain(..) {
                blocks.serialize_element(&self.outgoing(None, &thought))?;
            }
            let at = match &block {
                Cow::Borrowed(block) if self.all.marks.are_in(self.number) => {
                    self.message.content.iter().position(|own| std::ptr::eq(own, *block))
                }
                _ => None,
            };
            blocks.serialize_element(&self.outgoing(at, &block))?;
            said = true;
        }
        Ok(said)
    }

    fn outgoing<'b>(&self, at: Option<usize>, block: &'b ContentBlock) -> Outgoing<'b> {
        let mark = at.and_then(|at| self.all.marks.of_block(self.number, at));
        Outgoing { block, mark, documents: self.all.documents }
    }
}

/// The content of an answer that has paused, as it goes back to be continued: all of it, whatever it ends with.
pub(super) fn given_back(message: &Message) -> impl Iterator<Item = Outgoing<'_>> {
    let blocks = message.content.iter().filter(|block| is_sent(block));
    blocks.map(|block| Outgoing { block, mark: None, documents: u64::MAX })
}
