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

/// The outcome of the creation of a batch.
pub(super) enum Creation {
    /// The batch is committed.
    Created {
        /// The number of documents after the first that were created.
        followers: usize,
        /// The agent's document, read after the first document was created.
        found: Option<Document>,
    },
    /// The store has another document at the first number, or this one if the store repeats requests.
    Refused,
    /// The batch may replace documents, which are written one by one.
    NotNew,
}

impl StoredSession {
    /// Creates the documents of a batch, if it replaces none that this worker knows of.
    pub(super) async fn create_batch(
        &mut self,
        number: u64,
        first: &Message,
        rest: &[Arc<Message>],
        batch: &Batch,
    ) -> Result<Creation, SessionError> {
        let mut tracked = self.view()?.tracked_documents.range(number..).map(|(_, tracked)| tracked);
        if batch.previous.is_some() || !tracked.all(TrackedDocument::is_unwritten) {
            return Ok(Creation::NotNew);
        }
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let part = BatchId::new(number, batch).part();
        let followers = rest.iter().map(|message| (&**message, &part));
        let mut contents: Vec<(u64, Bytes)> = Vec::with_capacity(rest.len().saturating_add(1));
        let mut new = Vec::with_capacity(contents.capacity());
        for (number, (message, batch)) in (number..).zip([(first, batch)].into_iter().chain(followers)) {
            let key = self.message_key(number);
            let content = documents::new_message(&key, number, message, batch)?;
            contents.push((number, content.clone()));
            new.push(NewDocument::new(key, content));
        }
        // If this future is dropped, any of them may be written later.
        for (number, content) in &contents {
            self.view()?.tracked_document(&folder, *number).attempt(content);
        }
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
        let created = done.checked_sub(1).map(|followers| Creation::Created { followers, found: created.found });
        Ok(created.unwrap_or(Creation::Refused))
    }
}
