//! Completion of a committed batch, by the worker that did it or by one that finds it undone.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use super::view::{BatchId, Repair};
use crate::document_store::IN_FLIGHT;
use crate::documents::{self, Batch, Marker, Previous, Truncation};
use crate::slot::Outcome;
use crate::storage::failed;

/// Attempts at writing a document that others write, too.
const ATTEMPTS: usize = 5;

/// Treatment of a message found at the position of a batch's message.
#[derive(Clone, Copy)]
pub(super) enum InPlace {
    /// The conversation goes on from it.
    Stays,
    /// This worker writes the batch, and can't write it as a whole.
    Conflicts,
}

impl StoredSession {
    /// Does what others have left undone.
    pub(super) async fn repair(&mut self) -> Result<(), SessionError> {
        self.delete_removed().await?;
        while let Some(repair) = self.view()?.repairs.first().cloned() {
            match repair {
                Repair::Replace { previous, message, batch } => {
                    self.replace_previous(&previous, &message, batch).await?;
                }
                Repair::Follow { number, message, batch } => {
                    self.follow(number, &message, &batch, InPlace::Stays).await?;
                }
                Repair::Rewrite { number } => self.rewrite(number).await?,
            }
            self.view()?.repairs.remove(0);
        }
        Ok(())
    }

    /// Writes the document of a message of a batch, unless somebody has.
    pub(super) async fn follow(
        &mut self,
        number: u64,
        message: &Message,
        batch: &BatchId,
        in_place: InPlace,
    ) -> Result<(), SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let place = self.place(number);
        let part = Batch {
            created_at: batch.created_at.clone(),
            continues: Some(batch.first),
            follows_truncation: batch.follows_truncation,
            ..Batch::default()
        };
        let bytes = documents::new_message(&place, number, message, &part)?;
        for _ in 0..ATTEMPTS {
            let slot = self.view()?.slot(&folder, number);
            let found = match slot.write(&storage, bytes.clone()).await? {
                Outcome::Done => return Ok(()),
                Outcome::Conflict(found) => found,
            };
            if let Some(found) = found {
                let there = documents::batch(&place, &found)?;
                let is_of_batch = there.continues == Some(batch.first);
                if is_of_batch && there.created_at == batch.created_at {
                    return Ok(());
                }
                if is_of_batch {
                    // It is of another attempt. One of the two has been given up.
                    self.is_current(batch).await?;
                } else if !self.is_void(number, &found)? {
                    return match in_place {
                        InPlace::Stays => Ok(()),
                        InPlace::Conflicts => Err(self.conflict(format!("message {number}"), None, Some(&found))),
                    };
                }
            }
            self.view()?.slot(&folder, number).read(&storage).await?;
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// Replaces the message before the one that commits a batch, unless somebody has. The batch is void if another worker
    /// was faster.
    pub(super) async fn replace_previous(
        &mut self,
        previous: &Previous,
        message: &Arc<Message>,
        batch: u64,
    ) -> Result<(), SessionError> {
        let number = previous.message_id;
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let place = self.place(number);
        for _ in 0..ATTEMPTS {
            let slot = self.view()?.slot(&folder, number);
            if slot.known().is_none() {
                slot.read(&storage).await?;
            }
            let known = slot.known().cloned().unwrap_or_default();
            let is_done = !known.is_empty() && documents::message(&place, &known)? == *message;
            if is_done && slot.is_settled() {
                return self.settle_batch(batch).await;
            }
            if !is_done && (known.is_empty() || documents::updated_at(&place, &known)? != previous.updated_at) {
                let expected = Some("as this worker has read it".to_owned());
                return Err(self.conflict(format!("message {number}"), expected, Some(&known)));
            }
            self.replace_in_batch(number, &known, message).await?;
            let bytes = documents::replaced_message(&place, &known, message)?;
            let slot = self.view()?.slot(&folder, number);
            if let Outcome::Done = slot.write(&storage, bytes).await? {
                return self.settle_batch(batch).await;
            }
            slot.read(&storage).await?;
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// A batch whose message before it is replaced stands, whatever becomes of that message.
    async fn settle_batch(&mut self, number: u64) -> Result<(), SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let place = self.place(number);
        let slot = self.view()?.slot(&folder, number);
        let Some(known) = slot.known() else { return Ok(()) };
        let Some(bytes) = documents::settled_batch(&place, known)? else { return Ok(()) };
        if let Outcome::Conflict(_) = slot.write(&storage, bytes).await? {
            // Somebody else has done so.
            slot.read(&storage).await?;
        }
        Ok(())
    }

    /// Writes the newest message again as it was read.
    async fn rewrite(&mut self, number: u64) -> Result<(), SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let place = self.place(number);
        let slot = self.view()?.slot(&folder, number);
        let Some(known) = slot.known() else { return Ok(()) };
        let bytes = documents::replaced_message(&place, known, &*documents::message(&place, known)?)?;
        match slot.write(&storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => Err(self.conflict(format!("message {number}"), None, found.as_deref())),
        }
    }

    /// Checks that this attempt at writing a batch is the one that stands.
    async fn is_current(&self, batch: &BatchId) -> Result<(), SessionError> {
        let found = self.storage.read(&self.message_key(batch.first)).await?;
        let found = found.as_ref().map(|found| found.content.as_ref());
        let stands = match found {
            Some(found) => documents::batch(&self.place(batch.first), found)?.created_at == batch.created_at,
            None => false,
        };
        if stands { Ok(()) } else { Err(self.conflict(format!("message {}", batch.first), None, found)) }
    }

    /// Deletes the documents of removed messages, newest first, and then notes that they are gone.
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
            // Its worker may still be about to take it back: from here on it can't.
            self.touch_agent(Marker::Unchanged).await?;
            self.view()?.deletes = true;
        }
        if let Some(truncation) = &unfinished {
            self.cut_batch(truncation).await?;
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
