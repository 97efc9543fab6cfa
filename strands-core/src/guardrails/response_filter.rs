//! Filter of a response stream. It holds text back until the guardrail has decided about it, and tool arguments until they are
//! complete.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::checking::{Blocked, Checks};
use super::held_text::HeldText;
use super::settings::Settings;
use super::{GuardedContent, GuardrailReport};
use crate::hook::HookContext;
use crate::lenient_json;
use crate::message::Citation;
use crate::models::{BlockDelta, ModelError, ModelStream, ReasoningDelta, StopReason, StreamEvent};

/// Filters a response stream.
pub(super) fn filtered(settings: Arc<Settings>, context: HookContext, stream: ModelStream) -> ModelStream {
    let filter = ResponseFilter {
        settings,
        context,
        stream,
        blocks: Vec::new(),
        released: VecDeque::new(),
        started: Vec::new(),
        is_blocked: false,
    };
    Box::pin(stream::unfold(Box::new(filter), ResponseFilter::next))
}

struct ResponseFilter {
    settings: Arc<Settings>,
    context: HookContext,
    stream: ModelStream,
    /// Blocks that are open, with the text that is held back.
    blocks: Vec<OpenBlock>,
    /// Events to deliver.
    released: VecDeque<StreamEvent>,
    /// Indexes of the blocks that were delivered up to now and not stopped.
    started: Vec<usize>,
    /// True once the response is blocked. The rest of the stream is read for its usage.
    is_blocked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Text,
    Reasoning,
    ToolCall,
}

struct OpenBlock {
    index: usize,
    kind: BlockKind,
    text: HeldText,
    /// True once the block was started for the reader of the stream.
    is_started: bool,
    /// Signatures and encrypted reasoning. They follow the reasoning unless it was changed.
    signatures: Vec<ReasoningDelta>,
}

impl BlockKind {
    fn content(self) -> GuardedContent {
        match self {
            Self::Text => GuardedContent::Response,
            Self::Reasoning => GuardedContent::Reasoning,
            Self::ToolCall => GuardedContent::ToolArguments,
        }
    }

    fn delta(self, index: usize, text: String) -> StreamEvent {
        match self {
            Self::Text => StreamEvent::text(index, text),
            Self::Reasoning => StreamEvent::reasoning(index, ReasoningDelta::Text(text)),
            Self::ToolCall => StreamEvent::tool_input(index, text),
        }
    }
}

impl ResponseFilter {
    async fn next(mut self: Box<Self>) -> Option<(Result<StreamEvent, ModelError>, Box<Self>)> {
        loop {
            if let Some(event) = self.released.pop_front() {
                self.note_started(&event);
                return Some((Ok(event), self));
            }
            match self.stream.next().await? {
                // Text that is still held back is dropped with the stream.
                Err(error) => return Some((Err(error), self)),
                Ok(event) if self.is_blocked => self.skip(event),
                Ok(event) => {
                    let is_end = matches!(event, StreamEvent::MessageStop { .. });
                    if let Err((content, blocked)) = self.process(event).await {
                        self.block(content, blocked);
                        if is_end {
                            self.released.push_back(StreamEvent::stop(StopReason::GuardrailIntervened));
                        }
                    }
                }
            }
        }
    }

    async fn process(&mut self, event: StreamEvent) -> Result<(), (GuardedContent, Blocked)> {
        match event {
            StreamEvent::ContentBlockDelta { content_block_index: index, delta } => self.delta(index, delta).await?,
            StreamEvent::ContentBlockStart { content_block_index: index, ref start } => {
                if start.tool_use.is_some() && self.settings.guards(&GuardedContent::ToolArguments) {
                    // A call that was not stopped ends here.
                    self.complete(|block| block.index == index && block.kind == BlockKind::ToolCall).await?;
                    self.blocks.push(OpenBlock::new(index, BlockKind::ToolCall, true));
                }
                self.released.push_back(event);
            }
            StreamEvent::ContentBlockStop { content_block_index: index } => {
                self.complete(|block| block.index == index).await?;
                self.released.push_back(event);
            }
            StreamEvent::MessageStop { stop_reason, mut additional_model_response_fields } => {
                self.complete(|_| true).await?;
                if let Some(fields) = &mut additional_model_response_fields {
                    self.check_json(fields).await?;
                }
                self.released.push_back(StreamEvent::MessageStop { stop_reason, additional_model_response_fields });
            }
            other => self.released.push_back(other),
        }
        Ok(())
    }

