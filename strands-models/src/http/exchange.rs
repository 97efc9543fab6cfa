//! One request and its answer, in the way that a model was told to ask.

use std::collections::VecDeque;

use futures_util::stream;
use strands_core::model::{ModelError, ModelStream, RefusalKind, StreamEvent};

use super::answer::{AnswerReader, answer_stream};
use super::connection::Endpoint;
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
        sort: impl FnOnce(&mut Refusal) -> RefusalKind,
        reader: impl FnOnce(usize) -> R,
    ) -> Result<ModelStream, ModelError> {
        let limit = self.max_response_bytes;
        let mut answer = self.endpoint.post(body, sort).await?;
        // Some servers answer in one piece whatever they are asked for.
        if self.streaming && !answer.is_document {
            return Ok(answer_stream(answer.body, reader(limit), limit));
        }
        let document = answer.body.read(limit).await?;
        let mut events = VecDeque::new();
        let read = reader(limit).whole(&document, &mut events).map_err(|error| answer.body.explain(error));
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

    /// Sends one request that is answered by one document, such as how many tokens it has.
    pub(crate) async fn ask_for_document(
        &self,
        body: Vec<u8>,
        sort: impl FnOnce(&mut Refusal) -> RefusalKind,
    ) -> Result<Vec<u8>, ModelError> {
        let mut answer = self.endpoint.post(body, sort).await?;
        answer.body.read(self.max_response_bytes).await
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
