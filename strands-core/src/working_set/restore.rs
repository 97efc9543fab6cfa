//! Restoring of a working set from a session or a snapshot.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{AgentConfig, AgentTools, OpenSession};
use crate::conversation::{Conversation, ConversationManager};
use crate::history::{History, MessageList, Repair, interrupted_results};
use crate::message::{Message, Role};
use crate::models::Model;
use crate::run::Run;
use crate::session::{MessageRange, SessionError, SessionManager};
use crate::state::AgentState;

/// Keys of Strands in a conversation manager's state.
pub(super) const MANAGER_NAME: &str = "__name__";
pub(super) const REMOVED_MESSAGES: &str = "removed_message_count";
/// Numbers of messages that were kept although newer ones were removed.
pub(super) const KEPT_MESSAGES: &str = "kept_messages";

/// Maximum number of attempts to open a session during concurrent changes.
const OPENINGS: usize = 5;

/// Initial state of an agent that is new to its session.
#[derive(Clone)]
pub(crate) struct InitialState {
    pub(crate) messages: MessageList,
    pub(crate) state: Map<String, Value>,
}

/// Initial or restored state of an agent.
pub(crate) struct Restored {
    pub(crate) session: Option<Box<OpenSession>>,
    pub(crate) history: History,
    pub(crate) state: AgentState,
    pub(crate) conversation_state: Map<String, Value>,
    /// A suspended run.
    pub(crate) run: Option<Run>,
    /// A run whose results are in the history, but not in the session.
    pub(crate) settled: Option<Box<(Run, Message)>>,
    pub(crate) repairs: Vec<Repair>,
}

impl InitialState {
    pub(crate) fn without_session(self) -> Restored {
        Restored {
            session: None,
            history: History::new(self.messages),
            state: AgentState::from(self.state),
            conversation_state: Map::new(),
            run: None,
            settled: None,
            repairs: Vec::new(),
        }
    }

    /// Opens the agent's part of a session. The content of the session takes precedence over this state.
    pub(crate) async fn with_session(
        self,
        sessions: &Arc<dyn SessionManager>,
        config: &AgentConfig,
        tools: &AgentTools,
        model: &dyn Model,
    ) -> Result<Restored, SessionError> {
        for _ in 1..OPENINGS {
            match self.clone().opened(sessions, config, tools, model).await {
                // Another worker rewound the conversation between the reads of the record and of the messages.
                Err(error) if error.is_conflict() => {}
                opened => return opened,
            }
        }
        self.opened(sessions, config, tools, model).await
    }

    async fn opened(
        self,
        sessions: &Arc<dyn SessionManager>,
        config: &AgentConfig,
        tools: &AgentTools,
        model: &dyn Model,
    ) -> Result<Restored, SessionError> {
        let mut opened = sessions.open(config.agent_id()).await?;
        let Some(record) = opened.record else {
            let session = Some(OpenSession::new(Arc::clone(sessions), opened.session, None));
            let mut restored = Restored { session, ..self.without_session() };
            restored.history.record();
            return Ok(restored);
        };
        let manager = &*config.conversation;
        let corrupt = |expected, source| SessionError::Corrupt {
            key: format!("agent `{}` of session `{}`", config.agent_id(), sessions.session_id()),
            expected,
            source,
        };
        let mut conversation_state = manager_state(manager, &record.conversation_manager_state);
        let range = stored_range(&conversation_state)
            .ok_or_else(|| corrupt("a conversation manager's state", "the message counts are impossible".into()))?;
        let mut history = History::restored(&range, opened.session.read(&range).await?);
        let mut conversation = Conversation::new(&mut history, &mut conversation_state, model).restoring();
        manager.restored(&mut conversation).map_err(|source| corrupt("a conversation manager's state", source))?;
        let mut repairs = history.repair();
        let run = Run::in_record(&record.internal_state, config.limits)
            .map_err(|source| corrupt("a suspended invocation", source.into()))?;
        let Reconciled { run, settled } = reconciled(run, tools, &mut history, &mut repairs);
        Ok(Restored {
            state: AgentState::from(record.state.clone()),
            session: Some(OpenSession::new(Arc::clone(sessions), opened.session, Some(record))),
            history,
            conversation_state,
            run,
            settled,
            repairs,
        })
    }
}

/// A stored run after comparison with the messages.
#[derive(Default)]
pub(crate) struct Reconciled {
    /// A run that is still suspended.
    pub(crate) run: Option<Run>,
    /// A run whose calls all have results, which were added to the history.
    pub(crate) settled: Option<Box<(Run, Message)>>,
}

/// Compares a stored run with the messages. Calls that can still run stay suspended; other calls without a result get an
/// error result.
pub(crate) fn reconciled(
    run: Option<Run>,
    tools: &AgentTools,
    history: &mut History,
    repairs: &mut Vec<Repair>,
) -> Reconciled {
    let last = history.messages().last().filter(|last| last.role == Role::Assistant).map(Arc::clone);
    let Some(last) = last else { return Reconciled::default() };
    // Otherwise the results are in the history already, or the run belongs to another branch of the conversation.
    let run = run.filter(|run| run.pending().is_some_and(|pending| pending.belong_to(&last)));
    let Some(mut run) = run else {
        if let Some(results) = interrupted_results(&last) {
            let added = |id: &str| Repair::ResultAdded { tool_use_id: id.to_owned() };
            repairs.extend(results.tool_results().map(|result| added(&result.tool_use_id)));
            history.push(results);
        }
        return Reconciled::default();
    };
    repairs.extend(run.reconcile(|tool| tools.is_idempotent(tool)));
    if run.pending().is_some_and(|pending| !pending.is_complete()) {
        return Reconciled { run: Some(run), settled: None };
    }
    let settled = Some(Box::new((run.clone(), Message::clone(&last))));
    if let Some(results) = run.take_tool_results() {
        history.push(results);
    }
    Reconciled { run: None, settled }
}

/// Returns the state of a conversation manager, or an empty one if the state is of another manager. Then the manager gets
/// the whole conversation and truncates it.
pub(crate) fn manager_state(manager: &dyn ConversationManager, state: &Map<String, Value>) -> Map<String, Value> {
    let is_its_own = state.get(MANAGER_NAME).and_then(Value::as_str) == Some(manager.name());
    if is_its_own { state.clone() } else { Map::new() }
}

/// Returns the range of messages that were not removed, by a conversation manager's state. `None` for an impossible count.
pub(crate) fn stored_range(state: &Map<String, Value>) -> Option<MessageRange> {
    let from = state.get(REMOVED_MESSAGES).and_then(Value::as_u64).unwrap_or(0);
    let also = state.get(KEPT_MESSAGES).and_then(Value::as_array).into_iter().flatten();
    let range = MessageRange::new(from, also.filter_map(Value::as_u64).filter(|number| *number < from).collect());
    (from <= u64::MAX / 2).then_some(range)
}

/// Adds the range of remaining messages to a conversation manager's state, under the keys of Strands.
pub(super) fn state_with_range(
    mut state: Map<String, Value>,
    manager: &dyn ConversationManager,
    range: &MessageRange,
) -> Map<String, Value> {
    state.insert(MANAGER_NAME.to_owned(), manager.name().into());
    state.insert(REMOVED_MESSAGES.to_owned(), range.from.into());
    if range.earlier.is_empty() {
        state.shift_remove(KEPT_MESSAGES);
    } else {
        state.insert(KEPT_MESSAGES.to_owned(), range.earlier.clone().into());
    }
    state
}
