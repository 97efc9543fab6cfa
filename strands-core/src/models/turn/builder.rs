//! Builder that assembles a message from stream events.

use std::sync::Arc;

use serde_json::Value;

use super::Turn;
use super::partial_block::{OpenKind, PartialBlock, json_size, media_size};
use super::stop_reason::reconcile;
use crate::depth;
use crate::message::{CallIds, Citation, ContentBlock, Message, MessageMetadata, Role, random_call_id};
use crate::models::{
    BlockDelta, ErrorDetails, FallbackStep, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent,
    ToolUseStart,
};
use crate::usage::{ModelMetrics, ProviderUsage, Usage};

/// Builder for a [`Turn`] from its [`StreamEvent`]s.
///
/// Blocks are identified by their index, so a provider may interleave them. The size of the response is limited.
#[derive(Debug)]
pub struct TurnBuilder {
    blocks: Vec<(usize, PartialBlock)>,
    call_ids: CallIds,
    /// Ids of the tool calls earlier in the conversation.
    earlier_call_ids: Option<Arc<CallIds>>,
    /// First unused index. A block at it or beyond is new, without a search.
    unused: usize,
    stop_reason: Option<StopReason>,
    response_fields: Option<Box<Value>>,
    usage: Usage,
    /// Usage of models of a fallback that failed before this one.
    failed_usage: Usage,
    fallbacks: Vec<FallbackStep>,
    metrics: ModelMetrics,
    trace: Option<Box<Value>>,
    provider: Option<String>,
    provider_usage: Option<ProviderUsage>,
    redact_user: Option<String>,
    redact_assistant: Option<String>,
    bytes: usize,
    max_bytes: usize,
}

