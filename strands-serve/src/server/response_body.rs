//! Body of a response: its end is the end of the request, and it is released if the client does not read it.
//!
//! On HTTP/1.1 the write timeout of the socket ends a connection whose client does not read. On HTTP/2 such a client can stop one
//! stream and keep the connection busy; its body, with everything that it holds, would stay in memory for as long.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::activity::InFlight;

/// A body that is being sent.
#[derive(Debug)]
pub(super) struct Sending {
    /// `None` after it was released.
    body: Option<Body>,
    /// Time since which it has not been asked for its next part. `None` while it has none.
    offered_at: Option<Instant>,
}

impl Sending {
    pub(super) fn new(body: Body) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { body: Some(body), offered_at: Some(Instant::now()) }))
    }
}

/// Drops a body whose client has not read for longer than a time.
pub(super) fn release_if_stalled(sending: &Mutex<Sending>, now: Instant, timeout: Duration) {
    // Otherwise, it is being read.
    let Ok(mut sending) = sending.try_lock() else { return };
    let is_stalled = sending.offered_at.is_some_and(|at| now.saturating_duration_since(at) >= timeout);
    let released = if is_stalled { sending.body.take() } else { None };
    drop(sending);
    drop(released);
}

/// Body of a response, at whose end the request ends.
#[derive(Debug)]
pub(super) struct TrackedBody {
    sending: Arc<Mutex<Sending>>,
    _in_flight: InFlight,
}

impl TrackedBody {
    pub(super) fn new(body: Body, in_flight: InFlight) -> Self {
        let sending = Sending::new(body);
        in_flight.sends(&sending);
        Self { sending, _in_flight: in_flight }
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut sending = self.sending();
        let Some(body) = &mut sending.body else {
            let error = io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        sending.offered_at = polled.is_ready().then(Instant::now);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.sending().body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.sending().body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
