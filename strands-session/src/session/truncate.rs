//! Truncation: removal of messages from the end of a conversation.

use bytes::Bytes;
use strands_core::session::{AgentRecord, SessionError};

use super::StoredSession;
use crate::document_store::Document;
use crate::documents::{self, Marker, Truncation};
use crate::storage::failed;
use crate::tracked_document::Outcome;

/// Attempts at writing a document that other workers write, too.
const ATTEMPTS: usize = 5;

/// A truncation that may be committed: its write is in flight or has an unknown outcome.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    truncation: Truncation,
    /// The numbers of the remaining messages.
    remaining: Vec<u64>,
    removed: Vec<u64>,
    /// The agent's document that commits it.
    commit: Bytes,
    /// The agent's document before.
    before: Bytes,
    /// True if the conversation was read without it since: it must not be committed any more.
    is_refused: bool,
}

impl StoredSession {
    /// Removes all messages after the first `keep`, and writes the record, which commits the truncation.
    pub(super) async fn remove_messages(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        self.restore_original().await?;
        // Messages of an unfinished write are removed, too.
        let unfinished = self.unfinished_or_late().await?;
        self.remove(keep, unfinished, Some(record)).await
    }

    /// Removes the void documents of workers that did not know of a truncation, unless the next message replaces them.
    pub(super) async fn remove_void(&mut self) -> Result<(), SessionError> {
        let view = self.view()?;
        let next = view.next;
        match view.void.take().and_then(|last| last.checked_sub(next)) {
            None | Some(0) => Ok(()),
            Some(more) => self.remove(u64::MAX, Some((next, more.saturating_add(1))), None).await,
        }
    }

    /// Removes the messages that an unfinished write has appended, or may still append.
    pub(super) async fn withdraw(&mut self) -> Result<(), SessionError> {
        match self.unfinished_or_late().await? {
            Some(unfinished) => self.remove(u64::MAX, Some(unfinished), None).await,
            None => Ok(()),
        }
    }

    async fn unfinished_or_late(&mut self) -> Result<Option<(u64, u64)>, SessionError> {
        if let Some(unfinished) = self.unfinished().await? {
            return Ok(Some(unfinished));
        }
        let view = self.view()?;
        let is_late = view.tracked_documents.range(view.next..).any(|(_, tracked)| !tracked.is_settled());
        Ok(is_late.then_some((view.next, 1)))
    }

    async fn remove(
        &mut self,
        keep: u64,
        unfinished: Option<(u64, u64)>,
        record: Option<&AgentRecord>,
    ) -> Result<(), SessionError> {
        let appended = unfinished.map_or(0..0, |(number, length)| number..number.saturating_add(length));
        let view = self.view()?;
        let next = view.next;
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let remaining = view.numbers.get(..keep).unwrap_or(&view.numbers).to_vec();
        let mut removed: Vec<u64> = view.numbers.get(keep..).unwrap_or_default().to_vec();
        let truncation = Truncation::new(remaining.last().copied(), next.max(appended.end), view.truncation.as_ref());
        removed.extend(appended.clone());
        let behind = next.max(appended.end);
        if removed.is_empty() {
            self.refuse_if_appended(behind).await?;
            return match record {
                Some(record) => self.write_record(record, Marker::Unchanged).await,
                None => Ok(()),
            };
        }
        let Some(before) = self.agent.known().cloned() else { return Ok(()) };
        self.touch_agent(Marker::Proposed(truncation.clone())).await?;
        // A worker that appends checks the record afterwards, and drops the proposal.
        let mut refused = self.refuse_if_appended(next).await;
        if refused.is_ok() && behind != next {
            refused = self.refuse_if_appended(behind).await;
        }
        if let Err(error) = refused {
            self.touch_agent(Marker::Unchanged).await?;
            return Err(error);
        }
        let location = self.storage.locate(self.agent.key());
        let Some(proposed) = self.agent.known() else { return Ok(()) };
        let marker = Marker::Set(truncation.clone());
        let commit = match record {
            Some(record) => documents::merged_record(&location, Some(proposed), record, marker)?.0,
            None => documents::touched(&location, proposed, marker)?,
        };
        self.pending =
            Some(Pending { truncation, remaining, removed, commit: commit.clone(), before, is_refused: false });
        if let Err(error) = self.write_agent(commit).await {
            self.pending = self.pending.take().filter(|_| !error.is_conflict());
            return Err(error);
        }
        self.apply_truncation();
        // It is committed. If the deletion fails, the next write completes it.
        drop(self.delete_removed().await);
        Ok(())
    }

    /// Applies the committed truncation to the view.
    fn apply_truncation(&mut self) {
        let (Some(pending), Some(view)) = (self.pending.take(), &mut self.view) else { return };
        let before = pending.truncation.before();
        view.tracked_documents.retain(|number, _| pending.remaining.last() == Some(number) || *number >= before);
        view.numbers = pending.remaining;
        view.next = before;
        view.truncation = Some(pending.truncation);
        view.leftovers = pending.removed;
        view.repairs.clear();
        view.deletes = true;
    }

