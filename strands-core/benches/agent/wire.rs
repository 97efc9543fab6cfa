//! In-memory provider of the benchmarks: it takes the bytes of a request and sends a response line by line, or the same
//! response as values that are already parsed.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::script::Responses;

/// Responses of a model, replayed in order and then again from the first.
pub(crate) struct Playback<E: 'static> {
    responses: &'static [Vec<E>],
    next: AtomicUsize,
}

impl<E> Playback<E> {
    fn new(responses: Vec<Vec<E>>) -> Self {
        // The script lives as long as the process, so that sharing it costs no reference counting.
        Self { responses: responses.leak(), next: AtomicUsize::new(0) }
    }

    pub(crate) fn next(&self) -> impl Stream<Item = &'static E> + Send + use<E>
    where
        E: Sync,
    {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.responses.len();
        stream::iter(&self.responses[at])
    }
}

/// The responses as parsed events.
pub(crate) fn parsed<E: DeserializeOwned>(responses: Responses) -> Playback<E> {
    let parse = |event| serde_json::from_value(event).unwrap();
    Playback::new(responses.into_iter().map(|events| events.into_iter().map(parse).collect()).collect())
}

/// The responses as lines of JSON.
pub(crate) fn lines(responses: Responses) -> Playback<String> {
    let line = |event: Value| event.to_string();
    Playback::new(responses.into_iter().map(|events| events.into_iter().map(line).collect()).collect())
}
