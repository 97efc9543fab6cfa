//! View of a conversation: its numbers, tracked documents and open repairs, as a worker last read or wrote it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use strands_core::message::Message;

use crate::documents::{Batch, Previous, Truncation};
use crate::key_layout;
use crate::tracked_document::TrackedDocument;

/// A conversation as a worker last read or wrote it.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The numbers of the messages; the message at position `i` has the `i`-th of them.
    pub(super) numbers: Vec<u64>,
    /// The number of the next message.
    pub(super) next: u64,
    /// The truncation that was read with the conversation.
    pub(super) truncation: Option<Truncation>,
    /// The documents of the newest messages, and of later ones that this worker tried to write.
    pub(super) tracked_documents: BTreeMap<u64, TrackedDocument>,
    /// Work that other workers have left.
    pub(super) repairs: Vec<Repair>,
    /// The numbers of removed messages whose documents are not deleted yet.
    pub(super) leftovers: Vec<u64>,
    /// True if this worker deletes them.
    pub(super) deletes: bool,
    /// The highest number of a later document whose writer did not know of a truncation.
    pub(super) void: Option<u64>,
    /// The newest message before an unfinished write that replaces it.
    pub(super) original: Option<Arc<Message>>,
}

/// Work to complete before this worker writes.
#[derive(Clone, Debug)]
pub(super) enum Repair {
    /// Replace the message before the one that commits a batch.
    Replace { previous: Previous, message: Arc<Message>, batch: u64 },
    /// Write the document of a message of a batch.
    Follow { number: u64, message: Arc<Message>, batch: BatchId },
    /// Rewrite the document with the same content: an earlier write of this worker may still be in flight.
    Rewrite { number: u64 },
}

/// One attempt at writing a batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BatchId {
    /// The number of the message that commits it.
    pub(super) first: u64,
    /// The time of its start.
    pub(super) created_at: Value,
    /// The truncation that its writer knew.
    pub(super) follows_truncation: Option<u64>,
}

impl BatchId {
    /// Returns the id of a batch that the message with this number commits.
    pub(super) fn new(first: u64, batch: &Batch) -> Self {
        Self { first, created_at: batch.created_at.clone(), follows_truncation: batch.follows_truncation }
    }

    /// Returns the batch fields in the documents of the messages after the first.
    pub(super) fn part(&self) -> Batch {
        Batch {
            created_at: self.created_at.clone(),
            continues: Some(self.first),
            follows_truncation: self.follows_truncation,
            ..Batch::default()
        }
    }
}

impl View {
    pub(super) fn tracked_document(&mut self, folder: &str, number: u64) -> &mut TrackedDocument {
        self.tracked_documents
            .entry(number)
            .or_insert_with(|| TrackedDocument::new(key_layout::message_document(folder, number)))
    }

    /// Records appended messages.
    pub(super) fn appended(&mut self, count: u64) {
        let numbers = self.next..self.next.saturating_add(count);
        self.next = numbers.end;
        self.numbers.extend(numbers);
        self.original = None;
        if let Some(newest) = self.numbers.last() {
            self.tracked_documents = self.tracked_documents.split_off(newest);
        }
    }
}
