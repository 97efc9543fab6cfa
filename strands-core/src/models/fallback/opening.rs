//! Up to the first content another model can still answer, so until then an answer is listened to and not shown.

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

/// How many events without content are held back. A model that sends more has begun to answer.
const HELD_AT_MOST: usize = 64;

impl Fallback {
    /// Asks a model and waits for its first content. `announced` comes first in its stream; where it fails, what was
    /// announced stays there, and the cost that it has told is returned with the error.
    pub(super) async fn open(
        &self,
        candidate: &Arc<Candidate>,
        request: ModelRequest<'_>,
        announced: &mut Vec<StreamEvent>,
    ) -> Result<ModelStream, (ModelError, Usage)> {
        let mut events = candidate.model.stream(request).await.map_err(|error| (error, Usage::default()))?;
        let mut held = VecDeque::new();
        let error = loop {
            match events.next().await {
                Some(Ok(event)) => {
                    let begins = is_shown(&event) || held.len() == HELD_AT_MOST;
                    held.push_back(event);
                    if begins {
                        candidate.works();
                        let held = announced.drain(..).chain(held).collect();
                        let (candidate, fallback) = (Arc::clone(candidate), self.clone());
                        return Ok(Box::pin(Answer {
                            held,
                            events,
                            candidate,
                            fallback,
                            said_why: false,
                            over: false,
                        }));
                    }
                }
                Some(Err(error)) => break error,
                None => break ModelError::transport("the stream ended before its first content"),
            }
        };
        // A model that is made of several announces, too.
        let told = held.iter().rev().find_map(|event| match event {
            StreamEvent::Metadata { usage, .. } => Some(*usage),
            _ => None,
        });
        announced.extend(held.into_iter().filter(|event| matches!(event, StreamEvent::Fallback { .. })));
        Err((error, told.unwrap_or_default()))
    }
}

/// True for what a listener is shown, and for the end of an answer.
fn is_shown(event: &StreamEvent) -> bool {
    match event {
        StreamEvent::MessageStart { .. }
        | StreamEvent::Fallback { .. }
        | StreamEvent::ContentBlockStop { .. }
        | StreamEvent::Metadata { .. } => false,
        StreamEvent::ContentBlockStart { start, .. } => start.tool_use.is_some(),
        StreamEvent::ContentBlockDelta { delta, .. } => match delta {
            BlockDelta::Text(text) | BlockDelta::ReasoningContent(ReasoningDelta::Text(text)) => !text.is_empty(),
            _ => true,
        },
        StreamEvent::MessageStop { .. } | StreamEvent::RedactContent { .. } => true,
    }
}

/// An answer that has begun. When it breaks, the next request begins with another model.
struct Answer {
    held: VecDeque<StreamEvent>,
    events: ModelStream,
    candidate: Arc<Candidate>,
    fallback: Fallback,
    /// True once the model has said why it stopped.
    said_why: bool,
    over: bool,
}

impl Answer {
    fn broken(&mut self, mut error: ModelError) -> ModelError {
        self.over = true;
        let now = Instant::now();
        if self.fallback.note(&self.candidate, &error)
            && self.fallback.candidates().any(|other| other.out_until(now).is_none())
        {
            // The wait is for a model that won't be asked.
            error.set_retry_at_once();
        }
        error
    }
}

impl Stream for Answer {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let event = match this.held.pop_front() {
            Some(event) => Some(Ok(event)),
            None => ready!(this.events.as_mut().poll_next(cx)),
        };
        Poll::Ready(match event {
            Some(Ok(event)) => {
                this.said_why |= matches!(event, StreamEvent::MessageStop { .. });
                Some(Ok(event))
            }
            Some(Err(error)) => Some(Err(this.broken(error))),
            None if this.said_why => {
                this.over = true;
                None
            }
            None => Some(Err(this.broken(ModelError::transport("the stream ended before its stop event")))),
        })
    }
}
