//! Repair: completion of committed batches and truncations, by their worker or by one that finds them incomplete.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use super::view::{BatchId, Repair};
use crate::document_store::IN_FLIGHT;
use crate::documents::{self, Marker, Previous, Truncation};
use crate::storage::failed;
use crate::tracked_document::Outcome;

/// Attempts at writing a document that other workers write, too.
const ATTEMPTS: usize = 5;

/// Treatment of another worker's message at the number of a batch's message.
#[derive(Clone, Copy)]
pub(super) enum ExistingMessage {
    /// The conversation continues with the existing message.
    Accepted,
    /// The batch of this worker can't be completed.
    Conflicts,
}

impl StoredSession {
    /// Completes the work that other workers have left.
    pub(super) async fn repair(&mut self) -> Result<(), SessionError> {
        self.delete_removed().await?;
        while let Some(repair) = self.view()?.repairs.first().cloned() {
            match repair {
                Repair::Replace { previous, message, batch } => {
                    self.replace_previous(&previous, &message, batch).await?;
                }
                Repair::Follow { number, message, batch } => {
                    self.write_follower(number, &message, &batch, ExistingMessage::Accepted).await?;
                }
                Repair::Rewrite { number } => self.rewrite(number).await?,
            }
            self.view()?.repairs.remove(0);
        }
        Ok(())
    }

    /// Writes the document of a batch's message after the first, unless it exists.
    pub(super) async fn write_follower(
        &mut self,
        number: u64,
        message: &Message,
        batch: &BatchId,
        existing: ExistingMessage,
    ) -> Result<(), SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let location = self.location(number);
        let bytes = documents::new_message(&location, number, message, &batch.part())?;
        for _ in 0..ATTEMPTS {
            let tracked = self.view()?.tracked_document(&folder, number);
            let found = match tracked.write(&storage, bytes.clone()).await? {
                Outcome::Done => return Ok(()),
                Outcome::Conflict(found) => found,
            };
            if let Some(found) = found {
                let there = documents::batch(&location, &found)?;
                let is_of_batch = there.continues == Some(batch.first);
                if is_of_batch && there.created_at == batch.created_at {
                    return Ok(());
                }
                if is_of_batch {
                    // It belongs to another attempt. One of the two was abandoned.
                    self.is_current(batch).await?;
                } else if !self.is_void(number, &found)? {
                    return match existing {
                        ExistingMessage::Accepted => Ok(()),
                        ExistingMessage::Conflicts => {
                            Err(self.conflict(format!("message {number}"), None, Some(&found)))
                        }
                    };
                }
            }
            self.view()?.tracked_document(&folder, number).read(&storage).await?;
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Replaces the message before the one that commits a batch, unless it is replaced already. The batch is void if
    /// another worker has changed that message.
    pub(super) async fn replace_previous(
        &mut self,
        previous: &Previous,
        message: &Arc<Message>,
        batch: u64,
    ) -> Result<(), SessionError> {
        let number = previous.message_id;
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let location = self.location(number);
        for _ in 0..ATTEMPTS {
            let tracked = self.view()?.tracked_document(&folder, number);
            if tracked.known().is_none() {
                tracked.read(&storage).await?;
            }
            let known = tracked.known().cloned().unwrap_or_default();
            let is_done = !known.is_empty() && documents::message(&location, &known)? == *message;
            if is_done && tracked.is_settled() {
                return self.settle_batch(batch).await;
            }
            if !is_done && (known.is_empty() || documents::updated_at(&location, &known)? != previous.updated_at) {
                let expected = Some("as this worker has read it".to_owned());
                return Err(self.conflict(format!("message {number}"), expected, Some(&known)));
            }
            self.replace_in_batch(number, &known, message).await?;
            let bytes = documents::replaced_message(&location, &known, message)?;
            let tracked = self.view()?.tracked_document(&folder, number);
            if let Outcome::Done = tracked.write(&storage, bytes).await? {
                return self.settle_batch(batch).await;
            }
            tracked.read(&storage).await?;
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Removes the replacement from a batch once it is done, so that the batch no longer depends on the message before it.
    async fn settle_batch(&mut self, number: u64) -> Result<(), SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let location = self.location(number);
        let tracked = self.view()?.tracked_document(&folder, number);
        let Some(known) = tracked.known() else { return Ok(()) };
        let Some(bytes) = documents::settled_batch(&location, known)? else { return Ok(()) };
        if let Outcome::Conflict(_) = tracked.write(&storage, bytes).await? {
            // Another worker has done so.
            tracked.read(&storage).await?;
        }
        Ok(())
    }

    /// Rewrites the newest message with the content that was read.
    async fn rewrite(&mut self, number: u64) -> Result<(), SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let location = self.location(number);
        let tracked = self.view()?.tracked_document(&folder, number);
        let Some(known) = tracked.known() else { return Ok(()) };
        let bytes = documents::replaced_message(&location, known, &*documents::message(&location, known)?)?;
        match tracked.write(&storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => Err(self.conflict(format!("message {number}"), None, found.as_deref())),
        }
    }

    /// Checks that this attempt at writing a batch is the committed one.
    async fn is_current(&self, batch: &BatchId) -> Result<(), SessionError> {
        let found = self.storage.read(&self.message_key(batch.first)).await?;
        let found = found.as_ref().map(|found| found.content.as_ref());
        let is_current = match found {
            Some(found) => documents::batch(&self.location(batch.first), found)?.created_at == batch.created_at,
            None => false,
        };
        if is_current { Ok(()) } else { Err(self.conflict(format!("message {}", batch.first), None, found)) }
    }

    /// Deletes the documents of removed messages, newest first, and then updates the marker.
    pub(super) async fn delete_removed(&mut self) -> Result<(), SessionError> {
        let view = self.view()?;
        let (deletes, mut numbers) = (view.deletes, view.leftovers.clone());
        let unfinished: Option<Truncation> = view.truncation.clone().filter(|truncation| truncation.deleting);
        if let Some(truncation) = &unfinished
            && !deletes
        {
            if self.known_truncation()?.as_ref() != Some(truncation) {
                let expected = self.agent.known().map(|bytes| documents::summary(bytes));
                return Err(self.conflict(format!("the record of agent `{}`", self.agent_id), expected, None));
            }
            // The worker that committed it may be about to revert it. After this write it can't.
            self.touch_agent(Marker::Unchanged).await?;
            self.view()?.deletes = true;
        }
        if let Some(truncation) = &unfinished {
            self.truncate_batch(truncation).await?;
        }
        numbers.sort_unstable();
        let keys: Vec<String> = numbers.iter().rev().map(|number| self.message_key(*number)).collect();
        let storage = self.storage.clone();
        let delete = |key: String| {
            let storage = storage.clone();
            async move { storage.delete(&key).await }
        };
        stream::iter(keys).map(delete).buffered(IN_FLIGHT).try_collect::<()>().await?;
        self.view()?.leftovers.clear();
        if let Some(truncation) = unfinished {
            let mut done = truncation;
            done.deleting = false;
            self.touch_agent(Marker::Set(done.clone())).await?;
            let view = self.view()?;
            view.truncation = Some(done);
            view.deletes = false;
        }
        Ok(())
    }
}
