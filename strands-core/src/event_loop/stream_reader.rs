//! Reader of a model's response stream. It runs once for each chunk, so it is a single poll function rather than a future
//! per event.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::emitter::Emitter;
use super::partial_output::PartialOutput;
use super::stop_signal::StopSignal;
use crate::event::AgentEvent;
use crate::models::{BlockDelta, ModelError, ModelStream, ReasoningDelta, StopReason, StreamEvent, TurnBuilder};

/// Number of events to read before the task yields to others, such as timers. Without this limit, a fast stream would
/// block the thread.
const EVENTS_PER_YIELD: u32 = 128;

/// Reader of one response stream.
pub(super) struct StreamReader<'a> {
    events: ModelStream,
    emitter: &'a Emitter,
    pub(super) turn: TurnBuilder,
    /// Ids of the tool calls announced to the listener, by the index of their block.
    calls: Vec<(usize, Arc<str>)>,
    /// Reader of the structured output, if one was requested and there is a listener.
    output: Option<PartialOutput<'a>>,
    /// A partial value to deliver after the event that it was read from.
    partial: Option<Value>,
    began: Instant,
    pub(super) first_content: Option<Duration>,
    since_pending: u32,
    is_journaled: bool,
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

impl<'a> StreamReader<'a> {
    pub(super) fn new(
        events: ModelStream,
        turn: TurnBuilder,
        emitter: &'a Emitter,
        began: Instant,
        output: Option<PartialOutput<'a>>,
    ) -> Self {
        Self {
            events,
            emitter,
            turn,
            calls: Vec::new(),
            output,
            partial: None,
            began,
            first_content: None,
            since_pending: 0,
            is_journaled: emitter.is_journaled(),
        }
    }

    /// Reads to the end and delivers each chunk to the listener.
    pub(super) async fn read(&mut self, stop: &mut StopSignal<'_>) -> StreamEnd {
        poll_fn(|cx| self.poll_read(stop, cx)).await
    }

    fn poll_read(&mut self, stop: &mut StopSignal<'_>, cx: &mut Context<'_>) -> Poll<StreamEnd> {
        if self.is_journaled && self.emitter.is_full() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.output.is_some()
            && let Some(value) = self.partial.take()
        {
            return self.deliver(AgentEvent::PartialOutput { value }, cx);
        }
        loop {
            if stop.is_cancelled() {
                return Poll::Ready(StreamEnd::Stopped(StopReason::Cancelled));
            }
            if self.since_pending == EVENTS_PER_YIELD {
                self.since_pending = 0;
                cx.waker().wake_by_ref();
                return stop.poll_stop(cx).map(StreamEnd::Stopped);
            }
            match self.events.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(event))) => {
                    self.since_pending += 1;
                    match self.process(event) {
                        Ok(Some(event)) => return self.deliver(event, cx),
                        Ok(None) => {}
                        Err(error) => return Poll::Ready(StreamEnd::Failed(error)),
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(StreamEnd::Failed(error)),
                Poll::Ready(None) => return Poll::Ready(StreamEnd::Complete),
                Poll::Pending => {
                    self.since_pending = 0;
                    return stop.poll_stop(cx).map(StreamEnd::Stopped);
                }
            }
        }
    }

    /// Delivers an event to the listener, which takes it and polls again.
    fn deliver(&self, event: AgentEvent, cx: &mut Context<'_>) -> Poll<StreamEnd> {
        self.emitter.put(event);
        if self.is_journaled {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Adds an event to the turn. Returns the event for the listener, if any.
    fn process(&mut self, event: StreamEvent) -> Result<Option<AgentEvent>, ModelError> {
        self.turn.push(&event)?;
        if self.first_content.is_none() && self.turn.has_content() {
            self.first_content = Some(self.began.elapsed());
        }
        if self.emitter.is_silent() {
            return Ok(None);
        }
        if let Some(output) = &mut self.output {
            // Its text or arguments are delivered as an event first.
            self.partial = output.process(&event);
        }
        Ok(self.listener_event(event))
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
            _ => None,
        }
    }
}
