//! Persistence of a working set in a session: the order of writes, and conflicts with other workers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::restore::{InitialState, Restored, state_with_range};
use super::{Rewinding, WorkingSet, late_records};
use crate::conversation::{self, Conversation};
use crate::history::History;
use crate::message::Message;
use crate::outcome::AgentError;
use crate::run::{Run, stored, strands};
use crate::session::{AgentRecord, Session, SessionError, SessionManager};

/// An open session of one agent, with the record that was last written.
pub(crate) struct OpenSession {
    manager: Arc<dyn SessionManager>,
    session: Box<dyn Session>,
    /// The record in the session, if there is one.
    written: Option<AgentRecord>,
    /// True during a write of the record. If the write is dropped, the content of the session is unknown.
    is_uncertain: bool,
    /// True while the session has a run that any worker may continue. This worker has to claim it with a conditional write
    /// of the record before it acts on the calls.
    is_unclaimed: bool,
}

impl OpenSession {
    pub(super) fn new(
        manager: Arc<dyn SessionManager>,
        session: Box<dyn Session>,
        written: Option<AgentRecord>,
    ) -> Box<Self> {
        let has_run = |record: &AgentRecord| {
            let state = &record.internal_state;
            state.run.is_some() || state.interrupt_state.get("activated").is_some_and(|value| value == true)
        };
        let is_unclaimed = written.as_ref().is_some_and(has_run);
        Box::new(Self { manager, session, written, is_uncertain: false, is_unclaimed })
    }

    /// Returns true if the session does not need this record: it has it, or one from which a restore leads to it.
    fn has(&self, record: &AgentRecord) -> bool {
        let Some(written) = &self.written else { return false };
        let may_be_late = self.session.allows_late_records() && !self.is_unclaimed;
        written == record || (may_be_late && late_records::leads_to(written, record))
    }

    /// Requires a claim, a conditional write of the record, before results are stored, since another worker may continue the
    /// run in the session.
    pub(super) fn require_claim(&mut self) {
        self.is_unclaimed = true;
    }
}

impl WorkingSet {
    /// Restores the content of the session after another worker has written to it.
    pub(crate) async fn reopen(&mut self) -> Result<(), AgentError> {
        let Some(open) = &self.session else { return Ok(()) };
        let (manager, written) = (Arc::clone(&open.manager), open.written.as_ref().map(|record| record.state.clone()));
        let initial = InitialState { messages: History::seeded([]), state: self.state.to_json() };
        let restored = initial.with_session(&manager, &self.config, &self.tools, &*self.model).await?;
        let Restored { session, history, state, conversation_state, run, settled, repairs } = restored;
        self.state.replace(changed_since(written.as_ref(), &self.state.to_json(), state.to_json()));
        (self.suspended, self.rewinding, self.settled) = (run.is_some(), None, settled);
        (self.session, self.history, self.conversation_state, self.run) = (session, history, conversation_state, run);
        self.repairs = repairs;
        Ok(())
    }

    /// Returns true if there are unsaved changes.
    pub(crate) fn has_unsaved(&self) -> Result<bool, AgentError> {
        let Some(open) = &self.session else { return Ok(false) };
        if self.history.unsaved().is_some() || open.is_uncertain || self.rewinding.is_some() {
            return Ok(true);
        }
        let record = self.record()?;
        Ok(match &open.written {
            Some(_) => !open.has(&record),
            None => !record.state.is_empty(),
        })
    }

    /// Writes unsaved messages. Returns true if there were any. Does nothing without a session.
    pub(crate) async fn save_messages(&mut self) -> Result<bool, AgentError> {
        if self.session.is_none() {
            return Ok(false);
        }
        self.complete_rewind().await?;
        self.save_unsaved_messages().await
    }

    async fn save_unsaved_messages(&mut self) -> Result<bool, AgentError> {
        let Some(open) = &self.session else { return Ok(false) };
        if self.history.unsaved().is_none() {
            return Ok(false);
        }
        // The record comes before the first message, since readers find an agent by its record. It also comes before
        // results of calls that another worker may be about to make, which then gets a conflict.
        if open.written.is_none() || open.is_unclaimed {
            self.write_record().await?;
        }
        while let Some(unsaved) = self.history.unsaved() {
            if let Some(open) = &mut self.session {
                open.session.write(&unsaved.batch).await?;
            }
            self.history.saved(&unsaved);
        }
        // The session has the results, so the next record does not need the run.
        self.settled = None;
        Ok(true)
    }

    /// Writes the record if it has changed.
    pub(crate) async fn save_record(&mut self) -> Result<(), AgentError> {
        if self.session.is_none() {
            return Ok(());
        }
        self.complete_rewind().await?;
        self.write_record().await
    }

