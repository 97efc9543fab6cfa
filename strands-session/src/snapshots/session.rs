//! One agent's part of a session that is kept as snapshots, as one worker sees it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError};

use super::memory::{self, Memory};
use super::{Policy, SaveOn, ids, layout};
use crate::slot::{Outcome, Slot};
use crate::storage::{Storage, failed};

/// One agent's part of a session.
pub(super) struct SnapshotSession {
    storage: Storage,
    policy: Policy,
    session_id: String,
    agent_id: String,
    latest: Slot,
    memory: Memory,
    /// True until somebody has read what opening the session has brought.
    unread: bool,
    /// True when the store does not have all of the memory.
    unsaved: bool,
    /// True when something was said since the last invocation ended.
    said: bool,
}

impl SnapshotSession {
    /// Reads the agent's latest snapshot.
    pub(super) async fn open(
        storage: Storage,
        policy: Policy,
        session_id: &str,
        agent_id: &str,
    ) -> Result<(Self, Option<AgentRecord>), SessionError> {
        let mut latest = Slot::new(layout::latest(session_id, agent_id));
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
            said: false,
        };
        Ok((session, record))
    }

    fn place(&self) -> String {
        self.storage.locate(self.latest.key())
    }

    /// Writes this memory over the latest snapshot. The session's own changes with it, or not at all.
    async fn write_memory(&mut self, mut memory: Memory) -> Result<(), SessionError> {
        let bytes = memory.write(&self.place())?;
        let expected = self.latest.known().map_or_else(|| "absent".to_owned(), |bytes| memory::summary(bytes));
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

/// What is in an agent's latest snapshot.
async fn load(latest: &mut Slot, storage: &Storage) -> Result<Memory, SessionError> {
    let place = storage.locate(latest.key());
    match latest.read(storage).await? {
        Some(bytes) => Memory::parse(&place, bytes),
        None => Memory::new(&place),
    }
}

#[async_trait]
impl Session for SnapshotSession {
    async fn read(&mut self, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        // An agent reads what belongs to the record that it was opened with. Whether that is still the newest, its
        // first write tells.
        if !std::mem::take(&mut self.unread) && !self.unsaved {
            self.memory = load(&mut self.latest, &self.storage).await?;
        }
        let place = self.place();
        self.memory.read(&place, wanted)
    }

    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.unread = false;
        let mut memory = self.memory.clone();
        if batch.replaced.as_ref().is_some_and(|message| !memory.replace_last(message)) {
            return Err(SessionError::NotFound { what: "the message to replace", key: self.place() });
        }
        for message in &batch.appended {
            memory.push(message);
        }
        // What is redacted does not wait.
        if batch.replaced.is_some() || self.policy.save_on == SaveOn::Message {
            self.write_memory(memory).await?;
        } else {
            self.memory = memory;
            self.unsaved = true;
        }
        self.said = true;
        Ok(())
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        let mut memory = self.memory.clone();
        // Nothing is known about the snapshot while a write is unanswered.
        if memory.update(&self.place(), record)? || self.unsaved || !self.latest.is_settled() {
            self.write_memory(memory).await?;
        }
        Ok(())
    }

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        let mut memory = self.memory.clone();
        memory.truncate(keep);
        memory.update(&self.place(), record)?;
        self.write_memory(memory).await
    }

    async fn invocation_ended(&mut self) -> Result<(), SessionError> {
        if self.unsaved {
            self.write_memory(self.memory.clone()).await?;
        }
        // The latest comes first: a worker that lost it to another one leaves nothing in the history.
        if std::mem::take(&mut self.said)
            && self.policy.keeps(|| self.memory.snapshot())
            && let Some(bytes) = self.latest.known()
        {
            keep(&self.storage, &self.session_id, &self.agent_id, bytes.clone()).await?;
        }
        Ok(())
    }
}

pub(super) fn conflict(session_id: &str, agent_id: &str, expected: String, found: Option<&[u8]>) -> SessionError {
    SessionError::Conflict {
        session_id: session_id.to_owned(),
        what: format!("the latest snapshot of agent `{agent_id}`"),
        expected,
        found: found.map_or_else(|| "gone".to_owned(), memory::summary),
    }
}

/// Writes a snapshot that stays as it is, and returns its id.
pub(super) async fn keep(
    storage: &Storage,
    session_id: &str,
    agent_id: &str,
    bytes: Bytes,
) -> Result<String, SessionError> {
    let snapshot_id = ids::next();
    let mut slot = Slot::new(layout::kept(&layout::history_folder(session_id, agent_id), &snapshot_id));
    match slot.write(storage, bytes).await? {
        Outcome::Done => Ok(snapshot_id),
        Outcome::Conflict(_) => Err(failed("write", &storage.locate(slot.key()), "another snapshot has its id")),
    }
}
