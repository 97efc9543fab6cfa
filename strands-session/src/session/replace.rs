//! Replacing the newest message.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use crate::document_store::Written;
use crate::documents::{self, Previous};
use crate::slot::Outcome;
use crate::storage::failed;

/// Attempts at writing a document that others write, too.
const ATTEMPTS: usize = 5;

impl StoredSession {
    /// Replaces the newest message, and nothing else.
    pub(super) async fn replace(&mut self, message: &Arc<Message>) -> Result<(), SessionError> {
        self.withdraw().await?;
        let next = self.view()?.next;
        let (storage, agent) = (self.storage.clone(), self.agent.key().to_owned());
        let (record, appended) = join(storage.read(&agent), self.refuse_if_appended(next)).await;
        if self.agent.known().is_some() {
            self.refuse_if_truncated(record?).await?;
        }
        appended?;
        self.remember_original(false).await?;
        let (storage, folder) = (self.storage.clone(), self.folder.clone());
        let Some(number) = self.view()?.numbers.last().copied() else { return Err(self.nothing_to_replace()) };
        let place = self.place(number);
        let Some(known) = self.view()?.slot(&folder, number).known().cloned() else {
            return Err(self.nothing_to_replace());
        };
        self.replace_in_batch(number, &known, message).await?;
        let bytes = documents::replaced_message(&place, &known, message)?;
        let outcome = self.view()?.slot(&folder, number).write(&storage, bytes).await?;
        self.view()?.original = None;
        match outcome {
            // Where another worker has appended meanwhile, it was replaced before. A batch that replaces it, too, is void.
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => {
                let expected = Some(documents::summary(&known));
                Err(self.conflict(format!("message {number}"), expected, found.as_deref()))
            }
        }
    }

    /// Keeps in mind what the newest message is before a write replaces it: until the write has ended, another may take
    /// its place. Reads it if that has to be checked, or nothing is known of it, and refuses if another worker has changed
    /// it.
    pub(super) async fn remember_original(&mut self, check: bool) -> Result<Previous, SessionError> {
        let storage = self.storage.clone();
        let Some(number) = self.view()?.numbers.last().copied() else { return Err(self.nothing_known().await) };
        let (place, folder) = (self.place(number), self.folder.clone());
        let slot = self.view()?.slot(&folder, number);
        if check || slot.known().is_none() || !slot.is_settled() {
            let Some(found) = storage.read(slot.key()).await? else {
                let expected = Some(slot.known().map_or_else(|| "there".to_owned(), |known| documents::summary(known)));
                return Err(self.conflict(format!("message {number}"), expected, None));
            };
            if let Some(known) = slot.known().filter(|known| **known != found.content)
                && !slot.is_unanswered(&found.content)
            {
                let expected = Some(documents::summary(known));
                return Err(self.conflict(format!("message {number}"), expected, Some(&found.content)));
            }
            slot.observe(Some(found));
        }
        let Some(known) = slot.known() else { return Err(self.nothing_to_replace()) };
        let (message, updated_at) = (documents::message(&place, known)?, documents::updated_at(&place, known)?);
        self.view()?.original.get_or_insert(message);
        Ok(Previous { message_id: number, updated_at })
    }

    /// A message of a batch stands in the document that commits the batch, too: there it is replaced first, so that no
    /// copy of what was redacted stays behind.
    pub(super) async fn replace_in_batch(
        &self,
        number: u64,
        stored: &Bytes,
        message: &Message,
    ) -> Result<(), SessionError> {
        let Some(first) = documents::batch(&self.place(number), stored)?.continues else { return Ok(()) };
        let Some(index) = number.checked_sub(first).and_then(|at| usize::try_from(at).ok()?.checked_sub(1)) else {
            return Ok(());
        };
        let (key, place) = (self.message_key(first), self.place(first));
        // An earlier write of this worker may still be under way.
        for _ in 0..ATTEMPTS {
            let Some(document) = self.storage.read(&key).await? else { return Ok(()) };
            let replaced = documents::replaced_follower(&place, &document.content, index, message)?;
            let Some(bytes) = replaced else { return Ok(()) };
            if let Written::Done(_) = self.storage.update(&key, bytes, &document).await? {
                return Ok(());
            }
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// Refuses if another worker has written the next message.
    pub(super) async fn refuse_if_appended(&mut self, number: u64) -> Result<(), SessionError> {
        let folder = self.folder.clone();
        let key = self.message_key(number);
        if !self.storage.exists(&key).await? {
            return Ok(());
        }
        let Some(found) = self.storage.read(&key).await? else { return Ok(()) };
        let slot = self.view()?.slot(&folder, number);
        let is_own = slot.is_unanswered(&found.content) || slot.known() == Some(&found.content);
        if is_own || self.is_void(number, &found.content)? {
            return Ok(());
        }
        Err(self.conflict(format!("message {number}"), None, Some(&found.content)))
    }

    /// The error about a conversation that has no messages, as far as this worker knows.
    async fn nothing_known(&mut self) -> SessionError {
        let checked = match self.storage.read(self.agent.key()).await {
            Ok(record) if self.agent.known().is_some() => self.refuse_if_truncated(record).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        checked.err().unwrap_or_else(|| self.nothing_to_replace())
    }

    fn nothing_to_replace(&self) -> SessionError {
        SessionError::NotFound { what: "the message to replace", key: self.storage.locate(&self.folder) }
    }
}
