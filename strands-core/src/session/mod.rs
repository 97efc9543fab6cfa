//! Conversations that outlive the process: what an agent keeps in a session, and what a store of sessions owes it.

mod content;
mod error;
pub(crate) mod interrupt_state;
mod record;

use std::sync::Arc;

use async_trait::async_trait;

pub use content::{ContentStore, InMemoryContentStore};
pub use error::SessionError;
pub use record::{AgentRecord, InternalState};

use crate::message::Message;

/// A store of one session: the conversations and states of the agents in it.
///
/// # Contract
///
/// - Writes are conditional. Two workers on one session never overwrite each other: the second gets
///   [`SessionError::Conflict`], and nothing of the first is lost.
/// - What `append`, `replace_last` and `save` have returned `Ok` for survives a crash.
/// - A crash at any instant loses at most what was being written, and never what was there before.
#[async_trait]
pub trait SessionManager: Send + Sync {
    /// The session's id.
    fn session_id(&self) -> &str;

    /// Opens an agent's part of the session. Reads what is needed to go on, and writes nothing.
    ///
    /// # Errors
    ///
    /// [`SessionError`] when the id can't be stored, or the store can't be read.
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

/// One agent's part of a session, as one worker sees it. It knows how far the conversation had come when this worker
/// last read or wrote it, and refuses to write over what another worker has done since.
#[async_trait]
pub trait Session: Send + Sync {
    /// Reads the messages that `wanted` names, oldest first. Reads the store afresh, so that what is written afterwards
    /// follows the newest message.
    ///
    /// # Errors
    ///
    /// [`SessionError`] when the store can't be read or holds what is no message.
    async fn read(&mut self, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError>;

    /// Writes the next message.
    ///
    /// # Errors
    ///
    /// [`SessionError::Conflict`] when another worker has written it already; any other when the store can't be written.
    async fn append(&mut self, message: &Message) -> Result<(), SessionError>;

    /// Writes the newest message again, since it has changed: a prompt has joined it, or a guardrail has replaced it.
    ///
    /// # Errors
    ///
    /// As for `append`.
    async fn replace_last(&mut self, message: &Message) -> Result<(), SessionError>;

    /// Writes what is kept beside the messages.
    ///
    /// # Errors
    ///
    /// As for `append`.
    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError>;

    /// An invocation has ended, and all that changed with it has been written. The default does nothing.
    ///
    /// # Errors
    ///
    /// As for `append`.
    async fn invocation_ended(&mut self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// Messages of a session, by their number from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageRange {
    /// The first of an unbroken run to the newest.
    pub from: u64,
    /// Numbers before `from`, in rising order.
    pub also: Vec<u64>,
}

impl MessageRange {
    /// All messages from this number on, and these before it.
    pub fn new(from: u64, also: Vec<u64>) -> Self {
        Self { from, also }
    }
}
