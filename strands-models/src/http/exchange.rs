//! One request and its answer, in the way that a model was told to ask.

use std::collections::VecDeque;

use futures_util::stream;
use sse_stream::Sse;
use strands_core::lenient_json::replace_lone_surrogates;
use strands_core::models::{ModelError, ModelErrorKind, ModelStream, StreamEvent};

use super::answer::{AnswerReader, ReadError, answer_stream};
use super::body::Body;
use super::connection::{Answer, Endpoint};
use super::documents::documents;
use super::form::Form;
use super::framing::Framing;
use super::refusal::Refusal;

/// Where requests go, and how their answers come.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) endpoint: Endpoint,
    pub(crate) streaming: bool,
    pub(crate) max_response_bytes: usize,
}

impl Exchange {
    /// Sends one request. `sort` says what a refusal means; `reader` makes events of the answer, of which it takes no
    /// more bytes of content than it is told.
    pub(crate) async fn ask<R: AnswerReader>(
        &self,
        body: Vec<u8>,
        sort: impl FnOnce(&mut Refusal) -> ModelErrorKind,
        reader: impl FnOnce(usize) -> R,
    ) -> Result<ModelStream, ModelError> {
        let limit = self.max_response_bytes;
        let Answer { mut body, is_document } = self.endpoint.post(body, sort).await?;
        // Servers do not always answer in the form that they are asked for, or call it by its name.
        match self.form(&mut body).await? {
            Form::Events => Ok(answer_stream(Framing::ServerSentEvents, body, reader(limit), limit)),
            // One line alone may be a document, or the beginning of a stream that was cut.
            _ if self.streaming && R::FRAMING == Framing::JsonLines && !is_document => {
                Ok(answer_stream(Framing::JsonLines, body, reader(limit), limit))
            }
            _ => {
                let document = body.read(limit).await?;
                let mut events = VecDeque::new();
                let read = read_whole(&document, reader(limit), &mut events).map_err(|error| body.explain(error));
                let is_told = |event: &StreamEvent| matches!(event, StreamEvent::Metadata { .. });
                match read {
                    // The cost of a response that failed comes before its error.
                    Err(error) if events.iter().any(is_told) => {
                        Ok(Box::pin(stream::iter(events.into_iter().map(Ok).chain([Err(error)]))))
                    }
                    Err(error) => Err(error),
                    Ok(()) => Ok(Box::pin(stream::iter(events.into_iter().map(Ok)))),
                }
            }
        }
    }

    /// Sends one request that is answered by one document, such as how many tokens it has.
    pub(crate) async fn ask_for_document(
        &self,
        body: Vec<u8>,
        sort: impl FnOnce(&mut Refusal) -> ModelErrorKind,
    ) -> Result<String, ModelError> {
        let mut body = self.endpoint.post(body, sort).await?.body;
        self.form(&mut body).await?;
        body.read(self.max_response_bytes).await
    }

    /// The form of a response, if it may be one of the provider's.
    async fn form(&self, body: &mut Body) -> Result<Form, ModelError> {
        let form = body.form().await?;
        match form.fault() {
            Some(fault) => Err(self.endpoint.foreign(fault, body).await),
            None => Ok(form),
        }
    }

    /// What `Debug` shows of a model.
    pub(crate) fn describe(&self, mut shown: std::fmt::DebugStruct<'_, '_>) -> std::fmt::Result {
        shown
            .field("model_id", &self.endpoint.model_id())
            .field("host", &self.endpoint.host())
            .field("streaming", &self.streaming)
            .finish_non_exhaustive()
    }
}

/// Reads an answer that came as a whole, or in documents that are the pieces of one.
pub(super) fn read_whole<R: AnswerReader>(
    body: &str,
    mut reader: R,
    events: &mut VecDeque<StreamEvent>,
) -> Result<(), ReadError> {
    let body = replace_lone_surrogates(body);
    let found = documents(&body);
    match found.as_deref() {
        Some([document]) => reader.whole(document.as_bytes(), events),
        Some(pieces) if !pieces.is_empty() => {
            for piece in pieces {
                if !reader.is_complete() {
                    reader.read(&Sse::default().data(*piece), events)?;
                }
            }
            if reader.is_complete() { Ok(()) } else { reader.end(events) }
        }
        // The reader says what is wrong with it.
        _ => reader.whole(body.as_bytes(), events),
    }
}
