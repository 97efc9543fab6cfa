//! Body of a response, read within the timeouts of the call.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use strands_core::models::ModelError;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::byte_order_mark::ByteOrderMark;
use super::client::Timeouts;
use super::error::CallContext;
use super::form::Form;
use super::response_stream::ReadError;

/// Body of a response.
pub(super) struct Body {
    body: reqwest::Body,
    context: Arc<CallContext>,
    timeouts: Timeouts,
    idle: Option<IdleTimer>,
    deadline: Option<DeadlineTimer>,
    request_id: Option<String>,
    mark: ByteOrderMark,
    /// Bytes that were read to determine the form, and are returned again.
    start: Option<Bytes>,
}

/// Timeouts while a body is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodyTimeouts {
    pub(super) timeouts: Timeouts,
    pub(super) idle: Option<Duration>,
    pub(super) deadline: Option<Deadline>,
}

/// End of a call by its total timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(super) at: Instant,
    /// The total timeout.
    pub(super) after: Duration,
}

impl Deadline {
    /// Returns the deadline of a call that begins now.
    pub(super) fn after(total: Option<Duration>) -> Option<Self> {
        let after = total?;
        Some(Self { at: Instant::now().checked_add(after)?, after })
    }
}

struct DeadlineTimer {
    deadline: Deadline,
    timer: Pin<Box<Sleep>>,
}

/// Idle timer. It is not reset with each chunk, but only when it has run out.
struct IdleTimer {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl IdleTimer {
    /// Called while there is no data. Ready after the idle timeout.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let Some(end) = since.checked_add(self.timeout) else {
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
        context: impl Into<Arc<CallContext>>,
        timeouts: BodyTimeouts,
        request_id: Option<String>,
    ) -> Self {
        let BodyTimeouts { timeouts, idle, deadline } = timeouts;
        let idle = idle.map(|timeout| IdleTimer { timeout, timer: None, since: None });
        let deadline = deadline.map(|deadline| DeadlineTimer { deadline, timer: Box::pin(sleep_until(deadline.at)) });
        let context = context.into();
        Self { body, context, timeouts, idle, deadline, request_id, mark: ByteOrderMark::default(), start: None }
    }

    pub(super) fn context(&self) -> &Arc<CallContext> {
        &self.context
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the error of the reader of this body, with the details of the call.
    pub(super) fn explain(&self, error: ReadError) -> ModelError {
        error.into_error(&self.context, self.request_id())
    }

    /// Returns the form of the body, by its first characters. They are read again afterwards, without leading white space. A
    /// body that ends before its form is known counts as a stream that was cut.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError`] if the body breaks off.
    pub(super) async fn form(&mut self) -> Result<Form, ModelError> {
        let mut start = Bytes::new();
        let mut form = None;
        while form.is_none() {
            let Some(bytes) = poll_fn(|context| self.poll_bytes(context)).await.transpose()? else {
                break;
            };
            start = if start.is_empty() {
                bytes.slice_ref(bytes.trim_ascii_start())
            } else {
                [start, bytes].concat().into()
            };
            form = Form::of(&start);
        }
        self.start = Some(start).filter(|start| !start.is_empty());
        Ok(form.unwrap_or(Form::Events))
    }

    /// Returns the next bytes, or `None` at the end, without a byte order mark at the start.
    pub(super) fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ModelError>>> {
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(start)));
        }
        loop {
            let (bytes, is_over) = match ready!(self.poll_data(context)) {
                Some(Ok(bytes)) => (self.mark.skip(bytes), false),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => (self.mark.end(), true),
            };
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if is_over {
                return Poll::Ready(None);
            }
        }
    }

    /// Returns the bytes of the next frame, or `None` at the end.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ModelError>>> {
        // First, since a server that sends all the time must not defer it.
        if let Some(DeadlineTimer { deadline, timer }) = &mut self.deadline
            && timer.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(self.context.total_timeout(deadline.after))));
        }
        loop {
            let frame = match (Pin::new(&mut self.body).poll_frame(context), &mut self.idle) {
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Pending, Some(idle)) => {
                    ready!(idle.poll(context));
                    return Poll::Ready(Some(Err(self.context.idle_timeout(idle.timeout))));
                }
                (Poll::Ready(frame), idle) => {
                    if let Some(idle) = idle {
                        idle.since = None;
                    }
                    frame
                }
            };
            match frame {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.context.failed(error, self.timeouts)))),
                // Trailers are not used.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }

    /// Reads the whole body, up to `limit` bytes.
    pub(super) async fn read(&mut self, limit: usize) -> Result<String, ModelError> {
        let mut whole = Vec::new();
        while let Some(bytes) = poll_fn(|context| self.poll_bytes(context)).await {
            let bytes = bytes?;
            if whole.len().saturating_add(bytes.len()) > limit {
                return Err(ModelError::ResponseTooLarge { limit: Some(limit), details: Box::default() });
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(in_utf8(whole))
    }

    /// Reads the first `limit` bytes, as far as they come within `time`.
    pub(super) async fn read_start(&mut self, limit: usize, time: Duration) -> String {
        let mut start = Vec::new();
        let reading = async {
            while start.len() < limit
                && let Some(Ok(bytes)) = poll_fn(|context| self.poll_bytes(context)).await
            {
                start.extend_from_slice(&bytes);
            }
        };
        // What has been read by then is the start.
        let _ = timeout(time, reading).await;
        start.truncate(limit);
        in_utf8(start)
    }
}

/// Converts bytes to text. Invalid bytes become U+FFFD: one bad character does not cost a response.
fn in_utf8(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use strands_testkit::Drip;

    use super::*;
    use crate::http::endpoint::Hints;

    fn context() -> CallContext {
        CallContext {
            model_id: "m".to_owned(),
            url: "http://host/".to_owned(),
            hints: Hints::default(),
            secrets: Default::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stops_at_the_total_timeout_while_bytes_keep_coming() {
        let began = Instant::now();
        let after = Duration::from_millis(3_500);
        let deadline = Deadline::after(Some(after));
        let timeouts = BodyTimeouts { idle: Some(Duration::from_secs(5)), deadline, ..BodyTimeouts::default() };
        let drip = reqwest::Body::wrap(Drip::<Infallible>::new());
        let error = Body::new(drip, context(), timeouts, None).read(1024).await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { after: Some(total), .. } if total == after), "{error}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[test]
    fn has_no_deadline_for_an_endless_timeout() {
        assert!(Deadline::after(None).is_none() && Deadline::after(Some(Duration::MAX)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn reads_the_start_of_a_slow_error_for_a_limited_time() {
        let context = context();
        let drip = reqwest::Body::wrap(Drip::<Infallible>::new());
        let timeouts = BodyTimeouts { idle: Some(Duration::from_secs(5)), ..BodyTimeouts::default() };
        let began = Instant::now();
        let mut body = Body::new(drip, context, timeouts, None);
        assert_eq!(body.read_start(1024, Duration::from_millis(9_500)).await, "xxxxxxxxx");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
