//! A conversation as a worker has last read or written it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use strands_core::message::Message;

use crate::documents::{Previous, Truncation};
use crate::layout;
use crate::slot::Slot;

/// A conversation as a worker has last read or written it.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The numbers of the messages; the message at position `i` has the `i`-th of them.
    pub(super) numbers: Vec<u64>,
    /// The number of the next message.
    pub(super) next: u64,
    /// The truncation that was read with it.
    pub(super) truncation: Option<Truncation>,
    /// The documents of the newest messages, and of those to come that this worker has tried to write.
    pub(super) slots: BTreeMap<u64, Slot>,
    /// Work that others have left undone.
    pub(super) repairs: Vec<Repair>,
    /// Documents of removed messages, which are to be deleted.
    pub(super) leftovers: Vec<u64>,
    /// True if it is this worker that deletes them.
    pub(super) deletes: bool,
    /// The highest number of a document behind them whose writer did not know of a truncation.
    pub(super) void: Option<u64>,
    /// The newest message as it was before a write that has not ended, if that write replaces it.
    pub(super) original: Option<Arc<Message>>,
}

/// Something that is to be done before this worker writes.
#[derive(Clone, Debug)]
pub(super) enum Repair {
    /// Replace the message before the one that commits a batch.
    Replace { previous: Previous, message: Arc<Message>, batch: u64 },
    /// Write the document of a message of a batch.
    Follow { number: u64, message: Arc<Message>, batch: BatchId },
    /// Write the document again as it is: an earlier write of this worker may still be under way.
    Rewrite { number: u64 },
}

/// One attempt at writing a batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BatchId {
    /// The number of the message that commits it.
    pub(super) first: u64,
    /// The time at which it was begun.
    pub(super) created_at: Value,
    /// The truncation that its writer knew.
    pub(super) follows_truncation: Option<u64>,
}

impl View {
    pub(super) fn slot(&mut self, folder: &str, number: u64) -> &mut Slot {
        self.slots.entry(number).or_insert_with(|| Slot::new(layout::message_document(folder, number)))
    }

    /// Takes note of messages that were written behind the newest.
    pub(super) fn appended(&mut self, count: u64) {
        let numbers = self.next..self.next.saturating_add(count);
        self.next = numbers.end;
        self.numbers.extend(numbers);
        self.original = None;
        if let Some(newest) = self.numbers.last() {
            self.slots = self.slots.split_off(newest);
        }
    }
}
