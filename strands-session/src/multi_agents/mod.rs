//! Storage of the runs of graphs and swarms: one document each, in both layouts of Strands.

mod layout;
mod open_interrupts;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::session::{MultiAgentSession, SessionError};

use crate::storage::Storage;
use crate::tracked_document::{Outcome, TrackedDocument};
use crate::{id_validation, session_document};
pub(crate) use layout::Layout;
pub use open_interrupts::OpenRun;

/// The [`MultiAgentSession`] of one graph or swarm in a store.
#[derive(Debug)]
pub(crate) struct StoredRun {
    storage: Storage,
    layout: Layout,
    session_id: String,
    id: String,
    document: TrackedDocument,
}

impl StoredRun {
    /// Opens the storage of a run, without access to the store.
    pub(crate) fn open(storage: Storage, layout: Layout, session_id: &str, id: &str) -> Result<Self, SessionError> {
        id_validation::validate("session id", session_id)?;
        id_validation::validate("multi-agent id", id)?;
        let document = TrackedDocument::new(layout.key(session_id, id));
        Ok(Self { storage, layout, session_id: session_id.to_owned(), id: id.to_owned(), document })
    }

    fn conflict(&self, expected: Option<String>, found: Option<&[u8]>) -> SessionError {
        SessionError::Conflict {
            session_id: self.session_id.clone(),
            what: format!("the run of `{}`", self.id),
            expected: expected.unwrap_or_else(|| "absent".to_owned()),
            found: found.map_or_else(|| "gone".to_owned(), |bytes| self.layout.summary(bytes)),
        }
    }
}

#[async_trait]
impl MultiAgentSession for StoredRun {
    async fn read(&mut self) -> Result<Option<Value>, SessionError> {
        let location = self.storage.locate(self.document.key());
        match self.document.read(&self.storage).await? {
            Some(bytes) => self.layout.parse(&location, &self.id, bytes).map(|run| Some(Value::Object(run))),
            None => Ok(None),
        }
    }

    async fn save(&mut self, document: &Value) -> Result<(), SessionError> {
        let location = self.storage.locate(self.document.key());
        let known = self.document.known().map(AsRef::as_ref);
        let expected = known.map(|bytes| self.layout.summary(bytes));
        let Value::Object(run) = document else { return Err(layout::not_an_object(&location)) };
        let bytes = self.layout.write(&location, &self.id, run, known)?;
        if known.is_none() && self.layout == Layout::Messages {
            // Strands for Python takes a session without its own document for a new one, and overwrites its runs.
            session_document::create_if_absent(&self.storage, &self.session_id).await?;
        }
        match self.document.write(&self.storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => Err(self.conflict(expected, found.as_deref())),
        }
    }
}
