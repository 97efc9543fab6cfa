//! Runs as their sessions have them: the response of a run that this process does not know.

use std::sync::Arc;

use strands_core::message::{Message, Role};
use strands_core::models::StopReason;
use strands_core::{AgentResponse, Interrupt};
use strands_identity::Identity;

use super::sessions::{StoredSession, pending_interrupts};
use super::{AgentService, SessionChoice, TurnError};

impl AgentService {
    /// Returns the response of a run that has ended, from the session of an identity: of one that another process has run, or
    /// whose events are no longer retained.
    ///
    /// The text, the message, the usage and pending interrupts are those of the run. The stop reason is `interrupt` or
    /// `end_turn`, since a session does not have it. There are no metrics.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownRun`] if the session has no such run, or if it is not one of the identity's, and
    /// [`TurnError::Unfinished`] if it has the beginning of the run only.
    pub async fn stored_response(
        &self,
        identity: &Identity,
        session: impl Into<SessionChoice>,
        run_id: &str,
    ) -> Result<AgentResponse, TurnError> {
        self.stored_run(identity, session.into(), run_id).await.map(|run| run.response)
    }

    pub(crate) async fn stored_run(
        &self,
        identity: &Identity,
        session: SessionChoice,
        run_id: &str,
    ) -> Result<StoredRun, TurnError> {
        let unknown = |error| match error {
            TurnError::UnknownSession => TurnError::UnknownRun,
            error => error,
        };
        let session_id = self.session_id(identity, session).map_err(unknown)?;
        let agent_id = self.agent_of(identity).await?.id().to_owned();
        let stored = self.read_session(&session_id, &agent_id).await.map_err(unknown)?;
        find(&stored, run_id)
    }
}

/// A run as its session has it.
pub(crate) struct StoredRun {
    pub(crate) response: AgentResponse,
    /// Number of its messages: more, if the run was resumed later.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "the HTTP host numbers its events with it"))]
    pub(crate) messages: usize,
}

/// Finds a run.
fn find(stored: &StoredSession, run_id: &str) -> Result<StoredRun, TurnError> {
    let is_its_prompt = |message: &Arc<Message>| message.is_prompt() && message.tracking_id.as_deref() == Some(run_id);
    let prompt = stored.messages.iter().position(is_its_prompt).ok_or(TurnError::UnknownRun)?;
    let mut messages = stored.messages.get(prompt..).unwrap_or_default();
    let prompts = messages.iter().take_while(|message| message.is_prompt()).count();
    messages = messages.get(prompts..).unwrap_or_default();
    let end = messages.iter().position(|message| message.is_prompt());
    let own = messages.get(..end.unwrap_or(messages.len())).unwrap_or_default();
    let interrupts = if end.is_none() { pending_interrupts(&stored.record) } else { Vec::new() };
    let last = own.last().filter(|last| last.role == Role::Assistant).ok_or(TurnError::Unfinished)?;
    let stop_reason = stop_reason(last, &interrupts)?;
    let mut response = AgentResponse::new(Arc::clone(last), stop_reason);
    for message in own.iter().filter(|message| message.role == Role::Assistant) {
        response.turns = response.turns.saturating_add(1);
        if let Some(usage) = message.metadata.as_ref().and_then(|metadata| metadata.usage) {
            response.usage.add(usage);
        }
    }
    response.interrupts = interrupts;
    Ok(StoredRun { response, messages: own.len() })
}

/// Returns the reason for which a run ended with a message.
fn stop_reason(last: &Message, interrupts: &[Interrupt]) -> Result<StopReason, TurnError> {
    if !interrupts.is_empty() {
        Ok(StopReason::Interrupt)
    } else if last.tool_uses().next().is_none() {
        Ok(StopReason::EndTurn)
    } else {
        // Its tools are running in another process, or the process ended.
        Err(TurnError::Unfinished)
    }
}

/// Returns the id of the run that is suspended at the end of a conversation: that of its prompt.
pub(super) fn newest_run(messages: &[Arc<Message>]) -> Option<&str> {
    let newest = messages.iter().rposition(|message| message.is_prompt())?;
    let until = messages.get(..=newest)?;
    let prompts = until.iter().rev().take_while(|message| message.is_prompt());
    prompts.last()?.tracking_id.as_deref()
}
