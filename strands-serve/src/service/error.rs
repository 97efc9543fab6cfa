//! Error of a turn.

use std::error::Error as StdError;
use std::sync::Arc;

use strands_core::session::SessionError;
use strands_core::{AgentError, BuildError};
use strands_identity::ApprovalError;

/// An error of a turn: it was refused, or its agent failed.
///
/// Errors that a user may see say what to do. The sources of the others are for the log; hosts respond with a status and no
/// detail.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// There is no such session, or it is not one of the identity's.
    #[error("no such session")]
    UnknownSession,
    /// The conversation of the agent has no such message: it is unknown, or older than the conversation that the agent has.
    #[error("no such message")]
    UnknownMessage,
    /// No such request waits for a response that the identity may give: it is unknown, has a response already, or is for others.
    #[error("no such request waits for a response of yours")]
    UnknownApproval,
    /// A title is empty, longer than 200 characters, or has control characters.
    #[error("invalid title: use 1 to 200 characters, without control characters")]
    InvalidTitle,
    /// The session has the beginning of the run only: the run goes on in another process, or that process has ended.
    #[error("the run has not ended yet, or was cut off; read the session")]
    Unfinished,
    /// There is no such run in this process, or it is not one of the identity's.
    #[error("no such run")]
    UnknownRun,
    /// The run that the turn continues is not the last one of the session; see [`TurnRequest::after`](crate::TurnRequest::after).
    #[error("the session has no such last run; continue after its newest response")]
    NotTheLastRun,
    /// The session has a run with this id; see [`TurnRequest::new_run`](crate::TurnRequest::new_run).
    #[error("the session has this run already; read its events")]
    RepeatedRun,
    /// The session is processing another prompt, in this process or in another one.
    #[error("the session is processing another prompt; try again after its end")]
    SessionBusy,
    /// The user has too many turns, or lists that are being read, at the same time.
    #[error("too many requests at the same time; try again after one has ended")]
    UserBusy,
    /// The process has too many turns.
    #[error("the service is overloaded; try again later")]
    Overloaded,
    /// The process is shutting down.
    #[error("the service is shutting down; try again")]
    ShuttingDown,
    /// The reader was too slow, and was dropped. The run goes on.
    #[error("the reader was too slow; continue after the last event that it has read")]
    SlowReader,
    /// The events that the reader asked for are no longer retained, and the run has ended without a response in this process.
    #[error("the events are no longer available; read the session")]
    EventsGone,
    /// The template made no agent for the identity.
    #[error("there is no agent for this identity: {0}")]
    Template(#[source] Arc<dyn StdError + Send + Sync>),
    /// The agent could not be built.
    #[error("the agent could not be built: {0}")]
    Build(#[source] Arc<BuildError>),
    /// The invocation failed.
    #[error("{0}")]
    Agent(#[source] Arc<AgentError>),
    /// The session has invalid content, or its id can't be stored.
    #[error("{0}")]
    Session(#[source] Arc<SessionError>),
    /// A store or a tool provider failed or can't be reached. Nothing is lost: the same request succeeds once it works again.
    #[error("a service that the turn needs can't be reached; try again later")]
    Unavailable(#[source] Arc<dyn StdError + Send + Sync>),
    /// The task of the turn ended without a result, since a component of the agent panicked or the runtime was shut down.
    #[error("the turn was aborted")]
    Aborted,
}

strands_core::__debug_with_sources!(TurnError);

impl TurnError {
    pub(crate) fn template(error: Box<dyn StdError + Send + Sync>) -> Self {
        if is_of_store(&*error) { Self::Unavailable(error.into()) } else { Self::Template(error.into()) }
    }

    pub(crate) fn session(error: SessionError) -> Self {
        match error {
            SessionError::Conflict { .. } => Self::SessionBusy,
            SessionError::Storage { .. } => Self::Unavailable(Arc::new(error)),
            error => Self::Session(Arc::new(error)),
        }
    }

    pub(crate) fn build(error: BuildError) -> Self {
        match error {
            BuildError::Session(error) => Self::session(error),
            BuildError::ToolProvider { .. } => Self::Unavailable(Arc::new(error)),
            error => Self::Build(Arc::new(error)),
        }
    }

    pub(crate) fn agent(error: AgentError) -> Self {
        match error {
            AgentError::Session(error) => Self::session(error),
            AgentError::Build(error) => Self::build(error),
            // A reply whose audit failed is stored: it must not be sent again.
            error if ApprovalError::of(&error).is_none() && is_of_store(&error) => Self::Unavailable(Arc::new(error)),
            error => Self::Agent(Arc::new(error)),
        }
    }

    /// Returns true if the same request may succeed a moment later.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::SessionBusy
                | Self::UserBusy
                | Self::Overloaded
                | Self::ShuttingDown
                | Self::SlowReader
                | Self::Unavailable(_)
        )
    }
}

/// Returns true if the error comes from a store that failed or can't be reached.
fn is_of_store(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| matches!(error.downcast_ref(), Some(SessionError::Storage { .. })))
}

impl From<AgentError> for TurnError {
    fn from(error: AgentError) -> Self {
        Self::agent(error)
    }
}
