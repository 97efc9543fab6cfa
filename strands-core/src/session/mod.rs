//! Conversations that outlive the process: what an agent keeps in a session, and what a store of sessions owes it.

mod content;
mod error;
mod record;

use std::sync::Arc;

use async_trait::async_trait;

pub use content::{ContentStore, InMemoryContentStore};
pub use error::SessionError;
pub use record::{AgentRecord, InternalState};

use crate::message::Message;

/// The storage of one session: the conversations and states of the agents in it.
///
/// An implementation stands under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - Writes are conditional. Two workers on one session never overwrite each other: the second gets
///   [`SessionError::Conflict`], and nothing of the first is lost.
/// - A [`MessageBatch`] is atomic: a reader sees all of it or nothing.
/// - What `write`, `save` and `truncate` have returned `Ok` for survives a crash.
/// - A crash at any instant loses at most what was being written, and never what was there before.
/// - A write whose future was dropped may or may not have happened; the same worker can repeat it, or write something
///   else in its place, without a conflict with itself.
///
/// `testing::contract` has a test suite for all of it (feature `contract`).
#[async_trait]
#[doc(alias = "memory", alias = "checkpointer")]
pub trait SessionManager: Send + Sync {
    /// Returns the session id.
    fn session_id(&self) -> &str;

    /// Opens an agent's part of the session. Reads what is needed to go on, and writes nothing.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError`] if the id is invalid or the store can't be read.
    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError>;
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
}

/// An agent's part of a session, and what was kept of it.
#[non_exhaustive]
pub struct OpenedSession {
    /// Where to read the conversation and write what follows.
    pub session: Box<dyn Session>,
    /// What was kept beside the messages. `None` for an agent that is new to the session.
    pub record: Option<AgentRecord>,
}

impl OpenedSession {
    /// An agent that is new to the session, or that was kept.
    pub fn new(session: Box<dyn Session>, record: Option<AgentRecord>) -> Self {
        Self { session, record }
    }
}

impl std::fmt::Debug for OpenedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedSession").field("known", &self.record.is_some()).finish_non_exhaustive()
    }
}

/// One agent's part of a session, as one worker sees it. It remembers how far the conversation had come when this worker
/// last read or wrote it, and refuses to write over what another worker has done since.
///
/// Messages are addressed by their zero-based position among the messages that the session holds.
#[async_trait]
pub trait Session: Send + Sync {
    /// Reads the messages in `range`, oldest first. Reads the store afresh, so that what is written afterwards follows
    /// the newest message.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Conflict`] if another worker has removed messages between the opening and the first
    /// reading: open the session again. Returns another error if the store can't be read or holds something that is not a
    /// message.
    async fn read(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError>;

    /// Writes messages as a unit: a reader sees all of them or none.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Conflict`] if another worker has appended or removed messages since this one last read or
    /// wrote, or if both replace the newest one, and another error if the store can't be written. That another worker has
    /// replaced the newest message need not keep this one from appending to it.
    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError>;

    /// Writes the agent's record if it changes anything, and only over the record that this worker knows.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError>;

    /// Removes all messages but the first `keep`, and writes the agent's record, as a unit.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError>;

    /// Called when an invocation has ended and everything that changed with it has been written. The default does
    /// nothing.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    async fn invocation_ended(&mut self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// Messages that are written to a session as a unit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MessageBatch {
    /// A new version of the newest message in the session, if it has changed.
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

/// A range of the messages of a session, by zero-based position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageRange {
    /// The first of an unbroken run that ends with the newest message.
    pub from: u64,
    /// Positions before `from`, ascending.
    pub also: Vec<u64>,
}

impl MessageRange {
    /// Creates a range of all messages from a position on, and those at some earlier positions.
    pub fn new(from: u64, also: Vec<u64>) -> Self {
        Self { from, also }
    }
}
