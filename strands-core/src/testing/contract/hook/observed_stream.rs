//! An observed response stream: its events are checked as the loop reads them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::time::Instant;

use super::super::model::EventOrder;
use super::super::violation::{ContractViolation, Promise, ensure};
use super::observations::Observations;
use crate::models::{ModelError, ModelStream, StreamEvent};

/// The stream that a hook returned.
pub(super) struct ObservedStream {
    stream: ModelStream,
    order: EventOrder,
    has_failed: bool,
    observations: Arc<Observations>,
}

impl ObservedStream {
    pub(super) fn new(stream: ModelStream, observations: &Arc<Observations>) -> Self {
        Self { stream, order: EventOrder::default(), has_failed: false, observations: Arc::clone(observations) }
    }

    fn check(&mut self, item: Option<&Result<StreamEvent, ModelError>>) -> Result<(), ContractViolation> {
        let promise = Promise::HookResponseStream;
        match item {
            Some(Ok(event)) => {
                let wrong = |expected: &str| ContractViolation::new(promise, expected, format!("{event:?}"));
                self.order.push(event).map_err(wrong)
            }
            Some(Err(_)) => {
                self.has_failed = true;
                Ok(())
            }
            None => {
                let is_ended = self.has_failed || self.order.is_complete();
                ensure(is_ended, promise, "a stop event or an error", || "the end of the stream".to_owned())
            }
        }
    }
}

impl Stream for ObservedStream {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let began = Instant::now();
        let polled = this.stream.as_mut().poll_next(cx);
        this.observations.record_poll(began.elapsed());
        let item = ready!(polled);
        let checked = this.check(item.as_ref());
        this.observations.note(checked);
        Poll::Ready(item)
    }
}
