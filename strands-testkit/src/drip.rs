//! Endless response body that sends a byte at a fixed interval.

use std::future::Future as _;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

const PERIOD: Duration = Duration::from_secs(1);

/// An HTTP response body that yields one letter each second, without an end. Tests that read it pause tokio's clock.
pub struct Drip<E>(Pin<Box<Sleep>>, PhantomData<fn() -> E>);

impl<E> Drip<E> {
    /// Creates a body whose first letter comes after one second.
    #[allow(clippy::new_without_default, reason = "it needs a runtime")]
    pub fn new() -> Self {
        Self(Box::pin(sleep(PERIOD)), PhantomData)
    }
}

impl<E> std::fmt::Debug for Drip<E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Drip")
    }
}

impl<E> Body for Drip<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        ready!(self.0.as_mut().poll(context));
        self.0.as_mut().reset(Instant::now() + PERIOD);
        Poll::Ready(Some(Ok(Frame::data("x".into()))))
    }
}
