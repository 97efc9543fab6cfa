//! Creation of a batch in one request to the store, where nothing is known of its numbers.

use std::sync::Arc;

use bytes::Bytes;
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use super::view::BatchId;
use crate::document_store::{Document, NewDocument, WriteOutcome};
use crate::documents::{self, Batch};
use crate::tracked_document::TrackedDocument;

/// A batch whose first document was created.
pub(super) struct Created {
    /// The number of documents after the first that were created.
    pub(super) followers: usize,
    /// The agent's document, read after the first document was created.
    pub(super) found: Option<Document>,
}

impl StoredSession {
    /// Creates the documents of a batch. Returns `None` if another document has the first number, or if the batch replaces
    /// documents: it has to be written one by one.
    pub(super) async fn create_batch(
        &mut self,
        number: u64,
        first: &Message,
        rest: &[Arc<Message>],
        batch: &Batch,
    ) -> Result<Option<Created>, SessionError> {
        let mut tracked = self.view()?.tracked_documents.range(number..).map(|(_, tracked)| tracked);
        if batch.previous.is_some() || !tracked.all(TrackedDocument::is_unwritten) {
            return Ok(None);
        }
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let part = BatchId::new(number, batch).part();
        let mut contents: Vec<(u64, Bytes)> = Vec::with_capacity(rest.len().saturating_add(1));
        contents.push((number, documents::new_message(&self.location(number), number, first, batch)?));
        for (number, message) in (number.saturating_add(1)..).zip(rest) {
            contents.push((number, documents::new_message(&self.location(number), number, message, &part)?));
        }
        // If this future is dropped, any of them may be written later.
        for (number, content) in &contents {
            self.view()?.tracked_document(&folder, *number).attempt(content);
        }
        let new = |(number, content): &(u64, Bytes)| NewDocument::new(self.message_key(*number), content.clone());
        let new = contents.iter().map(new).collect();
        let created = storage.create_batch(new, self.agent.key()).await?;
        let mut outcomes = created.outcomes.into_iter();
        let mut done = 0_usize;
        for (number, content) in contents {
            match outcomes.next() {
                Some(WriteOutcome::Done(version)) => {
                    self.view()?.tracked_document(&folder, number).settle(Document::new(content, version));
                    done += 1;
                }
                Some(WriteOutcome::Conflict) | None => {
                    self.view()?.tracked_document(&folder, number).not_written(&content);
                }
            }
        }
        Ok(done.checked_sub(1).map(|followers| Created { followers, found: created.found }))
    }
}
