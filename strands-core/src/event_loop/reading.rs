//! Reads a model's answer as it streams. This runs once for each piece of an answer, so it is one function to poll and
//! makes no future for an event.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::emitter::Emitter;
use super::partial_output::PartialOutput;
use super::stop::Stop;
use crate::event::AgentEvent;
use crate::models::{BlockDelta, ModelError, ModelStream, ReasoningDelta, StopReason, StreamEvent, TurnBuilder};

/// How many events are read before the task lets others run, timers among them. A model that is ahead of us would
/// otherwise keep the thread.
const EVENTS_AT_ONCE: u32 = 128;

/// An answer that is being read.
pub(super) struct Reading<'a> {
    events: ModelStream,
    emitter: &'a Emitter,
    pub(super) answer: TurnBuilder,
    /// The tool calls that the listener has heard of, by the index of their block.
    calls: Vec<(usize, Arc<str>)>,
    /// Reader of the structured output, if there is to be one and somebody listens.
    output: Option<PartialOutput<'a>>,
    /// A partial value that waits until the listener has taken the event that it was read from.
    partial: Option<Value>,
    began: Instant,
    pub(super) first_content: Option<Duration>,
    since_pending: u32,
    is_journaled: bool,
}

/// Why there is nothing more to read.
pub(super) enum Ended {
    /// The stream is over.
    Over,
    /// The invocation is to end.
    Stopped(StopReason),
    /// The stream broke.
    Broken(ModelError),
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        events: ModelStream,
        answer: TurnBuilder,
        emitter: &'a Emitter,
        began: Instant,
        output: Option<PartialOutput<'a>>,
    ) -> Self {
        Self {
            events,
            emitter,
            answer,
            calls: Vec::new(),
            output,
            partial: None,
            began,
            first_content: None,
            since_pending: 0,
            is_journaled: emitter.is_journaled(),
        }
    }

    /// Reads to the end, and tells the listener of each piece.
    pub(super) async fn read(&mut self, stop: &mut Stop<'_>) -> Ended {
        poll_fn(|cx| self.poll_read(stop, cx)).await
    }

    fn poll_read(&mut self, stop: &mut Stop<'_>, cx: &mut Context<'_>) -> Poll<Ended> {
        if self.is_journaled && self.emitter.is_full() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.output.is_some()
            && let Some(value) = self.partial.take()
        {
            return self.hand_over(AgentEvent::PartialOutput { value }, cx);
        }
        loop {
            if stop.is_cancelled() {
                return Poll::Ready(Ended::Stopped(StopReason::Cancelled));
            }
            if self.since_pending == EVENTS_AT_ONCE {
                self.since_pending = 0;
                cx.waker().wake_by_ref();
                return stop.poll_stop(cx).map(Ended::Stopped);
            }
            match self.events.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(event))) => {
                    self.since_pending += 1;
                    match self.take_in(event) {
                        Ok(Some(piece)) => return self.hand_over(piece, cx),
                        Ok(None) => {}
                        Err(error) => return Poll::Ready(Ended::Broken(error)),
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Ended::Broken(error)),
                Poll::Ready(None) => return Poll::Ready(Ended::Over),
                Poll::Pending => {
                    self.since_pending = 0;
                    return stop.poll_stop(cx).map(Ended::Stopped);
                }
            }
        }
    }

    /// Hands over an event to the listener, which takes it and polls again.
    fn hand_over(&self, event: AgentEvent, cx: &mut Context<'_>) -> Poll<Ended> {
        self.emitter.put(event);
        if self.is_journaled {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Adds an event to the answer. Returns what the listener is to hear, where there is one.
    fn take_in(&mut self, event: StreamEvent) -> Result<Option<AgentEvent>, ModelError> {
        self.answer.push(&event)?;
        if self.first_content.is_none() && self.answer.has_content() {
            self.first_content = Some(self.began.elapsed());
        }
        if self.emitter.is_silent() {
            return Ok(None);
        }
        if let Some(output) = &mut self.output {
            // It comes of a piece of text or of arguments, which are events themselves.
            self.partial = output.take_in(&event);
        }
        Ok(self.piece_of(event))
    }

    fn piece_of(&mut self, event: StreamEvent) -> Option<AgentEvent> {
        match event {
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                let start = start.tool_use?;
                // The id that the call has in the message.
                let tool_use_id: Arc<str> = self.answer.newest_call_id()?.into();
                self.calls.push((content_block_index, Arc::clone(&tool_use_id)));
                Some(AgentEvent::ToolUseStart { tool_use_id, name: start.name })
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta } => match delta {
                // It holds a block's place in the answer.
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
                BlockDelta::ToolUse(piece) => {
                    let call = self.calls.iter().rev().find(|(index, _)| *index == content_block_index);
                    let tool_use_id = Arc::clone(&call?.1);
                    Some(AgentEvent::ToolUseDelta { tool_use_id, input: piece.input })
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
