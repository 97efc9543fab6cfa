//! Snapshots: an agent's conversation and state as one JSON value, in the format shared by the Strands SDKs.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Agent;
use crate::continuation::Continuation;
use crate::conversation::{self, Conversation};
use crate::history::History;
use crate::message::{Message, SystemBlock, UnknownFields};
use crate::outcome::AgentError;
use crate::run::Run;
use crate::session::InternalState;
use crate::working_set::{Reconciled, manager_state, reconciled, stored_range};

/// Version of the format, the only one that can be read.
const SCHEMA_VERSION: &str = "1.0";
const AGENT_SCOPE: &str = "agent";

/// Snapshot of an agent: its conversation, its state and its pending interrupts. The JSON is the snapshot format of Strands,
/// version 1.0, which the Python and TypeScript SDKs read as well.
///
/// # Examples
///
/// ```
/// use strands::{Agent, Snapshot, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let template = Agent::builder().model(ScriptedModel::responding("hi"));
/// let mut agent = template.clone().build().await?;
/// agent.prompt("hello").await?;
/// let json = serde_json::to_string(&agent.snapshot()?)?;
///
/// let mut other = template.build().await?;
/// other.restore(serde_json::from_str::<Snapshot>(&json)?)?;
/// assert_eq!(other.messages(), agent.messages());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Kind of the owner: `agent`.
    pub scope: String,
    /// Version of the format.
    pub schema_version: String,
    /// Creation time, as RFC 3339 in UTC.
    pub created_at: String,
    /// Data of the agent.
    pub data: SnapshotData,
    /// Application data, for values of the program.
    #[serde(default)]
    pub app_data: Map<String, Value>,
    /// Fields that are unknown to this version.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Data of an agent in a [`Snapshot`]. Restoring it leaves the parts unchanged whose fields are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SnapshotData {
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Arc<Message>>>,
    /// The agent's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Map<String, Value>>,
    /// State of the conversation manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_manager_state: Option<Map<String, Value>>,
    /// Interrupts, and the calls that wait for responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt_state: Option<Map<String, Value>>,
    /// A suspended or running invocation, in the format of this crate. Strands ignores it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Value>,
    /// The system prompt, for information only: `restore` does not change the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<Vec<SystemBlock>>,
    /// Fields that are unknown to this version.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// An error of restoring a snapshot. The agent is unchanged.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The snapshot is not of an agent, or has an unsupported version.
    #[error("the snapshot is of scope `{scope}`, version {version}; an agent restores scope `agent`, version 1.0")]
    Unsupported {
        /// The scope.
        scope: String,
        /// The version.
        version: String,
    },
    /// The agent has a session, which would not contain the restored conversation.
    #[error("the agent stores its conversation in a session: restore the snapshot into an agent without one")]
    HasSession,
    /// The state of the conversation manager can't be read.
    #[error("the snapshot's conversation manager state can't be read")]
    ConversationManager(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The interrupt state can't be read.
    #[error("the snapshot's interrupt state can't be read")]
    InterruptState(#[source] serde_json::Error),
}

crate::error_chain::debug_with_sources!(SnapshotError);

impl Agent {
    /// Returns a snapshot of the agent.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError`] if the suspended invocation can't be serialized.
    pub fn snapshot(&self) -> Result<Snapshot, AgentError> {
        let mut record = self.work.record()?;
        if self.work.config.conversation.name() == conversation::SLIDING_WINDOW {
            // A snapshot has the remaining messages: no trim is repeated.
            record.conversation_manager_state.shift_remove(conversation::WINDOW);
        }
        let system = &self.work.system;
        Ok(Snapshot {
            scope: AGENT_SCOPE.to_owned(),
            schema_version: SCHEMA_VERSION.to_owned(),
            created_at: humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            data: SnapshotData {
                messages: Some(self.messages().to_vec()),
                state: Some(record.state),
                conversation_manager_state: Some(record.conversation_manager_state),
                interrupt_state: Some(record.internal_state.interrupt_state),
                run: record.internal_state.run,
                system_prompt: (!system.is_empty()).then(|| system.to_vec()),
                unknown: UnknownFields::default(),
            },
            app_data: Map::new(),
            unknown: UnknownFields::default(),
        })
    }

    /// Returns the state with which another agent continues. `None` if it is in a session.
    pub(super) fn continuation(&self) -> Result<Option<Continuation>, AgentError> {
        if self.work.session.is_some() {
            return Ok(None);
        }
        let unwritable = |source| AgentError::Promptable { name: self.name().to_owned(), source: Box::new(source) };
        let snapshot = serde_json::to_value(self.snapshot()?).map_err(unwritable)?;
        Ok(Some(Continuation::of_agent(snapshot)))
    }

    /// Adds the state of an agent that is still suspended to the error of its invocation: without a continuation, unless the invocation
    /// owned the agent.
    pub(super) fn still_suspended(&self, error: AgentError, is_owned: bool) -> AgentError {
        // The first has no effect on the agent, and a durable engine has the state after the others.
        if self.work.suspended_run().is_none()
            || matches!(error, AgentError::Interrupted { .. } | AgentError::Journal(_) | AgentError::Suspended { .. })
        {
            return error;
        }
        match if is_owned { self.continuation() } else { Ok(None) } {
            Ok(continuation) => {
                AgentError::Suspended { source: Box::new(error), interrupts: self.interrupts(), continuation }
            }
            Err(_) => error,
        }
    }

    /// Restores the state with which an agent continues.
    pub(super) fn continue_from(&mut self, continuation: &Continuation) -> Result<(), AgentError> {
        let name = self.name().to_owned();
        let unreadable = |source| AgentError::Promptable { name, source };
        match continuation.read() {
            Ok(snapshot) => self.restore(snapshot).map_err(|error| unreadable(error.into())),
            Err(error) => Err(unreadable(error.into())),
        }
    }

    /// Restores a snapshot into this agent, in place of its conversation and state.
    ///
    /// # Errors
    ///
    /// Returns [`SnapshotError`] if it is not a snapshot of an agent, or if the agent has a session.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        let Snapshot { scope, schema_version: version, data, .. } = snapshot;
        if scope != AGENT_SCOPE || version != SCHEMA_VERSION {
            return Err(SnapshotError::Unsupported { scope, version });
        }
        if self.work.session.is_some() {
            return Err(SnapshotError::HasSession);
        }
        let work = &mut self.work;
        work.settle();
        let stored = InternalState {
            run: data.run,
            interrupt_state: data.interrupt_state.unwrap_or_default(),
            ..InternalState::default()
        };
        let run = Run::in_record(&stored, work.config.limits).map_err(SnapshotError::InterruptState)?;
        let manager = &*work.config.conversation;
        let mut conversation_state = match data.conversation_manager_state {
            Some(state) => manager_state(manager, &state),
            None => work.conversation_state.clone(),
        };
        let mut repairs = Vec::new();
        let history = match data.messages {
            Some(messages) => {
                let impossible = || SnapshotError::ConversationManager("the message counts are impossible".into());
                let range = stored_range(&conversation_state).ok_or_else(impossible)?;
                let messages = conversation::without_notes(messages, &conversation_state);
                let mut history = History::restored(&range, messages);
                let mut conversation =
                    Conversation::new(&mut history, &mut conversation_state, &*work.model).restoring();
                manager.restored(&mut conversation).map_err(SnapshotError::ConversationManager)?;
                repairs = history.repair();
                Some(history)
            }
            None => None,
        };
        work.conversation_state = conversation_state;
        let is_conversation = history.is_some();
        if let Some(history) = history {
            work.history = history;
        }
        if let Some(state) = data.state {
            work.state.replace(state);
        }
        if is_conversation || run.is_some() {
            let Reconciled { run, .. } = reconciled(run, &work.tools, &mut work.history, &mut repairs);
            (work.suspended, work.run) = (run.is_some(), run);
            work.repairs = repairs;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Prompt;
    use crate::models::StopReason;
    use crate::testing::{ScriptedModel, ScriptedTurn};

    #[tokio::test]
    async fn rejects_other_scopes_and_versions_without_changes() {
        let mut agent = Agent::builder().model(ScriptedModel::responding("hi")).build().await.unwrap();
        agent.prompt("hello").await.unwrap();
        let taken = agent.snapshot().unwrap();
        for (scope, version) in [("multiAgent", "1.0"), ("agent", "2.0")] {
            let mut other = taken.clone();
            (other.scope, other.schema_version) = (scope.into(), version.into());
            assert!(matches!(agent.restore(other), Err(SnapshotError::Unsupported { .. })));
        }
        assert_eq!(agent.messages().len(), 2);
    }

    #[tokio::test]
    async fn keeps_unknown_fields_and_absent_parts() {
        let mut agent = Agent::builder().model(ScriptedModel::responding("hi")).build().await.unwrap();
        agent.state().set("k", 1).unwrap();
        let json = json!({"scope": "agent", "schema_version": "1.0", "created_at": "2026-11-22T07:57:19.681245Z",
            "data": {"messages": [{"role": "user", "content": [{"text": "a"}]}], "model_state": {"id": 7}},
            "app_data": {"mine": true}, "later": 1});
        let snapshot: Snapshot = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&snapshot).unwrap(), json);
        agent.restore(snapshot).unwrap();
        assert_eq!(agent.state().get("k"), Some(json!(1)));
        assert_eq!(agent.messages().len(), 1);
    }

    #[tokio::test]
    async fn contains_pending_interrupts() {
        struct Ask(crate::ToolSpec);
        #[async_trait::async_trait]
        impl crate::Tool for Ask {
            fn spec(&self) -> &crate::ToolSpec {
                &self.0
            }
            fn policy(&self) -> crate::ToolPolicy {
                crate::ToolPolicy::new().with_approval(true)
            }
            async fn call(&self, _: &crate::ToolContext, _: Value) -> Result<crate::ToolOutput, crate::ToolError> {
                Ok(crate::ToolOutput::text("done"))
            }
        }
        let tool = || Ask(crate::ToolSpec::new("wipe", "Wipes.", json!({"type": "object"})));
        let asks = ScriptedModel::new([ScriptedTurn::tool_use("wipe", json!({}))]);
        let mut agent = Agent::builder().model(asks).tool(tool()).build().await.unwrap();
        assert_eq!(agent.prompt("go").await.unwrap().stop_reason, StopReason::Interrupt);

        let mut other = Agent::builder().model(ScriptedModel::responding("ok")).tool(tool()).build().await.unwrap();
        other.restore(agent.snapshot().unwrap()).unwrap();
        let responses: Vec<_> = other.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
        let response = other.prompt(Prompt::none()).resume(responses).await.unwrap();
        assert_eq!(response.text(), "ok");
    }
}
