//! The provider's side of the benchmarks, in memory: it takes a request's bytes and sends an answer line by line, or the
//! same answer as values that somebody has parsed already.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::script::Answers;

/// Answers of a model in any form, given in turn and then again from the first.
pub(crate) struct Playback<E: 'static> {
    answers: &'static [Vec<E>],
    next: AtomicUsize,
}

impl<E> Playback<E> {
    fn new(answers: Vec<Vec<E>>) -> Self {
        // A benchmark's script lives as long as the process; nothing is counted for sharing it.
        Self { answers: answers.leak(), next: AtomicUsize::new(0) }
    }

    pub(crate) fn next(&self) -> impl Stream<Item = &'static E> + Send + use<E>
    where
        E: Sync,
    {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.answers.len();
        stream::iter(&self.answers[at])
    }
}

/// The answers as values of whoever listens.
pub(crate) fn parsed<E: DeserializeOwned>(answers: Answers) -> Playback<E> {
    let parse = |event| serde_json::from_value(event).unwrap();
    Playback::new(answers.into_iter().map(|events| events.into_iter().map(parse).collect()).collect())
}

/// The answers as lines of JSON.
pub(crate) fn lines(answers: Answers) -> Playback<String> {
    let line = |event: Value| event.to_string();
    Playback::new(answers.into_iter().map(|events| events.into_iter().map(line).collect()).collect())
}
