//! Removing messages from the end of a conversation.

use bytes::Bytes;
use strands_core::session::{AgentRecord, SessionError};

use super::StoredSession;
use crate::document_store::Document;
use crate::documents::{self, Marker, Truncation};
use crate::slot::Outcome;
use crate::storage::failed;

/// Attempts at writing a document that others write, too.
const ATTEMPTS: usize = 5;

/// A truncation that is to be committed, or may have been.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    truncation: Truncation,
    /// The numbers of the messages that stay.
    kept: Vec<u64>,
    removed: Vec<u64>,
    /// The agent's document that commits it.
    commit: Bytes,
    /// The agent's document before.
    before: Bytes,
    /// True if the conversation was read without it since: then it must not happen any more.
    is_refused: bool,
}

impl StoredSession {
    /// Removes all messages but the first, and writes the record. The record commits it.
    pub(super) async fn remove_messages(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        self.restore_original().await?;
        // What an unfinished write has left is removed with the rest.
        let unfinished = self.unfinished_or_late().await?;
        self.remove(keep, unfinished, Some(record)).await
    }

    /// Removes what workers have left that did not know of a truncation, where the next message would not replace all of it.
    pub(super) async fn remove_void(&mut self) -> Result<(), SessionError> {
        let view = self.view()?;
        let next = view.next;
        match view.void.take().and_then(|last| last.checked_sub(next)) {
            None | Some(0) => Ok(()),
            Some(more) => self.remove(u64::MAX, Some((next, more.saturating_add(1))), None).await,
        }
    }

