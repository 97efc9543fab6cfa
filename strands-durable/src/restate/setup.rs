//! The agent of an attempt, and the ends of an attempt without a response.

use std::error::Error as StdError;

use restate_sdk::errors::{HandlerError, TerminalError};
use strands_core::bytes::Bytes;
use strands_core::{Agent, AgentBuilder, BuildError, Limits, Snapshot, SnapshotError};

use crate::{AgentTemplate, FailureKind, TurnFailure, TurnInfo};

/// Maximum size of a snapshot at the start of a turn, in bytes. The record of the end has the turn besides.
const MAX_SNAPSHOT: usize = 24 << 20;

/// End of an attempt without a response.
pub(super) enum Exit {
    /// The turn has failed for good.
    Failed(TurnFailure),
    /// The engine repeats the attempt later, and pauses the turn after too many.
    Retry(HandlerError),
}

impl Exit {
    pub(super) fn retry(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Retry(HandlerError::from(error.into()))
    }

    /// Returns the exit for records that this version of the worker can't read.
    pub(super) fn unreadable() -> Self {
        Self::retry(
            "the records of the turn don't fit this version of the worker: deploy the version that began it, or cancel the \
             turn",
        )
    }

    fn configuration(error: impl StdError) -> Self {
        Self::Failed(TurnFailure::new(FailureKind::Configuration, error.to_string()))
    }
}

impl From<TerminalError> for Exit {
    fn from(error: TerminalError) -> Self {
        let message = format!("an operation of the engine failed with status {}", error.code());
        Self::Failed(TurnFailure::new(FailureKind::Agent, message))
    }
}

/// Builds the agent with the conversation of the session.
pub(super) async fn agent(
    template: &dyn AgentTemplate,
    info: &TurnInfo,
    limits: Option<Limits>,
    snapshot: Option<Bytes>,
) -> Result<Agent, Exit> {
    if snapshot.as_ref().is_some_and(|snapshot| snapshot.len() > MAX_SNAPSHOT) {
        let limit = MAX_SNAPSHOT >> 20;
        let message =
            format!("the session has more than {limit} MiB: begin another one, or limit it by a conversation manager");
        return Err(Exit::Failed(TurnFailure::new(FailureKind::TooLarge, message)));
    }
    let builder = template.agent(info).await.map_err(|error| match error.downcast::<TurnFailure>() {
        Ok(failure) => Exit::Failed(*failure),
        Err(error) => Exit::retry(error),
    })?;
    let builder = limits.into_iter().fold(builder, AgentBuilder::limits_at_most);
    let mut agent = builder.build().await.map_err(|error| match error {
        // A service that is down may be up again.
        BuildError::ToolProvider { .. } | BuildError::Session(_) => Exit::retry(error),
        error => Exit::configuration(error),
    })?;
    if let Some(snapshot) = snapshot {
        let snapshot: Snapshot = serde_json::from_slice(&snapshot)
            .map_err(|_| Exit::retry("the snapshot in the state of the object is unreadable"))?;
        agent.restore(snapshot).map_err(|error| match error {
            SnapshotError::HasSession => Exit::configuration(error),
            error => Exit::retry(error),
        })?;
    }
    Ok(agent)
}
