//! Appending a batch: one document commits it, and carries the rest of it.

use std::sync::Arc;

use futures_util::future::join;
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use super::repair::InPlace;
use super::view::BatchId;
use crate::documents::{self, Batch};
use crate::slot::Outcome;
use crate::storage::failed;

/// Attempts at writing a document that others write, too.
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
        // What a write that has not ended has replaced becomes again what it was, unless this one replaces it, too.
        if replaced.is_some() || self.view()?.original.is_some() {
            batch.previous = Some(self.remember_original(true).await?);
            batch.replaces_previous = replaced.or_else(|| self.view.as_ref()?.original.clone());
        }
        self.announce().await?;
        let number = self.view()?.next;
        self.commit(number, first, &batch).await?;
        if let Some(behind) = behind {
            self.refuse_behind(behind).await?;
        }
        // The batch is in the store. What follows can be done by anybody, unless the conversation was truncated before.
        let (storage, agent) = (self.storage.clone(), self.agent.key().to_owned());
        if let (Some(previous), Some(message)) = (&batch.previous, &batch.replaces_previous) {
            let record = storage.read(&agent).await?;
            self.refuse_if_truncated(record).await?;
            self.replace_previous(previous, message, number).await?;
            self.follow_all(number, rest, &batch).await?;
        } else {
            let (record, followed) = join(storage.read(&agent), self.follow_all(number, rest, &batch)).await;
            self.refuse_if_truncated(record?).await?;
            followed?;
        }
        let count = u64::try_from(rest.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.view()?.appended(count);
        Ok(())
    }

    /// Writes the document that commits a batch. One that is void may be there.
    async fn commit(&mut self, number: u64, first: &Message, batch: &Batch) -> Result<(), SessionError> {
        let (storage, folder, place) = (self.storage.clone(), self.folder.clone(), self.place(number));
        let bytes = documents::new_message(&place, number, first, batch)?;
        for _ in 0..ATTEMPTS {
            let slot = self.view()?.slot(&folder, number);
            let found = match slot.write(&storage, bytes.clone()).await? {
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
            self.view()?.slot(&folder, number).read(&storage).await?;
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// Writes the documents of the messages after the first.
    async fn follow_all(&mut self, first: u64, rest: &[Arc<Message>], batch: &Batch) -> Result<(), SessionError> {
        let id = BatchId { first, created_at: batch.created_at.clone(), follows_truncation: batch.follows_truncation };
        for (number, message) in (first.saturating_add(1)..).zip(rest) {
            self.follow(number, message, &id, InPlace::Conflicts).await?;
        }
        Ok(())
    }

    /// True for a document whose writer did not know of a truncation.
    pub(super) fn is_void(&mut self, number: u64, content: &[u8]) -> Result<bool, SessionError> {
        let batch = documents::batch(&self.place(number), content)?;
        let truncation = self.view()?.truncation.as_ref();
        Ok(truncation.is_some_and(|truncation| truncation.voids(number, batch.follows_truncation)))
    }

    /// Checks a document that an unfinished write of this worker has left where the next message goes: it may be written
    /// over, unless others have read it and gone on. Returns the number behind what is there.
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

    /// Leftovers of an unfinished write of this worker: the number of its first message, and how many they
    /// are.
    pub(super) async fn unfinished(&mut self) -> Result<Option<(u64, u64)>, SessionError> {
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let number = self.view()?.next;
        let place = self.place(number);
        let slot = self.view()?.slot(&folder, number);
        if slot.is_settled() && slot.known().is_none() {
            return Ok(None);
        }
        let (was_known, was_unanswered) = (slot.known().cloned(), !slot.is_settled());
        let Some(found) = storage.read(slot.key()).await? else {
            return Ok(None);
        };
        let is_own =
            was_known.as_ref() == Some(&found.content) || (was_unanswered && slot.is_unanswered(&found.content));
        if !is_own {
            return Ok(None);
        }
        let batch = documents::batch(&place, &found.content)?;
        slot.observe(Some(found));
        // What an older attempt has left is no batch of its own.
        let followers = if batch.continues.is_some() { 0 } else { batch.followed_by.len() };
        Ok(Some((number, u64::try_from(followers).unwrap_or(u64::MAX).saturating_add(1))))
    }

    /// True if this worker has tried to write this there.
    fn is_own(&mut self, number: u64, content: &[u8]) -> Result<bool, SessionError> {
        let Some(slot) = self.view()?.slots.get(&number) else { return Ok(false) };
        Ok(slot.is_unanswered(content) || slot.known().is_some_and(|known| known == content))
    }
}
