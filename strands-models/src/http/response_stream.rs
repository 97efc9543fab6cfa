//! Streamed response: reads a provider's events and returns [`StreamEvent`]s.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use strands_core::models::{ModelError, ModelErrorKind, ModelStream, StreamEvent};
use tokio::time::{Sleep, sleep};

use super::body::Body;
use super::error::CallContext;
use super::error_response::ErrorResponse;
use super::event::Event;
use super::framing::{Events, Framing};

/// Maximum wait for the end of a response after its last event. Only a connection whose response has ended can be reused for
/// the next request.
const LINGER: Duration = Duration::from_millis(100);

/// Number of times that other tasks run first: the connection's task has usually read the end already, and a timer would wake the
/// runtime's driver for nothing.
const MAX_YIELDS: u8 = 3;

/// Reader of a provider's events.
pub(crate) trait ResponseReader: Send + Unpin + 'static {
    /// Framing of a stream that begins with a bracket: one document, or one on each line.
    const FRAMING: Framing;

    /// Reads one event of the provider.
    fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError>;

    /// Handles the end of the stream.
    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError>;

    /// Returns true after the last event of the response.
    fn is_complete(&self) -> bool;

    /// Reads a response that is one document.
    fn whole(self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError>;
}

/// An error while a response is read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// An error that the provider reports within the response.
    ErrorResponse(Box<(ErrorResponse, ModelErrorKind)>),
    Failed(ModelError),
}

impl From<ModelError> for ReadError {
    fn from(error: ModelError) -> Self {
        Self::Failed(error)
    }
}

impl From<(ErrorResponse, ModelErrorKind)> for ReadError {
    fn from(refused: (ErrorResponse, ModelErrorKind)) -> Self {
        Self::ErrorResponse(Box::new(refused))
    }
}

impl ReadError {
    pub(super) fn into_error(self, context: &CallContext, request_id: Option<&str>) -> ModelError {
        match self {
            Self::Failed(error) => error,
            Self::ErrorResponse(refused) => {
                let (mut error_response, kind) = *refused;
                error_response.request_id = error_response.request_id.or_else(|| request_id.map(str::to_owned));
                error_response.into_error(kind, context)
            }
        }
    }
}

/// Returns the events of a response that is streamed with this framing.
pub(super) fn response_stream<R: ResponseReader>(framing: Framing, body: Body, reader: R, limit: usize) -> ModelStream {
    Box::pin(ResponseStream {
        context: Arc::clone(body.context()),
        request_id: body.request_id().map(str::to_owned),
        events: Events::new(framing, body, limit),
        reader,
        // Most events of a provider are one event here.
        out: VecDeque::with_capacity(1),
        failed: None,
        ending: Ending::Yields(0),
        done: false,
    })
}

struct ResponseStream<R> {
    context: Arc<CallContext>,
    request_id: Option<String>,
    events: Events,
    reader: R,
    out: VecDeque<StreamEvent>,
    /// Error that follows the events in `out`.
    failed: Option<ModelError>,
    ending: Ending,
    done: bool,
}

/// Wait for the end of the response, after its last event.
enum Ending {
    /// Number of times that other tasks ran.
    Yields(u8),
    Timer(Pin<Box<Sleep>>),
}

impl<R: ResponseReader> ResponseStream<R> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<StreamEvent, ModelError>>> {
        loop {
            if let Some(event) = self.out.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if self.done {
                return Poll::Ready(None);
            }
            if self.reader.is_complete() {
                return self.poll_end(context).map(|()| None);
            }
            let read = match ready!(self.events.poll_next(context)) {
                Some(Ok(())) => self.reader.read(self.events.event(), &mut self.out),
                Some(Err(error)) => Err(error.into()),
                None => {
                    self.done = true;
                    self.reader.end(&mut self.out)
                }
            };
            if let Err(error) = read {
                self.failed = Some(error.into_error(&self.context, self.request_id.as_deref()));
            }
        }
    }

    /// Reads to the end of the response. Data and errors after the last event are ignored.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(event) = self.events.poll_next(context) {
            let is_over = match &mut self.ending {
                // A server that sends all the time must not defer it.
                Ending::Timer(timer) => timer.as_mut().poll(context).is_ready(),
                Ending::Yields(_) => false,
            };
            if is_over || !matches!(event, Some(Ok(()))) {
                return Poll::Ready(());
            }
        }
        if let Ending::Yields(yields) = &mut self.ending {
            if *yields < MAX_YIELDS {
                *yields += 1;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.ending = Ending::Timer(Box::pin(sleep(LINGER)));
        }
        match &mut self.ending {
            Ending::Timer(timer) => timer.as_mut().poll(context),
            Ending::Yields(_) => Poll::Pending,
        }
    }
}

impl<R: ResponseReader> Stream for ResponseStream<R> {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.poll(context));
        // Nothing follows an error or the end.
        if !matches!(item, Some(Ok(_))) {
            self.done = true;
            self.out.clear();
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::StreamExt as _;
    use http_body::Frame;
    use tokio::runtime::Builder;

    use super::super::body::BodyTimeouts;
    use super::super::endpoint::Hints;
    use super::super::sent_secrets::SentSecrets;
    use super::*;

    /// A reader for which any event is the last one.
    struct OneEvent(bool);

    impl ResponseReader for OneEvent {
        const FRAMING: Framing = Framing::ServerSentEvents;

        fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
            out.push_back(StreamEvent::text(0, event.data));
            self.0 = true;
            Ok(())
        }

        fn end(&mut self, _: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
            Ok(())
        }

        fn is_complete(&self) -> bool {
            self.0
        }

        fn whole(self, _: &[u8], _: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
            Ok(())
        }
    }

    /// A body with one event, whose end is known after this number of polls; `None` for a connection that stays open.
    struct LateEnd(Option<Bytes>, Option<u8>);

    impl http_body::Body for LateEnd {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if let Some(event) = self.0.take() {
                return Poll::Ready(Some(Ok(Frame::data(event))));
            }
            match &mut self.1 {
                Some(0) => Poll::Ready(None),
                Some(polls) => {
                    *polls -= 1;
                    Poll::Pending
                }
                None => Poll::Pending,
            }
        }
    }

    fn stream(end: Option<u8>) -> ModelStream {
        let event = Bytes::from_static(b"data: fine.\n\n");
        let context = CallContext {
            model_id: "m".to_owned(),
            url: "http://host/".to_owned(),
            hints: Hints::default(),
            secrets: SentSecrets::default(),
        };
        let body = reqwest::Body::wrap(LateEnd(Some(event), end));
        let body = Body::new(body, context, BodyTimeouts::default(), None);
        response_stream(OneEvent::FRAMING, body, OneEvent(false), 64)
    }

    #[test]
    fn an_end_that_is_there_needs_no_timer() {
        // A timer would panic in this runtime, which has none.
        let runtime = Builder::new_current_thread().build().unwrap();
        for polls in 0..=2 {
            let events: Vec<_> = runtime.block_on(stream(Some(polls)).collect());
            assert!(matches!(&*events, [Ok(event)] if *event == StreamEvent::text(0, "fine.")), "{polls}: {events:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_end_for_a_limited_time() {
        let begins = tokio::time::Instant::now();
        assert_eq!(stream(None).count().await, 1);
        assert_eq!(begins.elapsed(), LINGER);
    }
}
