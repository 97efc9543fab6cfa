//! What an agent keeps in its session, and how it comes back.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::history::{History, Unsaved};
use super::repair::{self, Repair};
use super::{Agent, AgentError};
use crate::conversation::{Conversation, ConversationManager};
use crate::event_loop::Limits;
use crate::event_loop::run::Run;
use crate::message::{Message, Role};
use crate::model::Model;
use crate::session::{AgentRecord, MessageRange, Session, SessionError, SessionManager, interrupt_state};
use crate::state::AgentState;

/// The names of Strands in a conversation manager's state.
const MANAGER_NAME: &str = "__name__";
const REMOVED_MESSAGES: &str = "removed_message_count";
/// The numbers of messages that stayed although newer ones went.
const KEPT_MESSAGES: &str = "kept_messages";

/// An agent's session, and what was last written to it.
pub(crate) struct Kept {
    sessions: Arc<dyn SessionManager>,
    session: Box<dyn Session>,
    written: Option<AgentRecord>,
}

/// What an agent is when it is new to its session.
pub(super) struct Beginning {
    pub(super) messages: Vec<Arc<Message>>,
    pub(super) state: Map<String, Value>,
    pub(super) limits: Limits,
}

/// What an agent begins with, or goes on from.
pub(super) struct Restored {
    pub(super) kept: Option<Kept>,
    pub(super) history: History,
    pub(super) state: AgentState,
    pub(super) conversation_state: Map<String, Value>,
    pub(super) run: Option<Run>,
    pub(super) repairs: Vec<Repair>,
}

impl Beginning {
    pub(super) fn without_session(self) -> Restored {
        Restored {
            kept: None,
            history: History::restore(self.messages),
            state: AgentState::from(self.state),
            conversation_state: Map::new(),
            run: None,
            repairs: Vec::new(),
        }
    }

    /// Opens the agent's part of a session. What the session knows goes before what the builder was given.
    pub(super) async fn with_session(
        self,
        sessions: &Arc<dyn SessionManager>,
        agent_id: &str,
        manager: &dyn ConversationManager,
        model: &dyn Model,
    ) -> Result<Restored, SessionError> {
        let mut opened = sessions.open(agent_id).await?;
        let Some(record) = opened.record else {
            let kept = Kept { sessions: Arc::clone(sessions), session: opened.session, written: None };
            let mut restored = Restored { kept: Some(kept), ..self.without_session() };
            restored.history.record();
            return Ok(restored);
        };
        let mut conversation_state = memory_of(manager, &record.conversation_manager_state);
        let range = range_in(&conversation_state);
        let messages = opened.session.read(&range).await?;
        let read = repair::answered(&messages);
        let mut history = History::restore_saved(&range, messages);
        history.record();
        let key = || format!("agent `{agent_id}` of session `{}`", sessions.session_id());
        let mut conversation = Conversation::new(&mut history, &mut conversation_state, model).restoring();
        manager.restored(&mut conversation).map_err(|source| SessionError::Corrupt {
            key: key(),
            expected: "the memory of a conversation manager",
            source,
        })?;
        history.repair();
        let run = interrupt_state::restore(record.internal_state.interrupt_state.clone(), self.limits);
        let run = run.map_err(|source| SessionError::Corrupt {
            key: key(),
            expected: "calls that wait for an answer",
            source: source.into(),
        })?;
        Ok(Restored {
            repairs: repair::repairs(&read, history.messages()),
            state: AgentState::from(record.state.clone()),
            kept: Some(Kept { sessions: Arc::clone(sessions), session: opened.session, written: Some(record) }),
            history,
            conversation_state,
            run,
        })
    }
}

/// What a conversation manager remembers. Another manager's memory is of no use to it: it sees the whole conversation and
/// shortens it its own way.
pub(super) fn memory_of(manager: &dyn ConversationManager, state: &Map<String, Value>) -> Map<String, Value> {
    let is_its_own = state.get(MANAGER_NAME).and_then(Value::as_str) == Some(manager.name());
    if is_its_own { state.clone() } else { Map::new() }
}

