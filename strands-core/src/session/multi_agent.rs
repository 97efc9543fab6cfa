//! Storage of the run of a graph or swarm.

use async_trait::async_trait;
use serde_json::Value;

use super::SessionError;

/// Storage of one graph or swarm in a session: one JSON document, an object with its run, as one worker sees it.
///
/// [`SessionManager::open_multi_agent`](super::SessionManager::open_multi_agent) returns it. Implement it under `#[async_trait]`,
/// which is re-exported.
///
/// # Contract
///
/// - A save is conditional: it succeeds only if the store has the document that this worker last read or saved. Of two workers
///   with the same view, exactly one saves, and the other gets [`SessionError::Conflict`], also if both save equal documents.
/// - A save writes, also if nothing has changed: with it, a worker claims the run.
/// - A document is read as it was saved, or not at all. It is durable when `save` returns `Ok`.
/// - A save whose future was dropped may or may not have happened. The same worker can save again, without a conflict with
///   itself.
///
/// `testing::contract::check_multi_agent_session` tests this contract (feature `contract`).
#[async_trait]
pub trait MultiAgentSession: Send + Sync {
    /// Reads the document. `None` if there is none. Later saves expect that the store still has it.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError`] if the store can't be read or the document is no JSON object.
    async fn read(&mut self) -> Result<Option<Value>, SessionError>;

    /// Replaces the document that this worker last read or saved. Before that, it expects that there is none.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Conflict`] if another worker has saved meanwhile; read again to continue from there. Returns
    /// another error if the store can't be written or the document is no JSON object.
    async fn save(&mut self, document: &Value) -> Result<(), SessionError>;
}
