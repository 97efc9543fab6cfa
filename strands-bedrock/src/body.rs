//! Streaming body of a response, with an idle timeout.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::Body as _;
use strands_core::models::{ErrorDetails, ModelError};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

/// Maximum time for reading an error body.
const ERROR_TIME: Duration = Duration::from_secs(10);

/// Body of a response.
pub(crate) struct ResponseBody {
    body: SdkBody,
    idle: Duration,
    /// Timer of the current wait, or of an earlier one: it is reset when it fires, not for each wait.
    idle_timer: Pin<Box<Sleep>>,
    /// Begin of the current wait for bytes.
    waiting: Option<Instant>,
    deadline: Option<(Deadline, Pin<Box<Sleep>>)>,
}

/// End of a call by its total timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// The total timeout.
    pub(crate) after: Duration,
}

impl Deadline {
    /// Returns the deadline of a call that begins now.
    pub(crate) fn after(total: Option<Duration>) -> Option<Self> {
        let after = total?;
        Some(Self { at: Instant::now().checked_add(after)?, after })
    }
}

impl ResponseBody {
    pub(crate) fn new(body: SdkBody, idle: Duration, deadline: Option<Deadline>) -> Self {
        let deadline = deadline.map(|deadline| (deadline, Box::pin(sleep_until(deadline.at))));
        Self { body, idle, idle_timer: Box::pin(sleep(idle)), waiting: None, deadline }
    }

    /// Polls for the next bytes. Returns `None` at the end.
    pub(crate) fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ModelError>>> {
        // Polled first, so that a server that sends without pause can't defer it.
        if let Some((deadline, timer)) = &mut self.deadline
            && timer.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(ModelError::Timeout {
                after: Some(deadline.after),
                details: ErrorDetails::new().boxed(),
            })));
        }
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    self.waiting = None;
                    return Poll::Ready(match frame {
                        None => None,
                        Some(Err(error)) => Some(Err(ModelError::transport(error))),
                        Some(Ok(frame)) => match frame.into_data() {
                            Ok(bytes) => Some(Ok(bytes)),
                            // Trailers are not needed.
                            Err(_) => continue,
                        },
                    });
                }
                Poll::Pending => {
                    ready!(self.poll_idle(context));
                    return Poll::Ready(Some(Err(ModelError::Timeout {
                        after: Some(self.idle),
                        details: ErrorDetails::new().boxed(),
                    })));
                }
            }
        }
    }

    /// Polls for the end of the idle timeout of the current wait.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let waiting = *self.waiting.get_or_insert_with(Instant::now);
        loop {
            ready!(self.idle_timer.as_mut().poll(context));
            match waiting.checked_add(self.idle) {
                Some(end) if self.idle_timer.deadline() < end => self.idle_timer.as_mut().reset(end),
                Some(_) => return Poll::Ready(()),
                None => return Poll::Pending,
            }
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::ResponseTooLarge`] if it is longer than `limit` bytes, or the error of the connection.
    pub(crate) async fn read(mut self, limit: usize) -> Result<Vec<u8>, ModelError> {
        let mut whole = Vec::new();
        while let Some(bytes) = std::future::poll_fn(|context| self.poll_bytes(context)).await {
            let bytes = bytes?;
            if whole.len().saturating_add(bytes.len()) > limit {
                return Err(ModelError::ResponseTooLarge { limit: Some(limit), details: Box::default() });
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// Reads up to `limit` bytes of an error body, as far as they arrive in time. The status tells the kind of error without
    /// them.
    pub(crate) async fn read_error(mut self, limit: usize) -> Vec<u8> {
        let mut start = Vec::new();
        let time = self.idle.min(ERROR_TIME);
        let reading = async {
            while start.len() < limit
                && let Some(Ok(bytes)) = std::future::poll_fn(|context| self.poll_bytes(context)).await
            {
                start.extend_from_slice(&bytes);
            }
        };
        // After the timeout, the bytes that were read so far are used.
        let _ = timeout(time, reading).await;
        start.truncate(limit);
        start
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use strands_testkit::Drip;

    use super::*;

    /// A body that sends one byte a second, `left` times, and then nothing.
    struct Stalling {
        drip: Drip<Infallible>,
        left: usize,
    }

    impl http_body::Body for Stalling {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Pending;
            }
            let frame = ready!(Pin::new(&mut self.drip).poll_frame(context));
            self.left -= 1;
            Poll::Ready(frame)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stops_at_the_total_timeout_while_bytes_keep_coming() {
        let began = Instant::now();
        let after = Duration::from_millis(3_500);
        let drip = SdkBody::from_body_1_x(Drip::<Infallible>::new());
        let body = ResponseBody::new(drip, Duration::from_secs(120), Deadline::after(Some(after)));
        let error = body.read(1024).await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { after: Some(total), .. } if total == after), "{error}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_timeout_begins_anew_with_each_wait() {
        let began = Instant::now();
        let idle = Duration::from_millis(1_500);
        let body = SdkBody::from_body_1_x(Stalling { drip: Drip::new(), left: 3 });
        let error = ResponseBody::new(body, idle, None).read(1024).await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { after: Some(after), .. } if after == idle), "{error}");
        assert!((4_500..4_600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn reads_a_slow_error_for_ten_seconds() {
        let began = Instant::now();
        let drip = SdkBody::from_body_1_x(Drip::<Infallible>::new());
        let error = ResponseBody::new(drip, Duration::from_secs(120), None).read_error(1024).await;
        assert!(began.elapsed() <= ERROR_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
        assert!((9..=10).contains(&error.len()), "{error:?}");
    }
}
