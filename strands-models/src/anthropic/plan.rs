//! What a request is to be as a whole, before a word of it is written: whether the model thinks, what it is held to, and
//! what is marked.

use std::sync::Arc;

use serde_json::Value;
use strands_core::message::{ContentBlock, DocumentBlock, Message, ToolResultContent};
use strands_core::models::{ModelRequest, OutputSchema};
use strands_core::schema::SchemaDialect;

use super::cache::Marks;
use super::known::{Known, Thinks};
use super::settings::{Settings, ThinkingField};
use super::tools;

#[derive(Debug)]
pub(super) struct Plan {
    /// The model is made to call a tool. One that always thinks can't be: it is asked to.
    pub(super) forces: bool,
    pub(super) thinking: Option<ThinkingField>,
    /// The schema that the provider holds the answer to.
    pub(super) format: Option<Arc<Option<Value>>>,
    /// What is said at the end of the last message, where the provider does not take the schema.
    instruction: Option<(usize, String)>,
    pub(super) marks: Marks,
    /// How many documents there are, where a citation may name one of them.
    pub(super) documents: Option<u64>,
    pub(super) with_thoughts: bool,
}

impl Plan {
    pub(super) fn of(request: &ModelRequest<'_>, settings: &Settings, known: &Known) -> Self {
        let forces = tools::forces(request.tool_choice) && known.thinks != Thinks::Always;
        let thinking = settings.thinking(known, forces);
        let held = |output: &OutputSchema| {
            // The provider does not hold an answer to a schema where documents can be cited.
            let free = known.structured_output && !all_documents(request.messages).any(can_be_cited);
            let held = || output.rewritten("anthropic", |schema| SchemaDialect::ANTHROPIC.strict(schema).ok());
            free.then(held).filter(|held| held.is_some())
        };
        let format = request.output_schema.and_then(held);
        let last = request.messages.len().saturating_sub(1);
        let told = request.output_schema.filter(|_| format.is_none()).map(|output| (last, instruction(output)));
        let has_tools = !request.tools.is_empty() || !(forces || settings.server_tools.is_empty());
        // Thoughts that can't be read any more are refused where nothing can be said about them.
        let with_thoughts = !(known.binds_thoughts && matches!(thinking, Some(ThinkingField::Disabled)));
        Self {
            forces,
            format,
            instruction: told,
            marks: marks(request, settings, has_tools),
            documents: documents(request.messages),
            with_thoughts,
            thinking,
        }
    }

    /// How many messages at the beginning are written the same in every request.
    pub(super) fn settled(&self, messages: usize) -> usize {
        if !self.with_thoughts || self.documents.is_some() {
            return 0;
        }
        let told = self.instruction.as_ref().map(|(at, _)| *at);
        [self.marks.first_message(), told].into_iter().flatten().fold(messages, usize::min)
    }

    /// What is said at the end of this message.
    pub(super) fn instruction_in(&self, message: usize) -> Option<&str> {
        self.instruction.as_ref().filter(|(at, _)| *at == message).map(|(_, instruction)| instruction.as_str())
    }
}

fn marks(request: &ModelRequest<'_>, settings: &Settings, has_tools: bool) -> Marks {
    let Settings { caching, server_tools, extra, .. } = settings;
    let marked = |tool: &&Value| tool.get("cache_control").is_some();
    let taken = server_tools.iter().filter(marked).count() + usize::from(extra.contains_key("cache_control"));
    Marks::plan(*caching, has_tools, request.system, request.messages, taken)
}

/// What stands in for a schema that the provider does not take.
fn instruction(output: &OutputSchema) -> String {
    let what = output.description.as_deref().map_or_else(String::new, |what| format!(" ({what})"));
    let (name, schema) = (&output.name, &output.schema);
    format!(
        "Answer with nothing but JSON, without a code fence. It must be a `{name}`{what} of this JSON schema: {schema}"
    )
}

fn can_be_cited(document: &DocumentBlock) -> bool {
    document.citations.as_ref().is_some_and(|citations| citations.enabled)
}

fn documents(messages: &[Arc<Message>]) -> Option<u64> {
    let cites =
        |message: &Arc<Message>| message.content.iter().any(|block| matches!(block, ContentBlock::Citations(_)));
    messages.iter().any(cites).then(|| all_documents(messages).count() as u64)
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
