//! Writes of the agent's document: its record, and the marker of a truncation.

use strands_core::session::{AgentRecord, SessionError};

use super::StoredSession;
use crate::document_store::{Document, WriteOutcome};
use crate::documents::{self, Marker, Truncation};
use crate::session_document;
use crate::storage::failed;

/// Attempts at writing a document that other workers write, too.
const ATTEMPTS: usize = 5;

impl StoredSession {
    /// Creates the documents of the session and the agent before the first message, so that readers find them.
    pub(super) async fn create_record_if_absent(&mut self) -> Result<(), SessionError> {
        if self.agent.known().is_some() {
            return Ok(());
        }
        self.write_record(&documents::new_record(&self.agent_id), Marker::Unchanged).await
    }

    /// Writes the record if it has changed, or if the outcome of an earlier write is unknown.
    pub(super) async fn write_record(&mut self, record: &AgentRecord, marker: Marker) -> Result<(), SessionError> {
        let location = self.storage.locate(self.agent.key());
        if self.agent.known().is_none() {
            session_document::create_if_absent(&self.storage, &self.session_id).await?;
        }
        let stored = self.agent.known().map(AsRef::as_ref);
        let (bytes, changes) = documents::merged_record(&location, stored, record, marker)?;
        if !changes && self.agent.is_settled() {
            return Ok(());
        }
        self.write_agent(bytes).await
    }

    /// Checks that no other worker has truncated the known conversation, and drops a proposed truncation of a worker that
    /// has not seen the appended messages. `record` was read after the append.
    pub(super) async fn refuse_if_truncated(&mut self, record: Option<Document>) -> Result<(), SessionError> {
        let unaffected = self.unaffected_by.as_ref().zip(record.as_ref());
        if unaffected.is_some_and(|((known, truncation), record)| {
            *known == record.content && self.view.as_ref().is_some_and(|view| view.truncation == *truncation)
        }) {
            return Ok(());
        }
        let location = self.storage.locate(self.agent.key());
        let mut record = record;
        for _ in 0..ATTEMPTS {
            let found = self.truncation_in(record.as_ref())?;
            // Strands drops the marker when it writes the record.
            let is_known = found.is_none() || is_same_truncation(self.view()?.truncation.as_ref(), found.as_ref());
            let Some(document) = record.take_if(|_| is_known) else {
                return Err(self.truncated_by_another(record.as_ref()));
            };
            if !documents::is_truncation_proposed(&location, &document.content)? {
                self.unaffected_by = Some((document.content, self.view()?.truncation.clone()));
                return Ok(());
            }
            let bytes = documents::touched(&location, &document.content, Marker::Unchanged)?;
            let is_ended = if self.is_known_record(&document.content)? {
                self.agent.observe(Some(document));
                self.agent.write_once(&self.storage, bytes).await?
            } else {
                matches!(self.storage.update(self.agent.key(), bytes, &document).await?, WriteOutcome::Done(_))
            };
            if is_ended {
                return Ok(());
            }
            record = self.storage.read(self.agent.key()).await?;
        }
        Err(failed("write", &location, "other workers write it at the same time; try again later"))
    }

    /// Returns true if a document has the record and the truncation that this worker knows.
    fn is_known_record(&self, found: &[u8]) -> Result<bool, SessionError> {
        let location = self.storage.locate(self.agent.key());
        let Some(known) = self.agent.known() else { return Ok(self.agent.is_unconfirmed(found)) };
        Ok(self.agent.is_unconfirmed(found)
            || (documents::agent_record(&location, found)? == documents::agent_record(&location, known)?
                && documents::truncation(&location, found)? == documents::truncation(&location, known)?))
    }

    pub(super) fn truncated_by_another(&self, record: Option<&Document>) -> SessionError {
        let expected = self.agent.known().map(|bytes| documents::summary(bytes));
        let found = record.map(|record| record.content.as_ref());
        let what = format!("the record of agent `{}`, with the length of its conversation,", self.agent_id);
        self.conflict(what, expected, found)
    }

    pub(super) fn known_truncation(&self) -> Result<Option<Truncation>, SessionError> {
        let location = self.storage.locate(self.agent.key());
        self.agent.known().map_or(Ok(None), |bytes| documents::truncation(&location, bytes))
    }

    pub(super) fn truncation_in(&self, record: Option<&Document>) -> Result<Option<Truncation>, SessionError> {
        let location = self.storage.locate(self.agent.key());
        record.map_or(Ok(None), |record| documents::truncation(&location, &record.content))
    }
}

/// Returns true for the same truncation, whether its documents are deleted or not.
pub(super) fn is_same_truncation(one: Option<&Truncation>, other: Option<&Truncation>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => true,
        _ => false,
    }
}
