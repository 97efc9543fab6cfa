//! Session of one agent that is stored as snapshots, as one worker sees it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError};

use super::agent_memory::{self, AgentMemory};
use super::{Policy, SaveOn, ids, key_layout};
use crate::storage::{Storage, failed};
use crate::tracked_document::{Outcome, TrackedDocument};

/// The [`Session`] of one agent in a store of snapshots.
pub(super) struct SnapshotSession {
    storage: Storage,
    policy: Policy,
    session_id: String,
    agent_id: String,
    latest: TrackedDocument,
    memory: AgentMemory,
    /// True until the messages that were loaded with the session are read.
    unread: bool,
    /// True if the memory has changes that are not stored.
    unsaved: bool,
    /// True if messages were written since the last invocation ended.
    has_new_messages: bool,
}

impl SnapshotSession {
    /// Reads the agent's latest snapshot.
    pub(super) async fn open(
        storage: Storage,
        policy: Policy,
        session_id: &str,
        agent_id: &str,
    ) -> Result<(Self, Option<AgentRecord>), SessionError> {
        let mut latest = TrackedDocument::new(key_layout::latest(session_id, agent_id));
        let memory = load(&mut latest, &storage).await?;
        let record = latest.known().is_some().then(|| memory.record(agent_id));
        let session = Self {
            storage,
            policy,
            session_id: session_id.to_owned(),
            agent_id: agent_id.to_owned(),
            latest,
            memory,
            unread: true,
            unsaved: false,
            has_new_messages: false,
        };
        Ok((session, record))
    }

    fn location(&self) -> String {
        self.storage.locate(self.latest.key())
    }

    /// Writes this memory as the latest snapshot. The session's own memory changes only if that succeeds.
    async fn write_memory(&mut self, mut memory: AgentMemory) -> Result<(), SessionError> {
        let bytes = memory.write(&self.location())?;
        let expected = self.latest.known().map_or_else(|| "absent".to_owned(), |bytes| agent_memory::summary(bytes));
        match self.latest.write(&self.storage, bytes).await? {
            Outcome::Done => {
                self.memory = memory;
                self.unread = false;
                self.unsaved = false;
                Ok(())
            }
            Outcome::Conflict(found) => Err(conflict(&self.session_id, &self.agent_id, expected, found.as_deref())),
        }
    }
}

/// Reads the memory in an agent's latest snapshot.
async fn load(latest: &mut TrackedDocument, storage: &Storage) -> Result<AgentMemory, SessionError> {
    let location = storage.locate(latest.key());
    match latest.read(storage).await? {
        Some(bytes) => AgentMemory::parse(&location, bytes),
        None => AgentMemory::new(&location),
    }
}

#[async_trait]
impl Session for SnapshotSession {
    async fn read(&mut self, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        // The first read returns the messages that match the record from `open`. If they are outdated, the first write
        // reports a conflict.
        if !std::mem::take(&mut self.unread) && !self.unsaved {
            self.memory = load(&mut self.latest, &self.storage).await?;
        }
        let location = self.location();
        self.memory.read(&location, wanted)
    }

    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.unread = false;
        let mut memory = self.memory.clone();
        if batch.replaced.as_ref().is_some_and(|message| !memory.replace_last(message)) {
            return Err(SessionError::NotFound { what: "the message to replace", key: self.location() });
        }
        for message in &batch.appended {
            memory.push(message);
        }
        // A replacement is written at once: it may redact content.
        if batch.replaced.is_some() || self.policy.save_on == SaveOn::Message {
            self.write_memory(memory).await?;
        } else {
            self.memory = memory;
            self.unsaved = true;
        }
        self.has_new_messages = true;
        Ok(())
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        let mut memory = self.memory.clone();
        // The stored snapshot is unknown while a write is unconfirmed.
        if memory.update(&self.location(), record)? || self.unsaved || !self.latest.is_settled() {
            self.write_memory(memory).await?;
        }
        Ok(())
    }

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        let mut memory = self.memory.clone();
        memory.truncate(keep);
        memory.update(&self.location(), record)?;
        self.write_memory(memory).await
    }

    async fn invocation_ended(&mut self) -> Result<(), SessionError> {
        if self.unsaved {
            self.write_memory(self.memory.clone()).await?;
        }
        // The latest snapshot is written first, so that a worker with a conflict creates no checkpoint.
        if std::mem::take(&mut self.has_new_messages)
            && self.policy.is_checkpoint(|| self.memory.snapshot())
            && let Some(bytes) = self.latest.known()
        {
            write_checkpoint(&self.storage, &self.session_id, &self.agent_id, bytes.clone()).await?;
        }
        Ok(())
    }
}

pub(super) fn conflict(session_id: &str, agent_id: &str, expected: String, found: Option<&[u8]>) -> SessionError {
    SessionError::Conflict {
        session_id: session_id.to_owned(),
        what: format!("the latest snapshot of agent `{agent_id}`"),
        expected,
        found: found.map_or_else(|| "gone".to_owned(), agent_memory::summary),
    }
}

/// Writes a checkpoint and returns its id.
pub(super) async fn write_checkpoint(
    storage: &Storage,
    session_id: &str,
    agent_id: &str,
    bytes: Bytes,
) -> Result<String, SessionError> {
    let snapshot_id = ids::next();
    let mut tracked =
        TrackedDocument::new(key_layout::checkpoint(&key_layout::history_folder(session_id, agent_id), &snapshot_id));
    match tracked.write(storage, bytes).await? {
        Outcome::Done => Ok(snapshot_id),
        Outcome::Conflict(_) => {
            Err(failed("write", &storage.locate(tracked.key()), "another snapshot has the same id"))
        }
    }
}
