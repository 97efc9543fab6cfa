//! Session of one agent, as one worker sees it: one document for each message, in the layout of Strands.
//!
//! - The document of a batch's first message commits the batch. It is created at the next message's number, where two
//!   workers conflict, and contains the rest of the batch. A worker that finds an incomplete batch reads it as complete,
//!   and completes it before it writes.
//! - A truncation is proposed in the agent's document, and committed by the agent's record, with a marker in it. A worker
//!   that finds documents covered by the marker ignores them, and deletes them before it writes.
//! - After an append, a worker checks the marker and drops a truncation that is only proposed. Before it commits a
//!   truncation, a worker checks for appended messages. So at most one of them succeeds. Each document names the
//!   truncation that its writer knew; a document of a writer that did not know the newest is void.

mod append;
mod created_batch;
mod listing;
mod read;
mod record;
mod repair;
mod replace;
mod truncate;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError};

use crate::storage::Storage;
use crate::tracked_document::TrackedDocument;
use crate::{documents, key_layout};
use truncate::Pending;
use view::View;

/// The [`Session`] of one agent in a store.
#[derive(Debug)]
pub(crate) struct StoredSession {
    storage: Storage,
    session_id: String,
    agent_id: String,
    /// The folder of the messages.
    folder: String,
    /// The agent's document. It is created before the first message.
    agent: TrackedDocument,
    /// The conversation as this worker last read or wrote it; `None` before that.
    view: Option<View>,
    /// The agent's document at the last append that was valid with it, and the truncation that this worker knew.
    unaffected_by: Option<(Bytes, Option<documents::Truncation>)>,
    /// A truncation whose outcome is unknown.
    pending: Option<Pending>,
}

impl StoredSession {
    /// Opens the session and reads the agent's record.
    pub(crate) async fn open(
        storage: Storage,
        session_id: &str,
        agent_id: &str,
    ) -> Result<(Self, Option<AgentRecord>), SessionError> {
        let mut agent = TrackedDocument::new(key_layout::agent_document(session_id, agent_id));
        let location = storage.locate(agent.key());
        let record = match agent.read(&storage).await? {
            Some(bytes) => Some(documents::agent_record(&location, bytes)?),
            None => None,
        };
        let session = Self {
            storage,
            session_id: session_id.to_owned(),
            agent_id: agent_id.to_owned(),
            folder: key_layout::messages_folder(session_id, agent_id),
            agent,
            view: None,
            unaffected_by: None,
            pending: None,
        };
        Ok((session, record))
    }

    /// Reads the conversation if needed, and completes all work that must precede a write.
    async fn prepare(&mut self) -> Result<(), SessionError> {
        self.settle_truncation().await?;
        if self.view.is_none() {
            self.load(&MessageRange::new(u64::MAX, Vec::new())).await?;
        }
        self.repair().await?;
        self.remove_void().await
    }

    fn view(&mut self) -> Result<&mut View, SessionError> {
        match &mut self.view {
            Some(view) => Ok(view),
            None => Err(crate::storage::failed("write", &self.folder, "the conversation has not been read")),
        }
    }

    fn message_key(&self, number: u64) -> String {
        key_layout::message_document(&self.folder, number)
    }

    fn location(&self, number: u64) -> String {
        self.storage.locate(&self.message_key(number))
    }

    fn conflict(&self, what: String, expected: Option<String>, found: Option<&[u8]>) -> SessionError {
        SessionError::Conflict {
            session_id: self.session_id.clone(),
            what,
            expected: expected.unwrap_or_else(|| "absent".to_owned()),
            found: found.map_or_else(|| "gone".to_owned(), documents::summary),
        }
    }
}

#[async_trait]
impl Session for StoredSession {
    async fn read(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        self.load(range).await
    }

    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.prepare().await?;
        match (batch.appended.split_first(), &batch.replaced) {
            (Some((first, rest)), replaced) => self.append(first, rest, replaced.clone()).await,
            (None, Some(replaced)) => self.replace(replaced).await,
            (None, None) => Ok(()),
        }
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        self.settle_truncation().await?;
        self.write_record(record, documents::Marker::Unchanged).await
    }

    /// Returns true: all messages have documents.
    fn allows_late_records(&self) -> bool {
        true
    }

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        self.prepare().await?;
        self.create_record_if_absent().await?;
        self.remove_messages(keep, record).await
    }
}
