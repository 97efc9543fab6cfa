//! Session traits: storage of an agent's conversation and state, and of the runs of graphs and swarms, beyond the process.

mod content;
mod error;
mod multi_agent;
mod record;

use std::sync::Arc;

use async_trait::async_trait;

pub use content::{ContentStore, InMemoryContentStore};
pub use error::SessionError;
pub use multi_agent::MultiAgentSession;
pub use record::{AgentRecord, InternalState};

use crate::message::Message;

/// Storage of one session: the conversations and states of its agents, and the runs of its graphs and swarms.
///
/// Implement it under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - Writes are conditional. Two workers on one session never overwrite each other: the second gets
///   [`SessionError::Conflict`], and no write of the first is lost.
/// - A [`MessageBatch`] is atomic: a reader sees all of it or none of it.
/// - Data is durable when `write`, `save` or `truncate` returns `Ok`.
/// - A crash loses at most the write in progress, and no earlier data.
/// - A write whose future was dropped may or may not have happened. The same worker can repeat it, or make another write
///   instead, without a conflict with itself.
///
/// `testing::contract` has a test suite for this contract (feature `contract`).
#[async_trait]
#[doc(alias = "memory", alias = "checkpointer")]
pub trait SessionManager: Send + Sync {
    /// Returns the session id.
    fn session_id(&self) -> &str;

    /// Opens an agent's part of the session, without writing to the store.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError`] if the id is invalid or the store can't be read.
    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError>;

    /// Opens the part of the session that stores the run of a graph or swarm, without writing to the store. Agents and graphs
    /// don't share ids: an agent with the same id has a part of its own.
    ///
    /// The default is for managers that store agents alone.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::NoMultiAgent`] if the manager stores no such runs, and another error if the id is invalid.
    async fn open_multi_agent(&self, _multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        Err(SessionError::NoMultiAgent { session_id: self.session_id().to_owned() })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<M: SessionManager + ?Sized> SessionManager for Arc<M> {
    fn session_id(&self) -> &str {
        (**self).session_id()
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        (**self).open(agent_id).await
    }

    async fn open_multi_agent(&self, multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        (**self).open_multi_agent(multi_agent_id).await
    }
}

/// An agent's part of a session, with its stored record.
#[non_exhaustive]
pub struct OpenedSession {
    /// Access to the messages and the record.
    pub session: Box<dyn Session>,
    /// Stored record of the agent. `None` for an agent that is new to the session.
    pub record: Option<AgentRecord>,
}

impl OpenedSession {
    /// Creates an opened session. `record` is `None` for a new agent.
    pub fn new(session: Box<dyn Session>, record: Option<AgentRecord>) -> Self {
        Self { session, record }
    }
}

impl std::fmt::Debug for OpenedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedSession").field("known", &self.record.is_some()).finish_non_exhaustive()
    }
}

/// One agent's part of a session, as one worker sees it.
///
/// It tracks the state that this worker has last read or written, and returns a conflict instead of overwriting later writes
/// of another worker. Messages are addressed by their zero-based position in the session.
#[async_trait]
pub trait Session: Send + Sync {
    /// Reads the messages in `range` from the store, oldest first. Later writes are appended to the newest message read.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Conflict`] if another worker has removed messages since the session was opened: open it
    /// again. Returns another error if the store can't be read or a document is not a message.
    async fn read(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError>;

    /// Writes messages atomically: a reader sees all of them or none.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Conflict`] if another worker has appended or removed messages since this one last read or
    /// wrote, or if both replace the newest one, and another error if the store can't be written. If another worker has
    /// only replaced the newest message, an append may succeed.
    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError>;

    /// Writes the agent's record if it has changed, on the condition that the stored record is the one that this worker
    /// last read or wrote.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError>;

    /// Removes all messages after the first `keep`, and writes the agent's record, atomically.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError>;

    /// Returns true if the agent may [`save`](Self::save) a record later that it does not need to continue: when it restores
    /// the session, it repeats the trims of a sliding window. So an invocation that only trims the conversation needs no
    /// write of the record.
    ///
    /// The default is false: every change of the record is saved at the end of an invocation. Return true only if `read`
    /// also returns messages that were removed by the newest record.
    fn allows_late_records(&self) -> bool {
        false
    }

    /// Called after an invocation has ended and all its changes are written. The default does nothing.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    async fn invocation_ended(&mut self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// Messages that are written to a session atomically.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MessageBatch {
    /// New version of the newest message in the session, if it has changed.
    pub replaced: Option<Arc<Message>>,
    /// Messages to append, oldest first.
    pub appended: Vec<Arc<Message>>,
}

impl MessageBatch {
    /// Creates a batch that appends messages.
    pub fn append(messages: impl IntoIterator<Item = impl Into<Arc<Message>>>) -> Self {
        Self { replaced: None, appended: messages.into_iter().map(Into::into).collect() }
    }

    /// Creates a batch that replaces the newest message.
    pub fn replace(message: impl Into<Arc<Message>>) -> Self {
        Self { replaced: Some(message.into()), appended: Vec::new() }
    }

    /// Returns true if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_none() && self.appended.is_empty()
    }
}

/// A set of messages of a session, by zero-based position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageRange {
    /// First position of a contiguous range that ends with the newest message.
    pub from: u64,
    /// Additional positions before `from`, ascending.
    pub earlier: Vec<u64>,
}

impl MessageRange {
    /// Creates a range of all messages from `from` on, and of those at the positions in `earlier`.
    pub fn new(from: u64, earlier: Vec<u64>) -> Self {
        Self { from, earlier }
    }
}
