//! One request and its response, streamed or as a document.

use std::collections::VecDeque;

use futures_util::stream;
use strands_core::lenient_json::replace_lone_surrogates;
use strands_core::models::{ModelError, ModelErrorKind, ModelStream, StreamEvent};

use super::body::{Body, Deadline};
use super::documents::documents;
use super::endpoint::{Endpoint, SuccessResponse};
use super::error_response::ErrorResponse;
use super::event::Event;
use super::form::Form;
use super::framing::Framing;
use super::response_stream::{ReadError, ResponseReader, response_stream};

/// Endpoint of a model, and the form of its responses.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) endpoint: Endpoint,
    pub(crate) streaming: bool,
    pub(crate) max_response_bytes: usize,
}

impl Exchange {
    /// Sends one request. `classify` returns the kind of an error response; `reader` makes a reader of the response from the
    /// maximum size of its content in bytes.
    pub(crate) async fn ask<R: ResponseReader>(
        &self,
        body: Vec<u8>,
        classify: impl FnOnce(&mut ErrorResponse) -> ModelErrorKind,
        reader: impl FnOnce(usize) -> R,
    ) -> Result<ModelStream, ModelError> {
        self.ask_until(self.endpoint.deadline(), body, classify, reader).await
    }

    /// Sends one request of a call that consists of several, until the deadline of the call.
    pub(crate) async fn ask_until<R: ResponseReader>(
        &self,
        deadline: Option<Deadline>,
        body: Vec<u8>,
        classify: impl FnOnce(&mut ErrorResponse) -> ModelErrorKind,
        reader: impl FnOnce(usize) -> R,
    ) -> Result<ModelStream, ModelError> {
        let limit = self.max_response_bytes;
        let SuccessResponse { mut body, is_document } = self.endpoint.post(body, deadline, classify).await?;
        // Servers do not always respond in the requested form, or with the right content type.
        match self.form(&mut body).await? {
            Form::Events => Ok(response_stream(Framing::ServerSentEvents, body, reader(limit), limit)),
            // A single line may be a document, or the start of a stream that was cut.
            _ if self.streaming && R::FRAMING == Framing::JsonLines && !is_document => {
                Ok(response_stream(Framing::JsonLines, body, reader(limit), limit))
            }
            _ => {
                let document = body.read(limit).await?;
                let mut events = VecDeque::new();
                let read = read_whole(&document, reader(limit), &mut events).map_err(|error| body.explain(error));
                let is_usage = |event: &StreamEvent| matches!(event, StreamEvent::Metadata { .. });
                match read {
                    // The usage of a failed response comes before its error.
                    Err(error) if events.iter().any(is_usage) => {
                        Ok(Box::pin(stream::iter(events.into_iter().map(Ok).chain([Err(error)]))))
                    }
                    Err(error) => Err(error),
                    Ok(()) => Ok(Box::pin(stream::iter(events.into_iter().map(Ok)))),
                }
            }
        }
    }

    /// Sends one request whose response is one document, such as a token count.
    pub(crate) async fn ask_for_document(
        &self,
        body: Vec<u8>,
        classify: impl FnOnce(&mut ErrorResponse) -> ModelErrorKind,
    ) -> Result<String, ModelError> {
        let mut body = self.endpoint.post(body, self.endpoint.deadline(), classify).await?.body;
        self.form(&mut body).await?;
        body.read(self.max_response_bytes).await
    }

    /// Returns the form of a response that may be the provider's.
    async fn form(&self, body: &mut Body) -> Result<Form, ModelError> {
        let form = body.form().await?;
        match form.fault() {
            Some(fault) => Err(self.endpoint.foreign(fault, body).await),
            None => Ok(form),
        }
    }

    /// Writes the fields of a model for `Debug`.
    pub(crate) fn describe(&self, mut shown: std::fmt::DebugStruct<'_, '_>) -> std::fmt::Result {
        shown
            .field("model_id", &self.endpoint.model_id())
            .field("host", &self.endpoint.host())
            .field("streaming", &self.streaming)
            .finish_non_exhaustive()
    }
}

/// Reads a response of one document, or of several that are the chunks of a stream.
pub(super) fn read_whole<R: ResponseReader>(
    body: &str,
    mut reader: R,
    events: &mut VecDeque<StreamEvent>,
) -> Result<(), ReadError> {
    let body = replace_lone_surrogates(body);
    let found = documents(&body);
    match found.as_deref() {
        Some([document]) => reader.whole(document.as_bytes(), events),
        Some(chunks) if !chunks.is_empty() => {
            for chunk in chunks {
                if !reader.is_complete() {
                    reader.read(Event::of(chunk), events)?;
                }
            }
            if reader.is_complete() { Ok(()) } else { reader.end(events) }
        }
        // The reader returns the error.
        _ => reader.whole(body.as_bytes(), events),
    }
}