    async fn delta(&mut self, index: usize, delta: BlockDelta) -> Result<(), (GuardedContent, Blocked)> {
        let guards = |kind: BlockKind| self.settings.guards(&kind.content());
        match delta {
            BlockDelta::Text(chunk) if guards(BlockKind::Text) => self.push(index, BlockKind::Text, &chunk).await?,
            BlockDelta::ReasoningContent(ReasoningDelta::Text(chunk)) if guards(BlockKind::Reasoning) => {
                self.push(index, BlockKind::Reasoning, &chunk).await?;
            }
            BlockDelta::ReasoningContent(signature) if guards(BlockKind::Reasoning) => {
                self.block_at(index, BlockKind::Reasoning).signatures.push(signature);
            }
            BlockDelta::ToolUse(chunk) if guards(BlockKind::ToolCall) => {
                self.block_at(index, BlockKind::ToolCall).text.push(&chunk.input);
                self.check_size(BlockKind::ToolCall)?;
            }
            BlockDelta::Citation(mut citation) if guards(BlockKind::Text) => {
                self.check_citation(&mut citation).await?;
                self.released.push_back(StreamEvent::citation(index, *citation));
            }
            BlockDelta::Provider(mut content) if guards(BlockKind::Text) => {
                self.check_json(&mut content.content).await?;
                self.released.push_back(StreamEvent::provider_content(index, *content));
            }
            delta => self.released.push_back(StreamEvent::ContentBlockDelta { content_block_index: index, delta }),
        }
        Ok(())
    }

    /// Adds text to a block, and releases what is decided.
    async fn push(&mut self, index: usize, kind: BlockKind, chunk: &str) -> Result<(), (GuardedContent, Blocked)> {
        let (settings, context) = (Arc::clone(&self.settings), self.context.clone());
        let block = self.block_at(index, kind);
        block.text.push(chunk);
        let mut checks = Checks::new(&settings, &context, kind.content());
        let text = block.text.release(&mut checks, false).await.map_err(|blocked| (kind.content(), blocked))?;
        // Later blocks must not overtake one whose text is held back.
        let starts = !std::mem::replace(&mut block.is_started, true);
        self.released.extend(checks.reports().map(|report| StreamEvent::Guardrail { report }));
        if starts || !text.is_empty() {
            self.released.push_back(kind.delta(index, text));
        }
        self.check_size(kind)
    }

    /// Completes blocks: checks and releases their remaining text.
    async fn complete(&mut self, ends: impl Fn(&OpenBlock) -> bool) -> Result<(), (GuardedContent, Blocked)> {
        let (settings, context) = (Arc::clone(&self.settings), self.context.clone());
        while let Some(position) = self.blocks.iter().position(&ends) {
            let OpenBlock { index, kind, mut text, signatures, .. } = self.blocks.remove(position);
            let mut checks = Checks::new(&settings, &context, kind.content());
            let released = match kind {
                BlockKind::ToolCall => arguments(&mut checks, text).await,
                BlockKind::Text | BlockKind::Reasoning => {
                    let released = text.release(&mut checks, true).await;
                    released.map(|released| (released, text.is_changed))
                }
            };
            let (released, is_changed) = released.map_err(|blocked| (kind.content(), blocked))?;
            self.report(&checks);
            if !released.is_empty() {
                self.released.push_back(kind.delta(index, released));
            }
            if !is_changed {
                self.released.extend(signatures.into_iter().map(|signature| StreamEvent::reasoning(index, signature)));
            }
        }
        Ok(())
    }