    /// Determines the outcome of a truncation whose write has an unknown outcome, and prevents that it is committed later.
    pub(super) async fn settle_truncation(&mut self) -> Result<(), SessionError> {
        if self.pending.is_none() {
            return Ok(());
        }
        let location = self.storage.locate(self.agent.key());
        for _ in 0..ATTEMPTS {
            let Some(pending) = &self.pending else { return Ok(()) };
            let found = self.storage.read(self.agent.key()).await?;
            let Some(found) = found else {
                self.pending = None;
                return Err(self.truncated_by_another(None));
            };
            let is_committed = self.is_committed(pending, &found.content)?;
            if is_committed && !pending.is_refused {
                self.agent.observe(Some(found));
                self.apply_truncation();
                return Ok(());
            }
            let is_own = if is_committed {
                found.content == pending.commit
            } else {
                self.agent.is_unconfirmed(&found.content) || self.agent.known() == Some(&found.content)
            };
            if !is_own {
                // Another worker has changed the record: a write in flight has no effect any more.
                self.pending = None;
                return Ok(());
            }
            let bytes = documents::touched(&location, &pending.before, Marker::Unchanged)?;
            self.agent.observe(Some(found));
            if self.agent.write_once(&self.storage, bytes).await? {
                self.pending = None;
                return Ok(());
            }
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Settles the pending truncation after the conversation was read with this record: a committed truncation is final,
    /// and another must not be committed any more.
    pub(super) fn has_read(&mut self, record: Option<&Document>) -> Result<(), SessionError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        match record {
            Some(found) if self.is_committed(pending, &found.content)? => {
                self.agent.observe(Some(found.clone()));
                self.pending = None;
            }
            _ => self.pending.iter_mut().for_each(|pending| pending.is_refused = true),
        }
        Ok(())
    }

    fn is_committed(&self, pending: &Pending, found: &Bytes) -> Result<bool, SessionError> {
        if *found == pending.commit {
            return Ok(true);
        }
        let location = self.storage.locate(self.agent.key());
        // Other workers may have written the record since.
        let marker = documents::truncation(&location, found)?;
        Ok(marker.is_some_and(|marker| marker.is_same(&pending.truncation))
            && documents::agent_record(&location, found)? == documents::agent_record(&location, &pending.commit)?)
    }

    /// Truncates the batch that contains the end of the newest truncation, so that removed messages do not stay in it.
    pub(super) async fn truncate_batch(&mut self, truncation: &Truncation) -> Result<(), SessionError> {
        let Some(number) = truncation.after() else { return Ok(()) };
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let Some(last) = storage.read(&self.message_key(number)).await? else { return Ok(()) };
        let first = documents::batch(&self.location(number), &last.content)?.continues.unwrap_or(number);
        let Some(keep) = number.checked_sub(first).and_then(|keep| usize::try_from(keep).ok()) else { return Ok(()) };
        let location = self.location(first);
        let mut found = if first == number { Some(last) } else { storage.read(&self.message_key(first)).await? };
        for _ in 0..ATTEMPTS {
            let Some(document) = found else { return Ok(()) };
            let bytes = documents::truncate_followers(&location, &document.content, keep)?;
            let tracked = self.view()?.tracked_document(&folder, first);
            let is_known = tracked.known().is_none_or(|known| *known == document.content)
                || tracked.is_unconfirmed(&document.content);
            if is_known || first != number {
                tracked.observe(Some(document));
                let Some(bytes) = bytes else { return Ok(()) };
                if tracked.write_once(&storage, bytes).await? {
                    return Ok(());
                }
            } else if let Some(bytes) = bytes {
                // Another worker has changed the message. The tracked version stays, so that a write detects the conflict.
                storage.update(tracked.key(), bytes, &document).await?;
            } else {
                return Ok(());
            }
            found = storage.read(&self.message_key(first)).await?;
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Rewrites the agent's document with a new time, so that other workers that know the old version get a conflict.
    pub(super) async fn touch_agent(&mut self, marker: Marker) -> Result<(), SessionError> {
        let location = self.storage.locate(self.agent.key());
        let Some(known) = self.agent.known() else { return Ok(()) };
        let bytes = documents::touched(&location, known, marker)?;
        self.write_agent(bytes).await
    }

    pub(super) async fn write_agent(&mut self, bytes: Bytes) -> Result<(), SessionError> {
        let expected = self.agent.known().map(|bytes| documents::summary(bytes));
        match self.agent.write(&self.storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => {
                Err(self.conflict(format!("the record of agent `{}`", self.agent_id), expected, found.as_deref()))
            }
        }
    }

    /// Restores the newest message to the one before an unfinished write.
    async fn restore_original(&mut self) -> Result<(), SessionError> {
        match self.view()?.original.clone() {
            Some(message) => self.replace(&message).await,
            None => Ok(()),
        }
    }
}
