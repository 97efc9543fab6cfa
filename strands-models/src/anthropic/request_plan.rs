//! Decisions about a whole request, made before it is serialized: reasoning, structured output, and cache points.

use std::sync::Arc;

use serde_json::Value;
use strands_core::message::{ContentBlock, DocumentBlock, Message, ToolResultContent};
use strands_core::models::{ModelRequest, OutputSchema};
use strands_core::schema::SchemaDialect;

use super::model_catalog::{ReasoningDefault, Traits};
use super::prompt_cache::CachePoints;
use super::settings::{Settings, ThinkingField};
use super::tools;

#[derive(Debug)]
pub(super) struct RequestPlan {
    /// True if a tool call is forced, which is not possible for models that always use reasoning.
    pub(super) forces: bool,
    pub(super) thinking: Option<ThinkingField>,
    /// Schema of the structured output, if the provider supports it.
    pub(super) format: Option<Arc<Option<Value>>>,
    /// Text for the end of the message with this index, if the provider does not support the schema.
    instruction: Option<(usize, String)>,
    pub(super) cache_points: CachePoints,
    /// Number of documents, if there are citations.
    pub(super) documents: Option<u64>,
    pub(super) with_reasoning: bool,
}

impl RequestPlan {
    pub(super) fn of(request: &ModelRequest<'_>, settings: &Settings, traits: &Traits) -> Self {
        let forces = tools::forces(request.tool_choice) && traits.reasoning != ReasoningDefault::Always;
        let thinking = settings.thinking(traits, forces);
        let native_schema = |output: &OutputSchema| {
            // The provider does not support structured output together with citations.
            let is_supported = traits.structured_output && !all_documents(request.messages).any(can_be_cited);
            let schema = || output.rewritten("anthropic", |schema| SchemaDialect::ANTHROPIC.strict(schema).ok());
            is_supported.then(schema).filter(|schema| schema.is_some())
        };
        let format = request.output_schema.and_then(native_schema);
        let last = request.messages.len().saturating_sub(1);
        let instruction = request.output_schema.filter(|_| format.is_none()).map(|output| (last, instruction(output)));
        let has_tools = !request.tools.is_empty() || !(forces || settings.server_tools.is_empty());
        // With reasoning disabled, stale reasoning can't be allowed, and the provider rejects it.
        let with_reasoning = !(traits.binds_reasoning && matches!(thinking, Some(ThinkingField::Disabled)));
        Self {
            forces,
            format,
            instruction,
            cache_points: cache_points(request, settings, has_tools),
            documents: documents(request.messages),
            with_reasoning,
            thinking,
        }
    }

    /// Returns the number of first messages that are serialized alike in every request.
    pub(super) fn settled(&self, messages: usize) -> usize {
        if !self.with_reasoning || self.documents.is_some() {
            return 0;
        }
        let instruction = self.instruction.as_ref().map(|(at, _)| *at);
        [self.cache_points.first_message(), instruction].into_iter().flatten().fold(messages, usize::min)
    }

    /// Returns the text for the end of this message.
    pub(super) fn instruction_in(&self, message: usize) -> Option<&str> {
        self.instruction.as_ref().filter(|(at, _)| *at == message).map(|(_, instruction)| instruction.as_str())
    }
}

fn cache_points(request: &ModelRequest<'_>, settings: &Settings, has_tools: bool) -> CachePoints {
    let Settings { caching, server_tools, extra, .. } = settings;
    let marked = |tool: &&Value| tool.get("cache_control").is_some();
    let taken = server_tools.iter().filter(marked).count() + usize::from(extra.contains_key("cache_control"));
    CachePoints::plan(*caching, has_tools, request.system, request.messages, taken)
}

/// Returns the instruction for a schema that the provider does not support.
fn instruction(output: &OutputSchema) -> String {
    let description = output.description.as_deref().map_or_else(String::new, |description| format!(" ({description})"));
    let (name, schema) = (&output.name, &output.schema);
    format!(
        "Respond with JSON only, without a code fence. It must be a `{name}`{description} of this JSON schema: {schema}"
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