impl TurnBuilder {
    /// Creates a builder for a response of at most `max_bytes` of content.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            blocks: Vec::new(),
            call_ids: CallIds::default(),
            earlier_call_ids: None,
            unused: 0,
            stop_reason: None,
            response_fields: None,
            usage: Usage::default(),
            failed_usage: Usage::default(),
            fallbacks: Vec::new(),
            metrics: ModelMetrics::default(),
            trace: None,
            provider: None,
            provider_usage: None,
            redact_user: None,
            redact_assistant: None,
            bytes: 0,
            max_bytes,
        }
    }

    /// Sets the ids of earlier tool calls, which calls of this response must not repeat.
    pub(crate) fn set_earlier_calls(&mut self, call_ids: &Arc<CallIds>) {
        self.earlier_call_ids = Some(Arc::clone(call_ids));
    }

    /// Adds an event.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::Protocol`] for arguments of a tool call that has not started, for provider-specific content
    /// that is nested too deep, and for a [`BlockDelta::Media`] without a medium; [`ModelError::ResponseTooLarge`] if the
    /// response exceeds its maximum size.
    pub fn push(&mut self, event: &StreamEvent) -> Result<(), ModelError> {
        match event {
            StreamEvent::ContentBlockStop { .. } | StreamEvent::Guardrail { .. } => {}
            StreamEvent::Fallback { from, to, usage, .. } => {
                self.failed_usage.add(*usage);
                self.fallbacks.push(FallbackStep::new(from.clone(), to.clone()));
            }
            StreamEvent::MessageStart { provider, .. } => self.provider = provider.as_deref().map(str::to_owned),
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                if let Some(start) = &start.tool_use {
                    self.begin_call(*content_block_index, start.clone())?;
                }
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta } => self.delta(*content_block_index, delta)?,
            StreamEvent::MessageStop { stop_reason, additional_model_response_fields } => {
                self.stop_reason = Some(stop_reason.clone());
                self.response_fields.clone_from(additional_model_response_fields);
            }
            StreamEvent::Metadata { usage, metrics, trace, provider_usage } => {
                self.usage = *usage;
                self.metrics = *metrics;
                self.trace.clone_from(trace);
                self.provider_usage = provider_usage.clone().filter(|usage| depth::check_usage(usage).is_ok());
            }
            StreamEvent::RedactContent { redact_user_content_message, redact_assistant_content_message } => {
                if let Some(replacement) = redact_user_content_message {
                    self.redact_user = Some(replacement.clone());
                }
                if let Some(replacement) = redact_assistant_content_message {
                    self.redact_assistant = Some(replacement.clone());
                }
            }
        }
        Ok(())
    }

    /// Takes the fallbacks before this response.
    pub(crate) fn take_fallbacks(&mut self) -> Vec<FallbackStep> {
        std::mem::take(&mut self.fallbacks)
    }

    /// Begins a tool call.
    pub(crate) fn begin_call(&mut self, index: usize, mut start: ToolUseStart) -> Result<(), ModelError> {
        self.grow(size_of::<PartialBlock>() + start.name.len() + start.tool_use_id.len())?;
        self.make_unique(&mut start.tool_use_id);
        self.begin(index, PartialBlock::ToolUse { start, input: String::new() });
        Ok(())
    }

    /// Generates a missing id and makes a repeated one unique, so that each call has its own result.
    fn make_unique(&mut self, id: &mut String) {
        if id.is_empty() {
            *id = random_call_id();
        }
        if self.call_ids.is_empty() {
            // Most responses have one call, whose id is not compared with others of the response.
            match self.newest_call_id().map(str::to_owned) {
                Some(first) => _ = self.call_ids.take(&first, None),
                None if self.earlier_call_ids.as_deref().is_none_or(|earlier| !earlier.has(id)) => return,
                None => {}
            }
        }
        if let Some(unique) = self.call_ids.take(id, self.earlier_call_ids.as_deref()) {
            *id = unique;
        }
    }

    /// Returns the id of the newest tool call. It may differ from the provider's id.
    pub(crate) fn newest_call_id(&self) -> Option<&str> {
        self.blocks.iter().rev().find_map(|(_, block)| match block {
            PartialBlock::ToolUse { start, .. } => Some(start.tool_use_id.as_str()),
            _ => None,
        })
    }

    fn delta(&mut self, index: usize, delta: &BlockDelta) -> Result<(), ModelError> {
        match delta {
            BlockDelta::Text(chunk) => self.push_text(index, chunk)?,
            BlockDelta::Citation(citation) => {
                let quoted: usize = citation.source_content.iter().map(|part| part.text.len()).sum();
                self.grow(size_of::<Citation>() + quoted + citation.title.as_ref().map_or(0, String::len))?;
                if let PartialBlock::Text { citations, .. } = self.block(index, OpenKind::Text) {
                    citations.push(Citation::clone(citation));
                }
            }
            BlockDelta::Provider(content) => {
                self.grow(size_of::<PartialBlock>() + content.provider.len() + json_size(&content.content))?;
                if let Err(too_deep) = depth::check(&content.content) {
                    return Err(ModelError::protocol(format!("provider-specific block {index} {too_deep}")));
                }
                self.begin(index, PartialBlock::Provider(content.clone()));
            }
            BlockDelta::Media(medium) => {
                let Some(bytes) = media_size(medium) else {
                    return Err(ModelError::protocol(format!("block {index} has a media delta without a medium")));
                };
                self.grow(size_of::<PartialBlock>() + size_of::<ContentBlock>() + bytes)?;
                self.begin(index, PartialBlock::Media(medium.clone()));
            }
            BlockDelta::ReasoningContent(chunk) => {
                self.grow(match chunk {
                    ReasoningDelta::Text(chunk) | ReasoningDelta::Signature(chunk) => chunk.len(),
                    ReasoningDelta::RedactedContent(chunk) => chunk.len(),
                })?;
                if let PartialBlock::Reasoning { text, signature, redacted } = self.block(index, OpenKind::Reasoning) {
                    match chunk {
                        ReasoningDelta::Text(chunk) => text.push_str(chunk),
                        ReasoningDelta::Signature(chunk) => signature.push_str(chunk),
                        ReasoningDelta::RedactedContent(chunk) => redacted.extend_from_slice(chunk),
                    }
                }
            }
            BlockDelta::ToolUse(chunk) => {
                self.grow(chunk.input.len())?;
                let open = self.blocks.iter_mut().rev().find_map(|(at, block)| match block {
                    PartialBlock::ToolUse { input, .. } if *at == index => Some(input),
                    _ => None,
                });
                let Some(input) = open else {
                    return Err(ModelError::protocol(format!(
                        "block {index} has tool arguments but no tool call has started there"
                    )));
                };
                input.push_str(&chunk.input);
            }
        }
        Ok(())
    }

    /// Adds text to a block.
    pub(crate) fn push_text(&mut self, index: usize, chunk: &str) -> Result<(), ModelError> {
        self.grow(chunk.len())?;
        // The common case: another delta of the newest block.
        if let Some((last, PartialBlock::Text { text, .. })) = self.blocks.last_mut()
            && *last == index
        {
            text.push_str(chunk);
        } else if let PartialBlock::Text { text, .. } = self.block(index, OpenKind::Text) {
            text.push_str(chunk);
        }
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(by);
        if self.bytes > self.max_bytes {
            return Err(ModelError::ResponseTooLarge { limit: Some(self.max_bytes), details: Box::default() });
        }
        Ok(())
    }

    fn begin(&mut self, index: usize, block: PartialBlock) {
        self.unused = self.unused.max(index.saturating_add(1));
        self.blocks.push((index, block));
    }

    /// Returns the newest block of this kind at `index`, or starts one: text and reasoning start with their first delta.
    fn block(&mut self, index: usize, kind: OpenKind) -> &mut PartialBlock {
        let known = if index < self.unused { self.blocks.as_slice() } else { &[] };
        let found = known.iter().rposition(|(at, block)| *at == index && kind.matches(block));
        let position = found.unwrap_or(self.blocks.len());
        if found.is_none() {
            // Empty blocks count, too.
            self.bytes = self.bytes.saturating_add(size_of::<PartialBlock>());
            self.begin(index, kind.begin());
        }
        // The block was found or pushed just now.
        #[expect(clippy::indexing_slicing)]
        &mut self.blocks[position].1
    }

    /// Returns true once any content has arrived. From then on, a retry repeats content that was already streamed.
    pub fn has_content(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Returns true once the stop event has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.stop_reason.is_some()
    }

    /// Returns the guardrail's replacement of the user message.
    pub(crate) fn redact_user(&self) -> Option<&str> {
        self.redact_user.as_deref()
    }

    /// Returns the usage that has been reported so far.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = self.usage;
        usage.add(self.failed_usage);
        usage
    }

    /// Builds the complete response.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::Transport`] if the stream ended before its stop event; the error that the stop reason
    /// [stands for](ModelErrorKind::from_stop_reason), such as a context overflow; [`ModelError::Protocol`] if the stop reason
    /// is tool use but the response is empty.
    pub fn finish(self) -> Result<Turn, ModelError> {
        let usage = self.usage();
        let Some(stop_reason) = self.stop_reason else {
            return Err(ModelError::transport("the stream ended before its stop event"));
        };
        if let StopReason::Other(reason) = &stop_reason
            && let Some(kind) = ModelErrorKind::from_stop_reason(reason)
        {
            return Err(kind.into_error(None, ErrorDetails::new().with_code(reason.as_str())));
        }
        // With its exact capacity, since the message stays in memory.
        let mut content: Vec<ContentBlock> = Vec::with_capacity(self.blocks.len());
        content.extend(self.blocks.into_iter().filter_map(|(_, block)| block.finish()));
        // Before the stop reason is reconciled: a tool call that a guardrail removed must not run.
        if let Some(replacement) = self.redact_assistant {
            content = vec![ContentBlock::text(replacement)];
        }
        let stop_reason = reconcile(stop_reason, &mut content)?;
        let mut message = Message::new(Role::Assistant, content);
        message.metadata = Some(MessageMetadata {
            usage: Some(self.usage),
            metrics: Some(self.metrics),
            provider: self.provider,
            provider_usage: self.provider_usage,
            ..MessageMetadata::default()
        });
        Ok(Turn {
            message,
            stop_reason,
            usage,
            metrics: self.metrics,
            trace: self.trace.map(|trace| *trace),
            response_fields: self.response_fields.map(|fields| *fields),
            redact_user: self.redact_user,
        })
    }

    /// Builds the text and media of an incomplete response, and its usage.
    ///
    /// Reasoning and tool calls are left out: signature and arguments may be incomplete.
    pub fn into_partial(self) -> (Message, Usage) {
        let usage = self.usage();
        if let Some(replacement) = self.redact_assistant {
            return (Message::assistant(replacement), usage);
        }
        let text = self.blocks.into_iter().filter_map(|(_, block)| match block {
            PartialBlock::Text { text, .. } if !text.trim().is_empty() => Some(ContentBlock::text(text)),
            PartialBlock::Media(medium) => Some(*medium),
            _ => None,
        });
        (Message::new(Role::Assistant, text), usage)
    }
}
