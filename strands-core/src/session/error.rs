//! Why a session could not be read or written.

use std::error::Error as StdError;

use crate::error_chain::ErrorChain;

/// Why a session could not be read or written.
///
/// `Display` says what failed, and what the store said. `Debug` prints the same with all sources.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Another worker has written to the session since this one read it. Nothing was overwritten.
    #[error(
        "another worker has written to session `{session_id}`: {what} was expected to be {expected} and is {found}; build \
         the agent again to go on from there"
    )]
    Conflict {
        /// The session.
        session_id: String,
        /// What both wanted to write.
        what: String,
        /// What this worker knew of it.
        expected: String,
        /// What it is now.
        found: String,
    },
    /// An id that can't be stored.
    #[error("{what} `{id}` is not valid: {reason}; use 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot")]
    InvalidId {
        /// What the id is of: `session id`, `agent id`.
        what: &'static str,
        /// The id, shortened.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What was to be read is not there.
    #[error("{what} is not in the store: {key}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Where.
        key: String,
    },
    /// What was read is not what it should be.
    #[error("{key} can't be read as {expected}: {}; repair it, or move it away", ErrorChain::within(&**source))]
    Corrupt {
        /// Where it is.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store did not do what it was asked.
    #[error("the session store could not {action} {key}: {}", ErrorChain::within(&**source))]
    Storage {
        /// What it was asked: `read`, `write`, `list`, `delete`.
        action: &'static str,
        /// Where.
        key: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

crate::error_chain::debug_with_sources!(SessionError);

impl SessionError {
    /// True when another worker was faster.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}