/// Which messages are still there, by a conversation manager's state.
pub(super) fn range_in(state: &Map<String, Value>) -> MessageRange {
    let from = state.get(REMOVED_MESSAGES).and_then(Value::as_u64).unwrap_or(0);
    let also = state.get(KEPT_MESSAGES).and_then(Value::as_array).into_iter().flatten();
    MessageRange::new(from, also.filter_map(Value::as_u64).filter(|number| *number < from).collect())
}

impl Agent {
    /// Goes back to what the session has, after another worker has written to it.
    pub(crate) async fn reopen(&mut self) -> Result<(), AgentError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let (sessions, shared) = (Arc::clone(&kept.sessions), Arc::clone(&self.shared));
        let model = Arc::clone(&self.model);
        let beginning = Beginning { messages: Vec::new(), state: self.state.to_json(), limits: shared.limits };
        let restored = beginning.with_session(&sessions, &shared.agent_id, &*shared.conversation, &*model).await;
        let Restored { kept, history, state, conversation_state, run, repairs } = restored?;
        self.state.replace(state.to_json());
        self.waiting = run.is_some();
        (self.kept, self.history, self.conversation_state, self.run) = (kept, history, conversation_state, run);
        self.repairs = repairs;
        Ok(())
    }

    /// Writes what the session does not have yet. Without a session there is nothing to do.
    pub(crate) async fn save_messages(&mut self) -> Result<(), AgentError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        if kept.written.is_none() && self.history.unsaved().is_some() {
            // Whoever reads the session knows an agent by its record, so that comes before its messages.
            self.save_record().await?;
        }
        while let Some(unsaved) = self.history.unsaved() {
            if let Some(kept) = &mut self.kept {
                match &unsaved {
                    Unsaved::Changed(message) => kept.session.replace_last(message).await?,
                    Unsaved::Next(message) => kept.session.append(message).await?,
                }
            }
            self.history.saved(&unsaved);
        }
        Ok(())
    }

    /// Writes what is kept beside the messages, where it has changed.
    pub(crate) async fn save_record(&mut self) -> Result<(), AgentError> {
        if self.kept.is_none() {
            return Ok(());
        }
        let record = self.record()?;
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.written.as_ref() != Some(&record)) else {
            return Ok(());
        };
        kept.session.save(&record).await?;
        kept.written = Some(record);
        Ok(())
    }

    /// Writes what is left to write when an invocation ends.
    pub(crate) async fn save_invocation(&mut self) -> Result<(), AgentError> {
        self.save_record().await?;
        match &mut self.kept {
            Some(kept) => Ok(kept.session.invocation_ended().await?),
            None => Ok(()),
        }
    }

    pub(super) fn record(&self) -> Result<AgentRecord, AgentError> {
        let written = self.kept.as_ref().and_then(|kept| kept.written.as_ref());
        let mut record = written.cloned().unwrap_or_else(|| AgentRecord::new(&self.shared.agent_id));
        record.state = self.state.to_json();
        record.conversation_manager_state = self.conversation_manager_state();
        let waiting = self.run.as_ref().filter(|_| self.waiting).zip(self.calling_message());
        record.internal_state.interrupt_state =
            interrupt_state::save(waiting).map_err(|source| SessionError::Corrupt {
                key: format!("agent `{}`", self.shared.agent_id),
                expected: "JSON",
                source: source.into(),
            })?;
        Ok(record)
    }

    /// What the conversation manager remembers, with the names that Strands gives to what is still there.
    fn conversation_manager_state(&self) -> Map<String, Value> {
        let mut state = self.conversation_state.clone();
        let range = self.history.kept();
        state.insert(MANAGER_NAME.to_owned(), self.shared.conversation.name().into());
        state.insert(REMOVED_MESSAGES.to_owned(), range.from.into());
        if range.also.is_empty() {
            state.shift_remove(KEPT_MESSAGES);
        } else {
            state.insert(KEPT_MESSAGES.to_owned(), range.also.clone().into());
        }
        state
    }

    /// The message whose calls wait for humans.
    fn calling_message(&self) -> Option<&Message> {
        self.history.messages().last().map(|message| &**message).filter(|message| message.role == Role::Assistant)
    }
}
