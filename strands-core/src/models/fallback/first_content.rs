//! Buffering of a response up to its first content. Until then, the fallback can switch to another model unnoticed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{Candidate, Fallback};
use crate::models::{BlockDelta, ModelError, ModelRequest, ModelStream, ReasoningDelta, StreamEvent};
use crate::usage::Usage;

/// Maximum number of buffered events without content. A response with more counts as begun.
const MAX_BUFFERED: usize = 64;

impl Fallback {
    /// Calls a model and waits for the first content. The stream begins with the events in `announced`. If the model fails,
    /// they stay there, and the usage that it has reported is returned with the error.
    pub(super) async fn open(
        &self,
        candidate: &Arc<Candidate>,
        request: ModelRequest<'_>,
        announced: &mut Vec<StreamEvent>,
    ) -> Result<ModelStream, (ModelError, Usage)> {
        let mut events = candidate.model.stream(request).await.map_err(|error| (error, Usage::default()))?;
        let mut buffered = VecDeque::new();
        let error = loop {
            match events.next().await {
                Some(Ok(event)) => {
                    let begins = is_content(&event) || buffered.len() == MAX_BUFFERED;
                    buffered.push_back(event);
                    if begins {
                        candidate.mark_available();
                        let buffered = announced.drain(..).chain(buffered).collect();
                        let (candidate, fallback) = (Arc::clone(candidate), self.clone());
                        return Ok(Box::pin(FallbackStream {
                            buffered,
                            events,
                            candidate,
                            fallback,
                            has_stop_reason: false,
                            ended: false,
                        }));
                    }
                }
                Some(Err(error)) => break error,
                None => break ModelError::transport("the stream ended before its first content"),
            }
        };
        // The candidate may itself be a `Fallback`, whose events are passed on.
        let usage = buffered.iter().rev().find_map(|event| match event {
            StreamEvent::Metadata { usage, .. } => Some(*usage),
            _ => None,
        });
        announced.extend(buffered.into_iter().filter(|event| matches!(event, StreamEvent::Fallback { .. })));
        Err((error, usage.unwrap_or_default()))
    }
}

/// True for events with content, and for the end of a response.
fn is_content(event: &StreamEvent) -> bool {
    match event {
        StreamEvent::MessageStart { .. }
        | StreamEvent::Fallback { .. }
        | StreamEvent::ContentBlockStop { .. }
        | StreamEvent::Metadata { .. }
        | StreamEvent::Guardrail { .. } => false,
        StreamEvent::ContentBlockStart { start, .. } => start.tool_use.is_some(),
        StreamEvent::ContentBlockDelta { delta, .. } => match delta {
            BlockDelta::Text(text) | BlockDelta::ReasoningContent(ReasoningDelta::Text(text)) => !text.is_empty(),
            _ => true,
        },
        StreamEvent::MessageStop { .. } | StreamEvent::RedactContent { .. } => true,
    }
}

/// A response that has begun. If it breaks off, the next request starts with another model.
struct FallbackStream {
    buffered: VecDeque<StreamEvent>,
    events: ModelStream,
    candidate: Arc<Candidate>,
    fallback: Fallback,
    /// True once the stop event has arrived.
    has_stop_reason: bool,
    ended: bool,
}

impl FallbackStream {
    fn broken(&mut self, mut error: ModelError) -> ModelError {
        self.ended = true;
        let now = Instant::now();
        if self.fallback.record_failure(&self.candidate, &error)
            && self.fallback.candidates().any(|other| other.unavailable_until(now).is_none())
        {
            // Another model is available, so there is no reason to wait for this one.
            error.set_retry_at_once();
        }
        error
    }
}

impl Stream for FallbackStream {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let event = match this.buffered.pop_front() {
            Some(event) => Some(Ok(event)),
            None => ready!(this.events.as_mut().poll_next(cx)),
        };
        Poll::Ready(match event {
            Some(Ok(event)) => {
                this.has_stop_reason |= matches!(event, StreamEvent::MessageStop { .. });
                Some(Ok(event))
            }
            Some(Err(error)) => Some(Err(this.broken(error))),
            None if this.has_stop_reason => {
                this.ended = true;
                None
            }
            None => Some(Err(this.broken(ModelError::transport("the stream ended before its stop event")))),
        })
    }
}
