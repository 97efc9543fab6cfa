//! Reservation of one call's capacity. It lasts as long as the response, and is corrected by the reported usage.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Limits;
use crate::models::{ModelError, ModelStream, StreamEvent};
use crate::usage::Usage;

/// Concurrency permit and estimated tokens of a call.
pub(super) struct Reservation {
    pub(super) _permit: Option<OwnedSemaphorePermit>,
    pub(super) limits: Arc<Limits>,
    pub(super) reserved: u64,
    pub(super) at: Instant,
    /// Tokens that count against the limit, as reported by the response.
    pub(super) cost: Option<u64>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(cost) = self.cost else { return };
        let mut windows = self.limits.windows();
        let Some(window) = &mut windows.tokens else { return };
        window.spend(cost.saturating_sub(self.reserved), Instant::now());
        window.refund(self.reserved.saturating_sub(cost), self.at);
    }
}

/// A response that holds the reservation of its call.
pub(super) struct RateLimitedStream {
    events: ModelStream,
    /// `None` once the response has ended.
    reservation: Option<Reservation>,
}

impl RateLimitedStream {
    pub(super) fn new(events: ModelStream, reservation: Reservation) -> Self {
        Self { events, reservation: Some(reservation) }
    }
}

impl Stream for RateLimitedStream {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let event = ready!(this.events.as_mut().poll_next(cx));
        match &event {
            Some(Ok(StreamEvent::Metadata { usage, .. })) => {
                if let Some(reservation) = &mut this.reservation {
                    reservation.cost = Some(charged(usage));
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => this.reservation = None,
        }
        Poll::Ready(event)
    }
}

/// Returns the tokens that providers count against a limit: cache reads are free if they are reported apart from the input.
fn charged(usage: &Usage) -> u64 {
    let written = usage.cache_write_input_tokens.unwrap_or(0);
    let sum_is_total = usage.input_tokens.saturating_add(usage.output_tokens) == usage.total_tokens;
    let input = if sum_is_total { usage.input_tokens } else { usage.input_tokens.saturating_add(written) };
    input.saturating_add(usage.output_tokens)
}
