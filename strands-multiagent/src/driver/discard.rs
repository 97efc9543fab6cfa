//! Discards the unfinished run of a session.

use std::sync::Arc;

use strands_core::AgentError;
use strands_core::multiagent::NodeStatus;

use super::RunError;
use super::start::{failed, open, status};
use crate::machine::{Machine, Orchestrator, RestoreError};

/// Ends the run in the session. Returns false if there is none, or if it has completed.
pub(crate) async fn discard<O: Orchestrator>(orchestrator: &Arc<O>) -> Result<bool, AgentError> {
    let name = &orchestrator.settings().name;
    let (Some(mut session), Some(stored)) = open(&**orchestrator).await? else { return Ok(false) };
    let is_known = orchestrator.restore(&stored).map_or_else(|error| error.is_of_earlier, |_| true);
    if is_known && status(&stored) == Some(NodeStatus::Completed) {
        return Ok(false);
    }
    let ended = orchestrator.restore_ended(&stored);
    let ended = ended.map_err(|RestoreError { reason, .. }| failed(name, RunError::NotRestored { reason }))?;
    let document = ended.document(Some(&stored)).map_err(|source| failed(name, RunError::NotStored { source }))?;
    session.save(&document).await?;
    Ok(true)
}
