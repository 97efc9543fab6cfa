//! The bytes of a response as they come.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use strands_core::model::ModelError;
use tokio::time::{Instant, Sleep, sleep_until};

use super::answer::ReadError;
use super::client::Patience;
use super::error::CallContext;

/// The body of a response. It is given up when nothing comes for too long.
pub(super) struct Body {
    body: reqwest::Body,
    context: CallContext,
    patience: Patience,
    silence: Option<Silence>,
    request_id: Option<String>,
}

/// How long nothing may come. Where pieces follow each other closely the timer is left as it is, and set anew only when
/// it has run out.
struct Silence {
    most: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl Silence {
    /// Nothing has come. Ready when that has been so for too long.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let Some(end) = since.checked_add(self.most) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

impl Body {
    pub(super) fn new(
        body: reqwest::Body,
        context: CallContext,
        patience: Patience,
        silence: Option<Duration>,
        request_id: Option<String>,
    ) -> Self {
        let silence = silence.map(|most| Silence { most, timer: None, since: None });
        Self { body, context, patience, silence, request_id }
    }

    pub(super) fn context(&self) -> &CallContext {
        &self.context
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// A failure of what reads these bytes, as the caller gets it.
    pub(super) fn explain(&self, error: ReadError) -> ModelError {
        error.into_error(&self.context, self.request_id())
    }

    /// The next bytes, or `None` at the end.
    pub(super) fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ModelError>>> {
        loop {
            let frame = match (Pin::new(&mut self.body).poll_frame(context), &mut self.silence) {
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Pending, Some(silence)) => {
                    ready!(silence.poll(context));
                    return Poll::Ready(Some(Err(self.context.silent(silence.most))));
                }
                (Poll::Ready(frame), silence) => {
                    if let Some(silence) = silence {
                        silence.since = None;
                    }
                    frame
                }
            };
            match frame {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.context.failed(error, self.patience)))),
                // Trailers say nothing that we need.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }

    /// All of it, if it is no longer than `limit` bytes.
    pub(super) async fn read(&mut self, limit: usize) -> Result<Vec<u8>, ModelError> {
        let mut whole = Vec::new();
        while let Some(bytes) = poll_fn(|context| self.poll_bytes(context)).await {
            let bytes = bytes?;
            if whole.len().saturating_add(bytes.len()) > limit {
                return Err(ModelError::ResponseTooLarge { limit, details: Box::default() });
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// The first `limit` bytes as text, as far as they can be had.
    pub(super) async fn read_start(&mut self, limit: usize) -> String {
        let mut start = Vec::new();
        while start.len() < limit {
            match poll_fn(|context| self.poll_bytes(context)).await {
                Some(Ok(bytes)) => start.extend_from_slice(&bytes),
                Some(Err(_)) | None => break,
            }
        }
        start.truncate(limit);
        String::from_utf8_lossy(&start).into_owned()
    }
}
