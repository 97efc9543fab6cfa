//! The agent's document: its record, and the marker of a truncation.

use strands_core::session::{AgentRecord, SessionError};

use super::StoredSession;
use crate::document_store::{Document, Written};
use crate::documents::{self, Marker, Truncation};
use crate::layout;
use crate::slot::{Outcome, Slot};
use crate::storage::failed;

/// Attempts at writing a document that others write, too.
const ATTEMPTS: usize = 5;

impl StoredSession {
    /// Makes the session and the agent known to readers before the first message is.
    pub(super) async fn announce(&mut self) -> Result<(), SessionError> {
        if self.agent.known().is_some() {
            return Ok(());
        }
        self.write_record(&documents::new_record(&self.agent_id), Marker::Unchanged).await
    }

    /// Writes the record if it changes anything. Nothing is known about the document while a write is unanswered.
    pub(super) async fn write_record(&mut self, record: &AgentRecord, marker: Marker) -> Result<(), SessionError> {
        let place = self.storage.locate(self.agent.key());
        if self.agent.known().is_none() {
            self.write_session().await?;
        }
        let stored = self.agent.known().map(AsRef::as_ref);
        let (bytes, changes) = documents::merged_record(&place, stored, record, marker)?;
        if !changes && self.agent.is_settled() {
            return Ok(());
        }
        self.write_agent(bytes).await
    }

    /// Writes the session's document unless there is one, whoever wrote it.
    async fn write_session(&self) -> Result<(), SessionError> {
        let key = layout::session_document(&self.session_id);
        let bytes = documents::new_session(&self.storage.locate(&key), &self.session_id)?;
        let mut slot = Slot::new(key);
        match slot.write(&self.storage, bytes).await? {
            Outcome::Done | Outcome::Conflict(_) => Ok(()),
        }
    }

    /// Checks that no other worker has truncated the conversation that this one knows, and sees to it that none does that
    /// did not see what this one has appended. `record` was read after that.
    pub(super) async fn refuse_if_truncated(&mut self, record: Option<Document>) -> Result<(), SessionError> {
        let place = self.storage.locate(self.agent.key());
        let mut record = record;
        for _ in 0..ATTEMPTS {
            let found = self.truncation_in(record.as_ref())?;
            // Strands drops the marker where it writes the record.
            let is_known = found.is_none() || is_same_truncation(self.view()?.truncation.as_ref(), found.as_ref());
            let Some(document) = record.take_if(|_| is_known) else {
                return Err(self.truncated_by_another(record.as_ref()));
            };
            if !documents::is_truncation_proposed(&place, &document.content)? {
                return Ok(());
            }
            let bytes = documents::touched(&place, &document.content, Marker::Unchanged)?;
            let is_ended = if self.is_known_record(&document.content)? {
                self.agent.observe(Some(document));
                self.agent.write_once(&self.storage, bytes).await?
            } else {
                matches!(self.storage.update(self.agent.key(), bytes, &document).await?, Written::Done(_))
            };
            if is_ended {
                return Ok(());
            }
            record = self.storage.read(self.agent.key()).await?;
        }
        Err(failed("write", &place, "others write it at the same time; try again later"))
    }

    /// True if this says what this worker knows, whoever wrote it.
    fn is_known_record(&self, found: &[u8]) -> Result<bool, SessionError> {
        let place = self.storage.locate(self.agent.key());
        let Some(known) = self.agent.known() else { return Ok(self.agent.is_unanswered(found)) };
        Ok(self.agent.is_unanswered(found)
            || (documents::agent_record(&place, found)? == documents::agent_record(&place, known)?
                && documents::truncation(&place, found)? == documents::truncation(&place, known)?))
    }

    pub(super) fn truncated_by_another(&self, record: Option<&Document>) -> SessionError {
        let expected = self.agent.known().map(|bytes| documents::summary(bytes));
        let found = record.map(|record| record.content.as_ref());
        let what = format!("the record of agent `{}`, with the length of its conversation,", self.agent_id);
        self.conflict(what, expected, found)
    }

    pub(super) fn known_truncation(&self) -> Result<Option<Truncation>, SessionError> {
        let place = self.storage.locate(self.agent.key());
        self.agent.known().map_or(Ok(None), |bytes| documents::truncation(&place, bytes))
    }

    pub(super) fn truncation_in(&self, record: Option<&Document>) -> Result<Option<Truncation>, SessionError> {
        let place = self.storage.locate(self.agent.key());
        record.map_or(Ok(None), |record| documents::truncation(&place, &record.content))
    }
}

/// True for the same truncation, however far it has come.
pub(super) fn is_same_truncation(one: Option<&Truncation>, other: Option<&Truncation>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => true,
        _ => false,
    }
}
