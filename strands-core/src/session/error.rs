//! Errors of sessions.

use std::error::Error as StdError;

use crate::error_chain::ErrorChain;

/// An error of a session or its store.
///
/// `Display` says what failed, with the store's error. `Debug` prints the same, and all sources.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Error when another worker has written to the session since this one read it. Nothing is overwritten.
    #[error(
        "another worker has written to session `{session_id}`: {what} was expected to be {expected} and is {found}; build \
         the agent again to continue from there"
    )]
    Conflict {
        /// Session id.
        session_id: String,
        /// Object of the conflict, such as a message or a record.
        what: String,
        /// State that this worker expected.
        expected: String,
        /// State in the store.
        found: String,
    },
    /// Error when an id can't be stored.
    #[error("invalid {what} `{id}`: {reason}; use 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot")]
    InvalidId {
        /// Kind of id: `session id`, `agent id`, `multi-agent id`.
        what: &'static str,
        /// The id, truncated.
        id: String,
        /// Reason why the id is invalid.
        reason: &'static str,
    },
    /// Error when a session manager does not store the runs of graphs and swarms.
    #[error(
        "the session manager of session `{session_id}` stores no runs of graphs and swarms; use one of `strands::session`, or \
         implement `SessionManager::open_multi_agent`"
    )]
    NoMultiAgent {
        /// Session id.
        session_id: String,
    },
    /// Error when an object is not found.
    #[error("{what} not found in the store: {key}")]
    NotFound {
        /// Kind of object.
        what: &'static str,
        /// Key of the object in the store.
        key: String,
    },
    /// Error when an object in the store has invalid content.
    #[error("{key} can't be read as {expected}: {}; repair it, or move it away", ErrorChain::within(&**source))]
    Corrupt {
        /// Key of the object in the store.
        key: String,
        /// Kind of object that was expected.
        expected: &'static str,
        /// Source error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Error of the underlying store.
    #[error("the session store could not {action} {key}: {}", ErrorChain::within(&**source))]
    Storage {
        /// Operation: `read`, `write`, `list`, `delete`.
        action: &'static str,
        /// Key of the object in the store.
        key: String,
        /// Source error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

crate::error_chain::debug_with_sources!(SessionError);

impl SessionError {
    /// Returns true for a [`Conflict`](Self::Conflict) with another worker.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}
