//! Replacement of the newest message.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::StoredSession;
use crate::document_store::WriteOutcome;
use crate::documents::{self, Previous};
use crate::storage::failed;
use crate::tracked_document::Outcome;

/// Attempts at writing a document that other workers write, too.
const ATTEMPTS: usize = 5;

impl StoredSession {
    /// Replaces the newest message without an append.
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
        let location = self.location(number);
        let Some(known) = self.view()?.tracked_document(&folder, number).known().cloned() else {
            return Err(self.nothing_to_replace());
        };
        self.replace_in_batch(number, &known, message).await?;
        let bytes = documents::replaced_message(&location, &known, message)?;
        let outcome = self.view()?.tracked_document(&folder, number).write(&storage, bytes).await?;
        self.view()?.original = None;
        match outcome {
            // If another worker has appended meanwhile, the message was replaced before that. A concurrent batch that
            // replaces it, too, is void.
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => {
                let expected = Some(documents::summary(&known));
                Err(self.conflict(format!("message {number}"), expected, found.as_deref()))
            }
        }
    }

    /// Remembers the newest message before a write replaces it, to restore it if the write is abandoned. Reads it if
    /// `check` is set or it is unknown. Returns a conflict if another worker has changed it.
    pub(super) async fn remember_original(&mut self, check: bool) -> Result<Previous, SessionError> {
        let storage = self.storage.clone();
        let Some(number) = self.view()?.numbers.last().copied() else { return Err(self.nothing_known().await) };
        let (location, folder) = (self.location(number), self.folder.clone());
        let tracked = self.view()?.tracked_document(&folder, number);
        if check || tracked.known().is_none() || !tracked.is_settled() {
            let Some(found) = storage.read(tracked.key()).await? else {
                let expected =
                    Some(tracked.known().map_or_else(|| "there".to_owned(), |known| documents::summary(known)));
                return Err(self.conflict(format!("message {number}"), expected, None));
            };
            if let Some(known) = tracked.known().filter(|known| **known != found.content)
                && !tracked.is_unconfirmed(&found.content)
            {
                let expected = Some(documents::summary(known));
                return Err(self.conflict(format!("message {number}"), expected, Some(&found.content)));
            }
            tracked.observe(Some(found));
        }
        let Some(known) = tracked.known() else { return Err(self.nothing_to_replace()) };
        let (message, updated_at) = (documents::message(&location, known)?, documents::updated_at(&location, known)?);
        self.view()?.original.get_or_insert(message);
        Ok(Previous { message_id: number, updated_at })
    }

    /// Replaces the copy of a message in the document that commits its batch. This comes first, so that no copy of a
    /// redacted message remains.
    pub(super) async fn replace_in_batch(
        &self,
        number: u64,
        stored: &Bytes,
        message: &Message,
    ) -> Result<(), SessionError> {
        let Some(first) = documents::batch(&self.location(number), stored)?.continues else { return Ok(()) };
        let Some(index) = number.checked_sub(first).and_then(|at| usize::try_from(at).ok()?.checked_sub(1)) else {
            return Ok(());
        };
        let (key, location) = (self.message_key(first), self.location(first));
        // An earlier write of this worker may still be in flight.
        for _ in 0..ATTEMPTS {
            let Some(document) = self.storage.read(&key).await? else { return Ok(()) };
            let replaced = documents::replaced_follower(&location, &document.content, index, message)?;
            let Some(bytes) = replaced else { return Ok(()) };
            if let WriteOutcome::Done(_) = self.storage.update(&key, bytes, &document).await? {
                return Ok(());
            }
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Returns a conflict if another worker has written the next message.
    pub(super) async fn refuse_if_appended(&mut self, number: u64) -> Result<(), SessionError> {
        let folder = self.folder.clone();
        let key = self.message_key(number);
        if !self.storage.exists(&key).await? {
            return Ok(());
        }
        let Some(found) = self.storage.read(&key).await? else { return Ok(()) };
        let tracked = self.view()?.tracked_document(&folder, number);
        let is_own = tracked.is_unconfirmed(&found.content) || tracked.known() == Some(&found.content);
        if is_own || self.is_void(number, &found.content)? {
            return Ok(());
        }
        Err(self.conflict(format!("message {number}"), None, Some(&found.content)))
    }

    /// Returns the error about a conversation without known messages.
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
