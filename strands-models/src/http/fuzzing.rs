//! Answers without a network, for the fuzz targets: the bytes go the way that those of a server go.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use strands_core::models::{ModelError, ModelStream, StreamEvent};

use super::answer::{AnswerReader, answer_stream};
use super::body::Body;
use super::client::Patience;
use super::connection::Hints;
use super::error::CallContext;
use super::exchange::read_whole;

/// A body that comes in these pieces, and never lets anybody wait.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// An answer that is streamed.
pub(crate) fn stream<R: AnswerReader>(pieces: impl IntoIterator<Item = Bytes>, reader: R, limit: usize) -> ModelStream {
    let body = reqwest::Body::wrap(Pieces(pieces.into_iter().collect()));
    answer_stream(R::FRAMING, Body::new(body, context(), Patience::default(), None, None), reader, limit)
}

/// An answer that comes in one piece.
pub(crate) fn document<R: AnswerReader>(document: &[u8], reader: R) -> (Vec<StreamEvent>, Option<ModelError>) {
    let mut events = VecDeque::new();
    match read_whole(&String::from_utf8_lossy(document), reader, &mut events) {
        Ok(()) => (events.into(), None),
        // Nobody sees the events of a document that could not be read.
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
