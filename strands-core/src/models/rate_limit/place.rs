//! A call's place: held until its answer is over, and then the call has cost what it cost.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Limits;
use crate::models::{ModelError, ModelStream, StreamEvent};
use crate::usage::Usage;

/// A call's place among the concurrent ones, and what it was taken to cost.
pub(super) struct Place {
    pub(super) _permit: Option<OwnedSemaphorePermit>,
    pub(super) limits: Arc<Limits>,
    pub(super) booked: u64,
    pub(super) at: Instant,
    /// What it has cost, once the answer says so.
    pub(super) cost: Option<u64>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(cost) = self.cost else { return };
        let mut windows = self.limits.windows();
        let Some(window) = &mut windows.tokens else { return };
        window.spend(cost.saturating_sub(self.booked), Instant::now());
        window.give_back(self.booked.saturating_sub(cost), self.at);
    }
}

/// An answer whose call keeps its place.
pub(super) struct Held {
    events: ModelStream,
    /// None once the answer is over.
    place: Option<Place>,
}

impl Held {
    pub(super) fn new(events: ModelStream, place: Place) -> Self {
        Self { events, place: Some(place) }
    }
}

impl Stream for Held {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let event = ready!(this.events.as_mut().poll_next(cx));
        match &event {
            Some(Ok(StreamEvent::Metadata { usage, .. })) => {
                if let Some(place) = &mut this.place {
                    place.cost = Some(charged(usage));
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => this.place = None,
        }
        Poll::Ready(event)
    }
}

/// What providers count against a limit: what a cache gave is free where they report it apart from the input.
fn charged(usage: &Usage) -> u64 {
    let written = usage.cache_write_input_tokens.unwrap_or(0);
    let sum_is_total = usage.input_tokens.saturating_add(usage.output_tokens) == usage.total_tokens;
    let input = if sum_is_total { usage.input_tokens } else { usage.input_tokens.saturating_add(written) };
    input.saturating_add(usage.output_tokens)
}
