//! Responses without a network for the fuzz targets, read like those of a server.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use strands_core::models::{ModelError, ModelStream, StreamEvent};

use super::body::{Body, BodyTimeouts};
use super::endpoint::Hints;
use super::error::CallContext;
use super::exchange::read_whole;
use super::response_stream::{ResponseReader, response_stream};

/// Body of these chunks, always ready.
struct Chunks(VecDeque<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// Reads a streamed response.
pub(crate) fn stream<R: ResponseReader>(
    chunks: impl IntoIterator<Item = Bytes>,
    reader: R,
    limit: usize,
) -> ModelStream {
    let body = reqwest::Body::wrap(Chunks(chunks.into_iter().collect()));
    response_stream(R::FRAMING, Body::new(body, context(), BodyTimeouts::default(), None), reader, limit)
}

/// Reads a response that is one document.
pub(crate) fn document<R: ResponseReader>(document: &[u8], reader: R) -> (Vec<StreamEvent>, Option<ModelError>) {
    let mut events = VecDeque::new();
    match read_whole(&String::from_utf8_lossy(document), reader, &mut events) {
        Ok(()) => (events.into(), None),
        // The events of a document that could not be read are dropped.
        Err(error) => (Vec::new(), Some(error.into_error(&context(), None))),
    }
}

fn context() -> CallContext {
    CallContext {
        model_id: "model".to_owned(),
        url: "http://host/".to_owned(),
        hints: Hints::default(),
        secrets: super::sent_secrets::SentSecrets::default(),
    }
}
