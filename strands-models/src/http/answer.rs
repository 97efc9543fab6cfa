//! A streamed answer: a provider's events in, ours out.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use sse_stream::Sse;
use strands_core::models::{ModelError, ModelErrorKind, ModelStream, StreamEvent};
use tokio::time::{Sleep, sleep};

use super::body::Body;
use super::error::CallContext;
use super::framing::{Events, Framing};
use super::refusal::Refusal;

/// How long the end of a response is waited for once the answer is whole. A connection whose response has ended can
/// carry the next request; one that is left before has to be made anew.
const LINGER: Duration = Duration::from_millis(100);

/// Makes our events of a provider's.
pub(crate) trait AnswerReader: Send + Unpin + 'static {
    /// Framing of streamed JSON: what begins with a bracket is one document, or one on each line.
    const FRAMING: Framing;

    /// Takes in one event of the provider's.
    fn read(&mut self, event: &Sse, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError>;

    /// The stream has ended.
    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError>;

    /// True once everything was said.
    fn is_complete(&self) -> bool;

    /// Takes in an answer that came in one piece.
    fn whole(self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError>;
}

/// Why an answer can't be read on.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The provider has broken off, and says why.
    Refused(Box<(Refusal, ModelErrorKind)>),
    Failed(ModelError),
}

impl From<ModelError> for ReadError {
    fn from(error: ModelError) -> Self {
        Self::Failed(error)
    }
}

impl From<(Refusal, ModelErrorKind)> for ReadError {
    fn from(refused: (Refusal, ModelErrorKind)) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl ReadError {
    pub(super) fn into_error(self, context: &CallContext, request_id: Option<&str>) -> ModelError {
        match self {
            Self::Failed(error) => error,
            Self::Refused(refused) => {
                let (mut refusal, kind) = *refused;
                refusal.request_id = refusal.request_id.or_else(|| request_id.map(str::to_owned));
                refusal.into_error(kind, context)
            }
        }
    }
}

/// The events of an answer that is streamed in this way.
pub(super) fn answer_stream<R: AnswerReader>(framing: Framing, body: Body, reader: R, limit: usize) -> ModelStream {
    Box::pin(AnswerStream {
        context: body.context().clone(),
        request_id: body.request_id().map(str::to_owned),
        events: Events::new(framing, body, limit),
        reader,
        out: VecDeque::new(),
        failed: None,
        ending: None,
        done: false,
    })
}

struct AnswerStream<R> {
    context: CallContext,
    request_id: Option<String>,
    events: Events,
    reader: R,
    out: VecDeque<StreamEvent>,
    /// The error behind the events that were read before it.
    failed: Option<ModelError>,
    /// The answer is whole, and only the end of the response is waited for.
    ending: Option<Pin<Box<Sleep>>>,
    done: bool,
}

impl<R: AnswerReader> AnswerStream<R> {
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
            let read = match ready!(self.events.poll_event(context)) {
                Some(Ok(event)) => self.reader.read(&event, &mut self.out),
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

    /// What comes after a whole answer is of no use, and its failure does no harm.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ending.as_mut().is_some_and(|linger| linger.as_mut().poll(context).is_ready()) {
            return Poll::Ready(());
        }
        while let Poll::Ready(event) = self.events.poll_event(context) {
            if !matches!(event, Some(Ok(_))) {
                return Poll::Ready(());
            }
        }
        // Mostly the end is there already, and no timer is needed.
        match &mut self.ending {
            Some(_) => Poll::Pending,
            None => self.ending.insert(Box::pin(sleep(LINGER))).as_mut().poll(context),
        }
    }
}

impl<R: AnswerReader> Stream for AnswerStream<R> {
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
