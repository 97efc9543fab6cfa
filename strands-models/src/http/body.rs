//! The bytes of a response as they come.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use strands_core::models::ModelError;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::answer::ReadError;
use super::client::Patience;
use super::error::CallContext;
use super::form::Form;
use super::utf8::Utf8;

/// The body of a response. It is given up when nothing comes for too long.
pub(super) struct Body {
    body: reqwest::Body,
    context: CallContext,
    patience: Patience,
    silence: Option<Silence>,
    request_id: Option<String>,
    utf8: Utf8,
    /// Text that was looked at, and is still to be read.
    start: Option<Bytes>,
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
        Self { body, context, patience, silence, request_id, utf8: Utf8::default(), start: None }
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

    /// The form of the body, by its first letters. They are read again afterwards, without white space in front. A body
    /// that ends before its form is known has that of a stream that was cut.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the body breaks off.
    pub(super) async fn form(&mut self) -> Result<Form, ModelError> {
        let mut start = Bytes::new();
        let mut form = None;
        while form.is_none() {
            let Some(text) = poll_fn(|context| self.poll_text(context)).await.transpose()? else {
                break;
            };
            start =
                if start.is_empty() { text.slice_ref(text.trim_ascii_start()) } else { [start, text].concat().into() };
            form = Form::of(&start);
        }
        self.start = Some(start).filter(|start| !start.is_empty());
        Ok(form.unwrap_or(Form::Events))
    }

    /// The next text, or `None` at the end. It is UTF-8, and its pieces end between characters.
    pub(super) fn poll_text(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ModelError>>> {
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(start)));
        }
        loop {
            let (text, is_over) = match ready!(self.poll_bytes(context)) {
                Some(Ok(bytes)) => (self.utf8.push(bytes), false),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => (self.utf8.end(), true),
            };
            if !text.is_empty() {
                return Poll::Ready(Some(Ok(text)));
            }
            if is_over {
                return Poll::Ready(None);
            }
        }
    }

    /// The next bytes, or `None` at the end.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ModelError>>> {
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
    pub(super) async fn read(&mut self, limit: usize) -> Result<String, ModelError> {
        let mut whole = Vec::new();
        while let Some(text) = poll_fn(|context| self.poll_text(context)).await {
            let text = text?;
            if whole.len().saturating_add(text.len()) > limit {
                return Err(ModelError::ResponseTooLarge { limit: Some(limit), details: Box::default() });
            }
            whole.extend_from_slice(&text);
        }
        Ok(in_utf8(whole))
    }

    /// The first `limit` bytes, as far as they come within `time`.
    pub(super) async fn read_start(&mut self, limit: usize, time: Duration) -> String {
        let mut start = Vec::new();
        let reading = async {
            while start.len() < limit
                && let Some(Ok(text)) = poll_fn(|context| self.poll_text(context)).await
            {
                start.extend_from_slice(&text);
            }
        };
        // Whatever has come until then is the start.
        let _ = timeout(time, reading).await;
        start.truncate(limit);
        in_utf8(start)
    }
}

/// Text of which the end may have been cut.
fn in_utf8(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use strands_testkit::Drip;

    use super::*;
    use crate::http::connection::Hints;

    #[tokio::test(start_paused = true)]
    async fn an_error_that_drips_is_read_for_so_long_and_no_longer() {
        let context = CallContext {
            model_id: "m".to_owned(),
            url: "http://host/".to_owned(),
            hints: Hints::default(),
            secrets: Default::default(),
        };
        let drip = reqwest::Body::wrap(Drip::<Infallible>::new());
        let silence = Some(Duration::from_secs(5));
        let began = Instant::now();
        let mut body = Body::new(drip, context, Patience::default(), silence, None);
        assert_eq!(body.read_start(1024, Duration::from_millis(9_500)).await, "xxxxxxxxx");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
