//! Append of a batch: one document commits the batch, and contains the rest of it.

use std::sync::Arc;

use futures_util::future::join;
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use super::created_batch::Creation;
use super::repair::ExistingMessage;
use super::view::BatchId;
use crate::documents::{self, Batch};
use crate::storage::failed;
use crate::tracked_document::{Outcome, TrackedDocument};

/// Attempts at writing a document that other workers write, too.
const ATTEMPTS: usize = 5;

impl StoredSession {
    /// Appends messages as a unit, and replaces the newest message with them.
    pub(super) async fn append(
        &mut self,
        first: &Message,
        rest: &[Arc<Message>],
        replaced: Option<Arc<Message>>,
    ) -> Result<(), SessionError> {
        let behind = self.refuse_if_followed().await?;
        let mut batch = Batch::new(rest, self.view()?.truncation.as_ref());
        // A message that an unfinished write may have replaced gets its original back, unless this batch replaces it, too.
        if replaced.is_some() || self.view()?.original.is_some() {
            batch.previous = Some(self.remember_original(true).await?);
            batch.replaces_previous = replaced.or_else(|| self.view.as_ref()?.original.clone());
        }
        self.create_record_if_absent().await?;
        let number = self.view()?.next;
        match self.create_batch(number, first, rest, &batch).await? {
            Creation::Created { followers, found } => {
                self.refuse_if_truncated(found).await?;
                self.write_followers(number, rest, &batch, followers).await?;
            }
            Creation::Refused => {
                self.commit(number, first, &batch, true).await?;
                self.follow(number, rest, &batch).await?;
            }
            Creation::NotNew => {
                self.commit(number, first, &batch, false).await?;
                if let Some(behind) = behind {
                    self.refuse_behind(behind).await?;
                }
                self.follow(number, rest, &batch).await?;
            }
        }
        let count = u64::try_from(rest.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.view()?.appended(count);
        Ok(())
    }

    /// Completes a batch that is committed, unless the conversation was truncated before. Any worker can do so.
    async fn follow(&mut self, number: u64, rest: &[Arc<Message>], batch: &Batch) -> Result<(), SessionError> {
        let (storage, agent) = (self.storage.clone(), self.agent.key().to_owned());
        if let (Some(previous), Some(message)) = (&batch.previous, &batch.replaces_previous) {
            let record = storage.read(&agent).await?;
            self.refuse_if_truncated(record).await?;
            self.replace_previous(previous, message, number).await?;
            self.write_followers(number, rest, batch, 0).await
        } else {
            let (record, followed) = join(storage.read(&agent), self.write_followers(number, rest, batch, 0)).await;
            self.refuse_if_truncated(record?).await?;
            followed
        }
    }

    /// Writes the document that commits a batch. It may replace a void one. `is_refused` is set if the store has refused to
    /// create it.
    async fn commit(
        &mut self,
        number: u64,
        first: &Message,
        batch: &Batch,
        is_refused: bool,
    ) -> Result<(), SessionError> {
        let (storage, folder, location) = (self.storage.clone(), self.folder.clone(), self.location(number));
        let bytes = documents::new_message(&location, number, first, batch)?;
        for attempt in 0..ATTEMPTS {
            let tracked = self.view()?.tracked_document(&folder, number);
            let written = match is_refused && attempt == 0 {
                true => tracked.write_refused(&storage, bytes.clone()).await?,
                false => tracked.write(&storage, bytes.clone()).await?,
            };
            let found = match written {
                Outcome::Done => return Ok(()),
                Outcome::Conflict(found) => found,
            };
            let is_void = match &found {
                Some(found) => self.is_void(number, found)?,
                None => false,
            };
            if !is_void {
                self.view()?.original = None;
                return Err(self.conflict(format!("message {number}"), None, found.as_deref()));
            }
            self.view()?.tracked_document(&folder, number).read(&storage).await?;
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Writes the documents of the messages after the first, without those that are written already.
    async fn write_followers(
        &mut self,
        first: u64,
        rest: &[Arc<Message>],
        batch: &Batch,
        written: usize,
    ) -> Result<(), SessionError> {
        let id = BatchId::new(first, batch);
        for (number, message) in (first.saturating_add(1)..).zip(rest).skip(written) {
            self.write_follower(number, message, &id, ExistingMessage::Conflicts).await?;
        }
        Ok(())
    }

    /// Returns true for a document whose writer did not know of a truncation.
    pub(super) fn is_void(&mut self, number: u64, content: &[u8]) -> Result<bool, SessionError> {
        let batch = documents::batch(&self.location(number), content)?;
        let truncation = self.view()?.truncation.as_ref();
        Ok(truncation.is_some_and(|truncation| truncation.voids(number, batch.follows_truncation)))
    }

    /// Checks a document that an unfinished write of this worker has left at the next message's number: it may be
    /// replaced, unless other workers have read it and appended to it. Returns the number after the unfinished batch.
    async fn refuse_if_followed(&mut self) -> Result<Option<u64>, SessionError> {
        let Some((number, length)) = self.unfinished().await? else { return Ok(None) };
        let behind = number.saturating_add(length);
        self.refuse_behind(behind).await?;
        Ok(Some(behind))
    }

    async fn refuse_behind(&mut self, behind: u64) -> Result<(), SessionError> {
        match self.storage.read(&self.message_key(behind)).await? {
            Some(found) if !self.is_own(behind, &found.content)? && !self.is_void(behind, &found.content)? => {
                self.view()?.original = None;
                Err(self.conflict(format!("message {behind}"), None, Some(&found.content)))
            }
            _ => Ok(()),
        }
    }

    /// Returns the unfinished batch of this worker in the store, if there is one: the number of its first message, and
    /// the number of messages.
    pub(super) async fn unfinished(&mut self) -> Result<Option<(u64, u64)>, SessionError> {
        let number = self.view()?.next;
        if self.view()?.tracked_documents.get(&number).is_none_or(TrackedDocument::is_unwritten) {
            return Ok(None);
        }
        let (storage, folder, location) = (self.storage.clone(), self.folder.clone(), self.location(number));
        let tracked = self.view()?.tracked_document(&folder, number);
        let (was_known, was_unconfirmed) = (tracked.known().cloned(), !tracked.is_settled());
        let Some(found) = storage.read(tracked.key()).await? else {
            return Ok(None);
        };
        let is_own =
            was_known.as_ref() == Some(&found.content) || (was_unconfirmed && tracked.is_unconfirmed(&found.content));
        if !is_own {
            return Ok(None);
        }
        let batch = documents::batch(&location, &found.content)?;
        tracked.observe(Some(found));
        // A leftover message of an older attempt is not a batch.
        let followers = if batch.continues.is_some() { 0 } else { batch.followed_by.len() };
        Ok(Some((number, u64::try_from(followers).unwrap_or(u64::MAX).saturating_add(1))))
    }

    /// Returns true if this worker tried to write this content.
    fn is_own(&mut self, number: u64, content: &[u8]) -> Result<bool, SessionError> {
        let Some(tracked) = self.view()?.tracked_documents.get(&number) else { return Ok(false) };
        Ok(tracked.is_unconfirmed(content) || tracked.known().is_some_and(|known| known == content))
    }
}
