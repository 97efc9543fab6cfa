//! One agent's part of a session, as one worker sees it: one document for each message, in the layout of Strands.
//!
//! - A batch is committed by the document of its first message, which is created where the next message goes; two workers
//!   contend there. The document carries the rest of the batch. Whoever finds the batch incomplete reads it as complete,
//!   and completes it before writing.
//! - A truncation is proposed in the agent's document, and committed by the agent's record, with a marker in it. Whoever
//!   finds documents that the marker covers ignores them, and deletes them before writing.
//! - Whoever appends looks at the marker afterwards, and drops a truncation that is only proposed; whoever truncates looks
//!   for an appended message between the two. So at most one of them succeeds. Each document says which truncation its
//!   writer knew; one that does not know the newest is void.

mod append;
mod listing;
mod read;
mod record;
mod repair;
mod replace;
mod truncate;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError};

use crate::slot::Slot;
use crate::storage::Storage;
use crate::{documents, layout};
use truncate::Pending;
use view::View;

/// One agent's part of a session.
#[derive(Debug)]
pub(crate) struct StoredSession {
    storage: Storage,
    session_id: String,
    agent_id: String,
    /// The folder of the messages.
    folder: String,
    /// The agent's document. If it is not known to be there, it is written before the first message.
    agent: Slot,
    /// The conversation as it was last read or written; `None` before that.
    view: Option<View>,
    /// A truncation whose outcome is unknown.
    pending: Option<Pending>,
}

impl StoredSession {
    /// Reads what is kept of the agent beside its messages.
    pub(crate) async fn open(
        storage: Storage,
        session_id: &str,
        agent_id: &str,
    ) -> Result<(Self, Option<AgentRecord>), SessionError> {
        let mut agent = Slot::new(layout::agent_document(session_id, agent_id));
        let place = storage.locate(agent.key());
        let record = match agent.read(&storage).await? {
            Some(bytes) => Some(documents::agent_record(&place, bytes)?),
            None => None,
        };
        let session = Self {
            storage,
            session_id: session_id.to_owned(),
            agent_id: agent_id.to_owned(),
            folder: layout::messages_folder(session_id, agent_id),
            agent,
            view: None,
            pending: None,
        };
        Ok((session, record))
    }

    /// The conversation as this worker knows it, with everything done that has to be done before it is written.
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
        layout::message_document(&self.folder, number)
    }

    fn place(&self, number: u64) -> String {
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

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        self.prepare().await?;
        self.announce().await?;
        self.remove_messages(keep, record).await
    }
}