    async fn check_citation(&mut self, citation: &mut Citation) -> Result<(), (GuardedContent, Blocked)> {
        let (settings, context) = (Arc::clone(&self.settings), self.context.clone());
        let mut checks = Checks::new(&settings, &context, GuardedContent::Response);
        checks.citation(citation).await.map_err(|blocked| (GuardedContent::Response, blocked))?;
        self.report(&checks);
        Ok(())
    }

    async fn check_json(&mut self, value: &mut Value) -> Result<(), (GuardedContent, Blocked)> {
        if !self.settings.guards(&GuardedContent::Response) {
            return Ok(());
        }
        let (settings, context) = (Arc::clone(&self.settings), self.context.clone());
        let mut checks = Checks::new(&settings, &context, GuardedContent::Response);
        checks.json(value).await.map_err(|blocked| (GuardedContent::Response, blocked))?;
        self.report(&checks);
        Ok(())
    }

    fn report(&mut self, checks: &Checks<'_>) {
        self.released.extend(checks.reports().map(|report| StreamEvent::Guardrail { report }));
    }

    /// Blocks a response whose held text is too large.
    fn check_size(&self, kind: BlockKind) -> Result<(), (GuardedContent, Blocked)> {
        let held: usize = self.blocks.iter().map(|block| block.text.held()).sum();
        if held <= self.settings.max_held_bytes {
            return Ok(());
        }
        let blocked = Blocked("blocked, since it is too long to be checked".to_owned());
        Err((kind.content(), blocked))
    }

    fn block_at(&mut self, index: usize, kind: BlockKind) -> &mut OpenBlock {
        let found = self.blocks.iter().position(|block| block.index == index && block.kind == kind);
        let position = found.unwrap_or(self.blocks.len());
        if found.is_none() {
            self.blocks.push(OpenBlock::new(index, kind, false));
        }
        // The block was found or pushed just now.
        #[expect(clippy::indexing_slicing)]
        &mut self.blocks[position]
    }

    /// Blocks the response: its content is replaced, and nothing that is held back is released.
    fn block(&mut self, content: GuardedContent, Blocked(message): Blocked) {
        self.is_blocked = true;
        self.blocks.clear();
        self.released.clear();
        let report: Option<GuardrailReport> = Checks::new(&self.settings, &self.context, content).blocked();
        self.released.extend(report.map(|report| StreamEvent::Guardrail { report }));
        self.released.push_back(StreamEvent::RedactContent {
            redact_user_content_message: None,
            redact_assistant_content_message: Some(message),
        });
        self.released.extend(std::mem::take(&mut self.started).into_iter().map(StreamEvent::block_stop));
    }

    fn note_started(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::ContentBlockStart { content_block_index: index, .. }
            | StreamEvent::ContentBlockDelta { content_block_index: index, .. }
                if !self.started.contains(index) =>
            {
                self.started.push(*index);
            }
            StreamEvent::ContentBlockStop { content_block_index: index } => self.started.retain(|other| other != index),
            _ => {}
        }
    }

    /// Takes only the end and the usage of a blocked response.
    fn skip(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::MessageStop { .. } => {
                self.released.push_back(StreamEvent::stop(StopReason::GuardrailIntervened));
            }
            StreamEvent::Metadata { .. } => self.released.push_back(event),
            _ => {}
        }
    }
}

impl OpenBlock {
    fn new(index: usize, kind: BlockKind, is_started: bool) -> Self {
        Self { index, kind, text: HeldText::default(), is_started, signatures: Vec::new() }
    }
}

/// Checks the complete arguments of a tool call. Returns their JSON, and true if they were changed.
///
/// Valid JSON is serialized again, so that no repeated field or escape hides a text from the check.
async fn arguments(checks: &mut Checks<'_>, text: HeldText) -> Result<(String, bool), Blocked> {
    let mut text = text.into_text();
    match lenient_json::from_str::<Value>(&text) {
        Ok(mut value) => {
            let is_changed = checks.json(&mut value).await?;
            Ok((value.to_string(), is_changed))
        }
        Err(_) => {
            let is_changed = checks.text(&mut text).await?;
            Ok((text, is_changed))
        }
    }
}
