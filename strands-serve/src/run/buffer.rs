//! Buffer of the newest events of a run.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::RunEvent;

/// Memory of an event besides its JSON, counted for each.
const OVERHEAD: usize = 128;

/// The newest events of a run, up to a size, and those that readers have not read yet. The newest event is always retained.
pub(super) struct Buffer {
    events: VecDeque<Arc<RunEvent>>,
    bytes: usize,
    max_bytes: usize,
    /// Number of the first event of the run.
    first: u64,
    next: u64,
}

/// Events after a position.
pub(super) enum Events {
    /// The events, up to a size.
    These(Vec<Arc<RunEvent>>),
    /// Events after the position are no longer retained.
    Gone,
}

impl Buffer {
    pub(super) fn new(first: u64, max_bytes: usize) -> Self {
        Self { events: VecDeque::new(), bytes: 0, max_bytes, first, next: first }
    }

    /// Appends an event, and returns its size. Events from the number `unread` on are retained.
    pub(super) fn push(&mut self, event: RunEvent, unread: u64) -> usize {
        let size = size_of(&event.json);
        self.events.push_back(Arc::new(event));
        self.next += 1;
        self.bytes += size;
        while self.bytes > self.max_bytes && self.events.len() > 1 && self.oldest() < unread {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= size_of(&oldest.json);
            }
        }
        size
    }

    /// Returns the number of the oldest event that is retained.
    pub(super) fn oldest(&self) -> u64 {
        self.next - self.events.len() as u64
    }

    /// Returns the number of the first event of the run.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn newest(&self) -> Option<Arc<RunEvent>> {
        self.events.back().map(Arc::clone)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the events from a number on, until they exceed a size.
    pub(super) fn from(&self, number: u64, max_bytes: usize) -> Events {
        let Some(skipped) = number.checked_sub(self.oldest()) else { return Events::Gone };
        let mut bytes = 0;
        let start = usize::try_from(skipped).unwrap_or(usize::MAX);
        let events = self.events.iter().skip(start).take_while(|event| {
            let fits = bytes <= max_bytes;
            bytes += size_of(&event.json);
            fits
        });
        Events::These(events.map(Arc::clone).collect())
    }

    /// Returns the size of the events from a number on.
    pub(super) fn bytes_from(&self, number: u64) -> usize {
        let start = usize::try_from(number.saturating_sub(self.oldest())).unwrap_or(usize::MAX);
        self.events.iter().skip(start).map(|event| size_of(&event.json)).sum()
    }
}

pub(super) fn size_of(json: &Bytes) -> usize {
    json.len() + OVERHEAD
}
