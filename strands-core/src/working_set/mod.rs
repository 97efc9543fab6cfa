//! The working set of an agent: the conversation, the state and the run that the loop works on, and their way to a session
//! and back. It lies below the loop, so that neither the loop nor a session needs to know the public [`Agent`].
//!
//! [`Agent`]: crate::Agent

mod config;
mod persistence;
mod restore;
mod tools;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use config::AgentConfig;
pub(crate) use persistence::OpenSession;
pub(crate) use restore::{Beginning, Reconciled, Restored, kept_range, manager_state, reconciled, restored_run};
pub(crate) use tools::AgentTools;

use crate::conversation::{self, Conversation};
use crate::diagnostics;
use crate::history::{History, INTERRUPTED, Repair};
use crate::interrupt::Interrupt;
use crate::message::{Message, Role, SystemBlock};
use crate::metrics::EventLoopMetrics;
use crate::models::{Model, SerializedMessages, StopReason};
use crate::outcome::AgentError;
use crate::run::{PendingTools, Run};
use crate::state::AgentState;

/// The conversation, the state and the run of an agent.
pub(crate) struct WorkingSet {
    pub(crate) config: Arc<AgentConfig>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) tools: AgentTools,
    /// The system prompt, without that of plugins.
    pub(crate) system: Arc<[SystemBlock]>,
    /// The system prompt as requests have it.
    pub(crate) sent_system: Arc<[SystemBlock]>,
    pub(crate) history: History,
    pub(crate) state: AgentState,
    pub(crate) conversation_state: Map<String, Value>,
    pub(crate) metrics: Arc<EventLoopMetrics>,
    pub(crate) run: Option<Run>,
    /// True while the run is suspended, rather than being driven.
    pub(crate) suspended: bool,
    /// A run whose results are in the history, but may not be in the session yet, and the message that has its calls.
    pub(crate) settled: Option<(Run, Message)>,
    pub(crate) session: Option<OpenSession>,
    /// A rewind that the session may not have finished.
    pub(crate) rewinding: Option<Rewinding>,
    pub(crate) repairs: Vec<Repair>,
    /// True after an invocation that ended before the model did: its last response may go on.
    pub(crate) response_is_cut: bool,
    /// The history as the model's provider serialized it for earlier requests.
    pub(crate) serialized: SerializedMessages,
    /// Names and schemas of the types to which the model's provider has refused to hold a response.
    pub(crate) refused_outputs: HashSet<(String, Value)>,
}

/// A rewind: the index of the first message to drop, and how many messages of the whole conversation stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewinding {
    index: usize,
    keep: u64,
}

impl WorkingSet {
    pub(crate) fn set_system(&mut self, system: Arc<[SystemBlock]>) {
        self.sent_system = self.config.with_plugins(&system);
        self.system = system;
    }

    /// The run that the next invocation resumes.
    pub(crate) fn suspended_run(&self) -> Option<&Run> {
        self.run.as_ref().filter(|_| self.suspended && self.rewinding.is_none())
    }

    /// The questions that wait for an answer of a human.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        self.suspended_run().map(Run::interrupts).unwrap_or_default()
    }

    /// The run that a session stores, with the message whose calls are pending: one that is suspended, or that humans were
    /// asked about, or whose results the session does not have yet.
    fn stored_run(&self) -> Option<(&Run, &Message)> {
        if let Some((run, calling)) = &self.settled {
            return Some((run, calling));
        }
        let run = self.run.as_ref()?;
        let pending = run.pending().filter(|pending| self.suspended || pending.is_recorded())?;
        let calling = self.history.messages().last().filter(|message| pending.belong_to(message))?;
        Some((run, calling))
    }

    /// The calls of a run are about to get their results as a message. If the session has a record of them, it gets one
    /// with the results first: conditionally, unless it was recorded that this worker has started all of them.
    pub(crate) fn settling(&mut self, completed: &Run) {
        let Some(pending) = completed.pending().filter(|pending| pending.is_recorded()) else { return };
        let Some(open) = &mut self.session else { return };
        let Some(calling) = self.history.messages().last() else { return };
        if pending.has_unrecorded() {
            open.take_over();
        }
        self.settled = Some((completed.clone(), Message::clone(calling)));
    }

    /// Makes the history whole after an invocation that did not come to its end. Returns what that added.
    ///
    /// Calls that a human has approved stay approved unless their tool was started.
    pub(crate) fn settle(&mut self) -> Option<Arc<Message>> {
        if self.suspended {
            return None;
        }
        if let Some(state) = self.history.withdraw() {
            self.conversation_state = state;
        }
        let mut run = self.run.take()?;
        if run.pending().is_some_and(PendingTools::is_recorded) {
            let repairs = run.reconcile(|tool| self.tools.is_idempotent(tool));
            if !repairs.is_empty() {
                diagnostics::repaired(&self.config.names, repairs.len());
            }
            self.repairs.extend(repairs);
            if run.pending().is_some_and(|pending| !pending.is_complete()) {
                (self.run, self.suspended) = (Some(run), true);
                // Another worker may go on with them.
                self.session.iter_mut().for_each(OpenSession::take_over);
                return None;
            }
        }
        let results = self.end_run(run, INTERRUPTED);
        if let Some(results) = &results {
            diagnostics::repaired(&self.config.names, results.tool_results().count());
        }
        results
    }

    /// Ends a run: calls without a result get this error, and their results join the history.
    pub(crate) fn end_run(&mut self, mut run: Run, unanswered: &str) -> Option<Arc<Message>> {
        run.refuse_open(unanswered);
        self.settling(&run);
        run.end(StopReason::Cancelled, unanswered).map(|results| self.history.push(results))
    }

    /// Drops the questions for humans: the calls that waited get an error result.
    pub(crate) fn discard_interrupts(&mut self) {
        if std::mem::take(&mut self.suspended)
            && let Some(run) = self.run.take()
        {
            self.end_run(run, INTERRUPTED);
        }
    }

    pub(crate) fn conversation(&mut self) -> Conversation<'_> {
        Conversation::new(&mut self.history, &mut self.conversation_state, &*self.model)
    }

    /// The number of messages that stay if the conversation is rewound to the user message at an index.
    pub(crate) fn rewound_to(&self, index: usize) -> Result<u64, AgentError> {
        let refuse = |reason| Err(AgentError::Rewind { index, reason });
        let Some(message) = self.history.messages().get(index) else {
            return refuse("there is no such message");
        };
        if message.role != Role::User {
            return refuse("it is not a user message");
        }
        if message.tool_results().next().is_some() {
            return refuse("it has tool results; rewind to the prompt before them");
        }
        match self.history.rewound_to(index) {
            Some(keep) => Ok(keep),
            None => refuse("it is, or comes before, a summary of older messages"),
        }
    }

    /// Drops everything from the message at an index on.
    pub(crate) fn rewind(&mut self, index: usize, keep: u64) -> Vec<Arc<Message>> {
        self.suspended = false;
        (self.run, self.settled) = (None, None);
        let dropped = self.history.rewind(index, keep);
        conversation::rewound(&mut self.conversation(), keep);
        dropped
    }
}
