//! Reader of a model's response stream. It runs once for each chunk, so it is a single poll function rather than a future
//! per event.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::open_turn::OpenTurn;
use super::partial_output::PartialOutput;
use super::stop_signal::StopSignal;
use crate::event::AgentEvent;
use crate::models::{BlockDelta, BlockStart, ModelError, ModelStream, ReasoningDelta, StopReason, StreamEvent};

/// Number of events to read before the task yields to others, such as timers. Without this limit, a fast stream would
/// block the thread.
const EVENTS_PER_YIELD: u32 = 128;

/// Reader of one response stream.
pub(super) struct StreamReader {
    events: ModelStream,
    pub(super) turn: OpenTurn,
    /// True if there is a listener.
    is_listening: bool,
    /// Ids of the tool calls announced to the listener, by the index of their block.
    calls: Vec<(usize, Arc<str>)>,
    /// Reader of the structured output, if one was requested and there is a listener.
    output: Option<Box<PartialOutput>>,
    /// A partial value to deliver after the event that it was read from.
    partial: Option<Value>,
    began: Instant,
    pub(super) first_content: Option<Duration>,
    since_pending: u32,
}

/// Reason for the end of a stream.
pub(super) enum StreamEnd {
    /// The stream ended by itself.
    Complete,
    /// The invocation was stopped.
    Stopped(StopReason),
    /// The stream failed.
    Failed(ModelError),
}

impl StreamReader {
    pub(super) fn new(
        events: ModelStream,
        turn: OpenTurn,
        began: Instant,
        is_listening: bool,
        output: Option<PartialOutput>,
    ) -> Self {
        Self {
            events,
            turn,
            is_listening,
            calls: Vec::new(),
            output: output.map(Box::new),
            partial: None,
            began,
            first_content: None,
            since_pending: 0,
        }
    }

    /// Reads to the next event for the listener, or to the end.
    pub(super) fn poll_event(
        &mut self,
        stop: &mut StopSignal,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AgentEvent, StreamEnd>> {
        if self.output.is_some()
            && let Some(value) = self.partial.take()
        {
            return Poll::Ready(Ok(AgentEvent::PartialOutput { value }));
        }
        loop {
            if stop.is_cancelled() {
                return Poll::Ready(Err(StreamEnd::Stopped(StopReason::Cancelled)));
            }
            if self.since_pending == EVENTS_PER_YIELD {
                self.since_pending = 0;
                cx.waker().wake_by_ref();
                return stop.poll_stop(cx).map(|reason| Err(StreamEnd::Stopped(reason)));
            }
            match self.events.as_mut().poll_next(cx) {
                // Most events are text. Without other work, it moves from one event to the other.
                Poll::Ready(Some(Ok(StreamEvent::ContentBlockDelta {
                    content_block_index,
                    delta: BlockDelta::Text(text),
                }))) if self.output.is_none() => {
                    self.since_pending += 1;
                    if let Err(error) = self.turn.push_text(content_block_index, &text) {
                        return Poll::Ready(Err(StreamEnd::Failed(error)));
                    }
                    self.note_first_content();
                    // An empty delta only opens the block.
                    if self.is_listening && !text.is_empty() {
                        return Poll::Ready(Ok(AgentEvent::TextDelta { text }));
                    }
                }
                Poll::Ready(Some(Ok(event))) => {
                    self.since_pending += 1;
                    match self.process(event) {
                        Ok(Some(event)) => return Poll::Ready(Ok(event)),
                        Ok(None) => {}
                        Err(error) => return Poll::Ready(Err(StreamEnd::Failed(error))),
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(StreamEnd::Failed(error))),
                Poll::Ready(None) => return Poll::Ready(Err(StreamEnd::Complete)),
                Poll::Pending => {
                    self.since_pending = 0;
                    return stop.poll_stop(cx).map(|reason| Err(StreamEnd::Stopped(reason)));
                }
            }
        }
    }

    /// Adds an event to the turn. Returns the event for the listener, if any.
    fn process(&mut self, event: StreamEvent) -> Result<Option<AgentEvent>, ModelError> {
        if !self.is_listening
            && let StreamEvent::ContentBlockStart { content_block_index, start: BlockStart { tool_use: Some(start) } } =
                event
        {
            self.turn.begin_call(content_block_index, start)?;
            self.note_first_content();
            return Ok(None);
        }
        self.turn.push(&event)?;
        self.note_first_content();
        if !self.is_listening {
            return Ok(None);
        }
        if let Some(output) = &mut self.output {
            // Its text or arguments are delivered as an event first.
            self.partial = output.process(&event);
        }
        Ok(self.listener_event(event))
    }

    #[inline]
    fn note_first_content(&mut self) {
        if self.first_content.is_none() && self.turn.has_content() {
            self.first_content = Some(self.began.elapsed());
        }
    }

    fn listener_event(&mut self, event: StreamEvent) -> Option<AgentEvent> {
        match event {
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                let start = start.tool_use?;
                // The id that the call has in the message.
                let tool_use_id: Arc<str> = self.turn.newest_call_id()?.into();
                self.calls.push((content_block_index, Arc::clone(&tool_use_id)));
                Some(AgentEvent::ToolUseStart { tool_use_id, name: start.name })
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta } => match delta {
                // An empty delta only opens the block.
                BlockDelta::Text(text) | BlockDelta::ReasoningContent(ReasoningDelta::Text(text))
                    if text.is_empty() =>
                {
                    None
                }
                BlockDelta::Text(text) => Some(AgentEvent::TextDelta { text }),
                BlockDelta::ReasoningContent(ReasoningDelta::Text(text)) => Some(AgentEvent::ReasoningDelta { text }),
                BlockDelta::ReasoningContent(_) => None,
                BlockDelta::Provider(content) => Some(AgentEvent::ProviderContent { content }),
                BlockDelta::Media(content) => Some(AgentEvent::Media { content }),
                BlockDelta::Citation(citation) => Some(AgentEvent::Citation { citation }),
                BlockDelta::ToolUse(delta) => {
                    let call = self.calls.iter().rev().find(|(index, _)| *index == content_block_index);
                    let tool_use_id = Arc::clone(&call?.1);
                    Some(AgentEvent::ToolUseDelta { tool_use_id, input: delta.input })
                }
            },
            StreamEvent::Fallback { from, to, error, .. } => Some(AgentEvent::Fallback { from, to, error }),
            StreamEvent::RedactContent {
                redact_user_content_message: user,
                redact_assistant_content_message: assistant,
            } => Some(AgentEvent::Redacted { user, assistant }),
            StreamEvent::Guardrail { report } => Some(report.into()),
            _ => None,
        }
    }
}