    async fn write_record(&mut self) -> Result<(), AgentError> {
        let record = self.record()?;
        let is_unclaimed = self.suspended && record.internal_state.run.is_some();
        let Some(open) = &mut self.session else { return Ok(()) };
        if open.is_uncertain || !open.has(&record) {
            open.is_uncertain = true;
            open.session.save(&record).await?;
            open.is_uncertain = false;
            open.written = Some(record);
            self.history.range_stored();
        }
        open.is_unclaimed = is_unclaimed;
        Ok(())
    }

    /// Writes all unsaved changes at the end of an invocation.
    pub(crate) async fn save_invocation(&mut self) -> Result<(), AgentError> {
        self.save_messages().await?;
        self.save_record().await?;
        match &mut self.session {
            Some(open) => Ok(open.session.invocation_ended().await?),
            None => Ok(()),
        }
    }

    /// Removes all messages from an index on, in the session first. Returns the removed messages.
    pub(crate) async fn rewind_saved(&mut self, index: usize, keep: u64) -> Result<Vec<Arc<Message>>, AgentError> {
        self.rewinding = Some(Rewinding { index, keep });
        self.response_is_cut = false;
        self.complete_rewind().await
    }

    /// Completes a rewind. One that was dropped or failed may or may not have reached the session, so it is repeated before
    /// any other write.
    pub(crate) async fn complete_rewind(&mut self) -> Result<Vec<Arc<Message>>, AgentError> {
        let Some(Rewinding { index, keep }) = self.rewinding else { return Ok(Vec::new()) };
        // Save the messages that stay.
        if keep > 0 {
            self.save_unsaved_messages().await?;
        }
        if self.session.as_ref().is_some_and(|open| open.written.is_some()) {
            let record = self.record_after_rewind(index, keep)?;
            if let Some(open) = &mut self.session {
                open.is_uncertain = true;
                if let Err(error) = open.session.truncate(keep, &record).await {
                    // After a conflict nothing was removed, and the rewind is abandoned.
                    self.rewinding = self.rewinding.filter(|_| !error.is_conflict());
                    return Err(error.into());
                }
                (open.is_uncertain, open.is_unclaimed) = (false, false);
                open.written = Some(record);
            }
            self.history.range_stored();
        }
        self.rewinding = None;
        Ok(self.rewind(index, keep))
    }

    /// Returns the record to store with the messages.
    pub(crate) fn record(&self) -> Result<AgentRecord, AgentError> {
        self.record_of(&self.history, &self.conversation_state, self.stored_run())
    }

    /// Returns the record to store with the messages after a rewind.
    fn record_after_rewind(&self, index: usize, keep: u64) -> Result<AgentRecord, AgentError> {
        let (mut history, mut state) = (self.history.clone(), self.conversation_state.clone());
        history.rewind(index, keep);
        conversation::rewound(&mut Conversation::new(&mut history, &mut state, &*self.model), keep);
        self.record_of(&history, &state, None)
    }

    fn record_of(
        &self,
        history: &History,
        conversation_state: &Map<String, Value>,
        run: Option<(&Run, &Message)>,
    ) -> Result<AgentRecord, AgentError> {
        let written = self.session.as_ref().and_then(|open| open.written.as_ref());
        let mut record = written.cloned().unwrap_or_else(|| AgentRecord::new(self.config.agent_id()));
        record.state = self.state.to_json();
        record.conversation_manager_state =
            state_with_range(conversation_state.clone(), &*self.config.conversation, history.message_range());
        if self.session.as_ref().is_some_and(|open| open.session.allows_late_records())
            && let Some(window) = conversation::window_to_store(&*self.config.conversation, history)
        {
            record.conversation_manager_state.insert(conversation::WINDOW.to_owned(), window.into());
        }
        let unwritable = || unwritable(self.config.agent_id());
        let pending = run.and_then(|(run, calling)| Some((run.pending()?, calling)));
        record.internal_state.interrupt_state = strands::save(pending).map_err(unwritable())?;
        record.internal_state.run = run.map(|(run, _)| stored::save(run)).transpose().map_err(unwritable())?;
        Ok(record)
    }
}

/// Returns the state in the session, with local changes since the last write applied.
fn changed_since(
    written: Option<&Map<String, Value>>,
    local: &Map<String, Value>,
    mut session: Map<String, Value>,
) -> Map<String, Value> {
    let before = |name: &str| written.and_then(|written| written.get(name));
    for (name, value) in local.iter().filter(|(name, value)| before(name) != Some(*value)) {
        session.insert(name.clone(), value.clone());
    }
    for name in written.into_iter().flat_map(Map::keys).filter(|name| !local.contains_key(*name)) {
        session.shift_remove(name);
    }
    session
}

fn unwritable(agent_id: &str) -> impl FnOnce(serde_json::Error) -> SessionError {
    let key = format!("agent `{agent_id}`");
    move |source| SessionError::Storage { action: "write", key, source: source.into() }
}