    /// Takes back what an unfinished write has appended, or may append yet.
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
        let is_late = view.slots.range(view.next..).any(|(_, slot)| !slot.is_settled());
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
        let kept = view.numbers.get(..keep).unwrap_or(&view.numbers).to_vec();
        let mut removed: Vec<u64> = view.numbers.get(keep..).unwrap_or_default().to_vec();
        let truncation = Truncation::new(kept.last().copied(), next.max(appended.end), view.truncation.as_ref());
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
        // Whoever appends looks at the record afterwards, and takes the proposal back.
        let mut refused = self.refuse_if_appended(next).await;
        if refused.is_ok() && behind != next {
            refused = self.refuse_if_appended(behind).await;
        }
        if let Err(error) = refused {
            self.touch_agent(Marker::Unchanged).await?;
            return Err(error);
        }
        let place = self.storage.locate(self.agent.key());
        let Some(proposed) = self.agent.known() else { return Ok(()) };
        let marker = Marker::Set(truncation.clone());
        let commit = match record {
            Some(record) => documents::merged_record(&place, Some(proposed), record, marker)?.0,
            None => documents::touched(&place, proposed, marker)?,
        };
        self.pending = Some(Pending { truncation, kept, removed, commit: commit.clone(), before, is_refused: false });
        if let Err(error) = self.write_agent(commit).await {
            self.pending = self.pending.take().filter(|_| !error.is_conflict());
            return Err(error);
        }
        self.truncated();
        // It is committed. What fails here is done before the next write.
        drop(self.delete_removed().await);
        Ok(())
    }

    /// The conversation is truncated from here on.
    fn truncated(&mut self) {
        let (Some(pending), Some(view)) = (self.pending.take(), &mut self.view) else { return };
        let before = pending.truncation.before();
        view.slots.retain(|number, _| pending.kept.last() == Some(number) || *number >= before);
        view.numbers = pending.kept;
        view.next = before;
        view.truncation = Some(pending.truncation);
        view.leftovers = pending.removed;
        view.repairs.clear();
        view.deletes = true;
    }

    /// Finds out whether a truncation whose outcome is unknown has happened, and sees to it that it does not happen later.
    pub(super) async fn settle_truncation(&mut self) -> Result<(), SessionError> {
        let place = self.storage.locate(self.agent.key());
        for _ in 0..ATTEMPTS {
            let Some(pending) = &self.pending else { return Ok(()) };
            let found = self.storage.read(self.agent.key()).await?;
            let Some(found) = found else {
                self.pending = None;
                return Err(self.truncated_by_another(None));
            };
            let has_happened = self.has_happened(pending, &found.content)?;
            if has_happened && !pending.is_refused {
                self.agent.observe(Some(found));
                self.truncated();
                return Ok(());
            }
            let is_own = if has_happened {
                found.content == pending.commit
            } else {
                self.agent.is_unanswered(&found.content) || self.agent.known() == Some(&found.content)
            };
            if !is_own {
                // Another worker has changed the record: what is under way does nothing any more.
                self.pending = None;
                return Ok(());
            }
            let bytes = documents::touched(&place, &pending.before, Marker::Unchanged)?;
            self.agent.observe(Some(found));
            if self.agent.write_once(&self.storage, bytes).await? {
                self.pending = None;
                return Ok(());
            }
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// The conversation was read with this record: a truncation that has happened stands, and another must not happen any
    /// more.
    pub(super) fn has_read(&mut self, record: Option<&Document>) -> Result<(), SessionError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        match record {
            Some(found) if self.has_happened(pending, &found.content)? => {
                self.agent.observe(Some(found.clone()));
                self.pending = None;
            }
            _ => self.pending.iter_mut().for_each(|pending| pending.is_refused = true),
        }
        Ok(())
    }

    fn has_happened(&self, pending: &Pending, found: &Bytes) -> Result<bool, SessionError> {
        if *found == pending.commit {
            return Ok(true);
        }
        let place = self.storage.locate(self.agent.key());
        // Others may have gone on from it.
        let marker = documents::truncation(&place, found)?;
        Ok(marker.is_some_and(|marker| marker.is_same(&pending.truncation))
            && documents::agent_record(&place, found)? == documents::agent_record(&place, &pending.commit)?)
    }

    /// Shortens the batch that the newest truncation has cut: what was removed must not stay in it.
    pub(super) async fn cut_batch(&mut self, truncation: &Truncation) -> Result<(), SessionError> {
        let Some(number) = truncation.after() else { return Ok(()) };
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let Some(last) = storage.read(&self.message_key(number)).await? else { return Ok(()) };
        let first = documents::batch(&self.place(number), &last.content)?.continues.unwrap_or(number);
        let Some(keep) = number.checked_sub(first).and_then(|keep| usize::try_from(keep).ok()) else { return Ok(()) };
        let place = self.place(first);
        let mut found = if first == number { Some(last) } else { storage.read(&self.message_key(first)).await? };
        for _ in 0..ATTEMPTS {
            let Some(document) = found else { return Ok(()) };
            let bytes = documents::cut_followers(&place, &document.content, keep)?;
            let slot = self.view()?.slot(&folder, first);
            let is_known =
                slot.known().is_none_or(|known| *known == document.content) || slot.is_unanswered(&document.content);
            if is_known || first != number {
                slot.observe(Some(document));
                let Some(bytes) = bytes else { return Ok(()) };
                if slot.write_once(&storage, bytes).await? {
                    return Ok(());
                }
            } else if let Some(bytes) = bytes {
                // Another worker has changed the message: this one has to notice when it writes it.
                storage.update(slot.key(), bytes, &document).await?;
            } else {
                return Ok(());
            }
            found = storage.read(&self.message_key(first)).await?;
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// Writes the agent's document as it is known, but now, so that nobody else who knows it can write it.
    pub(super) async fn touch_agent(&mut self, marker: Marker) -> Result<(), SessionError> {
        let place = self.storage.locate(self.agent.key());
        let Some(known) = self.agent.known() else { return Ok(()) };
        let bytes = documents::touched(&place, known, marker)?;
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

    /// The newest message is as it was before a write that has not ended.
    async fn restore_original(&mut self) -> Result<(), SessionError> {
        match self.view()?.original.clone() {
            Some(message) => self.replace(&message).await,
            None => Ok(()),
        }
    }
}
