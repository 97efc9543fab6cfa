//! Buffer of the newest events of a run.

use std::collections::VecDeque;
use std::sync::Arc;

use strands_core::AgentEvent;

use super::RunEvent;

/// The newest events of a run, up to a size, and those that readers have not read yet. The newest event is always retained.
pub(super) struct Buffer {
    events: VecDeque<Arc<RunEvent>>,
    bytes: usize,
    max_bytes: usize,
    /// Number of the first event of the run.
    first: u64,
    next: u64,
}

impl Buffer {
    pub(super) fn new(first: u64, max_bytes: usize) -> Self {
        Self { events: VecDeque::new(), bytes: 0, max_bytes, first, next: first }
    }

    /// Appends an event of a size. Events from the number `unread` on are retained.
    pub(super) fn push(&mut self, event: AgentEvent, size: usize, unread: u64) {
        let event = RunEvent { seq: self.next, event, size };
        self.events.push_back(Arc::new(event));
        self.next += 1;
        self.bytes += size;
        while self.bytes > self.max_bytes && self.events.len() > 1 && self.oldest() < unread {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= oldest.size;
            }
        }
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

    /// Appends the events from a number on to `events`, until they exceed a size. Returns their size, or `None` if some of them
    /// are no longer retained.
    pub(super) fn read(&self, number: u64, max_bytes: usize, events: &mut VecDeque<Arc<RunEvent>>) -> Option<usize> {
        let skipped = number.checked_sub(self.oldest())?;
        let mut bytes = 0;
        for event in self.events.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)) {
            if bytes > max_bytes {
                break;
            }
            bytes += event.size;
            events.push_back(Arc::clone(event));
        }
        Some(bytes)
    }

    /// Returns the size of the events from a number on.
    pub(super) fn bytes_from(&self, number: u64) -> usize {
        let start = usize::try_from(number.saturating_sub(self.oldest())).unwrap_or(usize::MAX);
        self.events.iter().skip(start).map(|event| event.size).sum()
    }
}
