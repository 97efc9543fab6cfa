//! Working set of an agent: the conversation, the state and the run, with their persistence. The loop works on it rather than
//! on the public [`Agent`], which is in a higher layer.
//!
//! [`Agent`]: crate::Agent

mod config;
mod late_records;
mod persistence;
mod restore;
mod tools;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use config::AgentConfig;
pub(crate) use persistence::OpenSession;
pub(crate) use restore::{InitialState, Reconciled, Restored, manager_state, reconciled, stored_range};
pub(crate) use tools::AgentTools;

use crate::continuation::Continuation;
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

/// Conversation, state and run of an agent.
pub(crate) struct WorkingSet {
    pub(crate) config: Arc<AgentConfig>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) tools: AgentTools,
    /// System prompt, without the text of plugins.
    pub(crate) system: Arc<[SystemBlock]>,
    /// System prompt as sent in requests.
    pub(crate) sent_system: Arc<[SystemBlock]>,
    pub(crate) history: History,
    pub(crate) state: AgentState,
    pub(crate) conversation_state: Map<String, Value>,
    pub(crate) metrics: Arc<EventLoopMetrics>,
    pub(crate) run: Option<Run>,
    /// True while the run is suspended rather than running.
    pub(crate) suspended: bool,
    /// A run whose results are in the history, but may not be in the session yet, with the message of its calls.
    pub(crate) settled: Option<Box<(Run, Message)>>,
    pub(crate) session: Option<Box<OpenSession>>,
    /// A rewind that the session may not have completed.
    pub(crate) rewinding: Option<Rewinding>,
    pub(crate) repairs: Vec<Repair>,
    /// Calls of tools that were suspended when their interrupts were discarded, until the tools know.
    pub(crate) discarding: Vec<(String, Continuation)>,
    /// True after an invocation that cut off the last response, so that the model may continue it.
    pub(crate) response_is_cut: bool,
    /// Messages as the model's provider serialized them for earlier requests.
    pub(crate) serialized: SerializedMessages,
    /// Names and schemas of output types that the provider rejected in native mode.
    #[expect(clippy::box_collection, reason = "most agents have none, and a server holds many agents")]
    pub(crate) refused_outputs: Option<Box<HashSet<(String, Value)>>>,
}

/// Maximum number of suspended calls of ended runs whose tools are still to be told.
const MAX_DISCARDING: usize = 64;

/// A rewind: the index of the first message to remove, and the number of messages of the whole conversation that stay.
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

    /// Returns the run that the next invocation resumes.
    pub(crate) fn suspended_run(&self) -> Option<&Run> {
        self.run.as_ref().filter(|_| self.suspended && self.rewinding.is_none())
    }

    /// Returns the pending interrupts.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        self.suspended_run().map(Run::interrupts).unwrap_or_default()
    }

    /// Returns the run to store in a session, with the message of its calls: one that is suspended, or was interrupted, or
    /// whose results the session does not have yet.
    fn stored_run(&self) -> Option<(&Run, &Message)> {
        if let Some((run, calling)) = self.settled.as_deref() {
            return Some((run, calling));
        }
        let run = self.run.as_ref()?;
        let pending = run.pending().filter(|pending| self.suspended || pending.is_recorded())?;
        let calling = self.history.messages().last().filter(|message| pending.belong_to(message))?;
        Some((run, calling))
    }

    /// Prepares the results of a run's calls for the history. If the session has a record of the calls, a record with the
    /// results is written first; the write is conditional unless the starts of all calls were recorded by this worker.
    pub(crate) fn prepare_results(&mut self, completed: &Run) {
        let Some(pending) = completed.pending().filter(|pending| pending.is_recorded()) else { return };
        let Some(open) = &mut self.session else { return };
        let Some(calling) = self.history.messages().last() else { return };
        if pending.has_unrecorded() {
            open.require_claim();
        }
        self.settled = Some(Box::new((completed.clone(), Message::clone(calling))));
    }

    /// Makes the history valid after an invocation that was not completed. Returns the message that was added.
    ///
    /// Approved calls stay approved unless their tool was started.
    pub(crate) fn settle(&mut self) -> Option<Arc<Message>> {
        self.settle_with(Message::track)
    }

    /// As [`settle`](Self::settle), with a function that sets the tracking id of the message.
    pub(crate) fn settle_with(&mut self, track: impl FnOnce(&mut Message)) -> Option<Arc<Message>> {
        if self.suspended {
            return None;
        }
        if let Some(state) = self.history.withdraw_prompt() {
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
                // Another worker may continue with them.
                self.session.iter_mut().for_each(|open| open.require_claim());
                return None;
            }
        }
        let results = self.end_run(run, INTERRUPTED, track);
        if let Some(results) = &results {
            diagnostics::repaired(&self.config.names, results.tool_results().count());
        }
        results
    }

    /// Ends a run: calls without a result get an error result, and all results are added to the history.
    pub(crate) fn end_run(
        &mut self,
        mut run: Run,
        error: &str,
        track: impl FnOnce(&mut Message),
    ) -> Option<Arc<Message>> {
        self.note_abandoned(&run);
        run.fail_open_calls(error);
        self.prepare_results(&run);
        run.end(StopReason::Cancelled, error).map(|mut results| {
            track(&mut results);
            self.history.push(results)
        })
    }

    /// Discards the pending interrupts. Their calls get an error result.
    pub(crate) fn discard_interrupts(&mut self) {
        if std::mem::take(&mut self.suspended)
            && let Some(run) = self.run.take()
        {
            self.end_run(run, INTERRUPTED, Message::track);
        }
    }

    /// Notes the suspended calls of a run that ends without them, until the tools are told.
    pub(crate) fn note_abandoned(&mut self, run: &Run) {
        self.discarding.extend(run.pending().map(PendingTools::suspended_tools).unwrap_or_default());
        let surplus = self.discarding.len().saturating_sub(MAX_DISCARDING);
        self.discarding.drain(..surplus);
    }

    pub(crate) fn conversation(&mut self) -> Conversation<'_> {
        Conversation::new(&mut self.history, &mut self.conversation_state, &*self.model)
    }

    /// Returns the number of messages that stay if the conversation is rewound to the user message at an index.
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

    /// Removes all messages from an index on.
    pub(crate) fn rewind(&mut self, index: usize, keep: u64) -> Vec<Arc<Message>> {
        self.suspended = false;
        if let Some(run) = self.run.take() {
            self.note_abandoned(&run);
        }
        self.settled = None;
        let dropped = self.history.rewind(index, keep);
        conversation::rewound(&mut self.conversation(), keep);
        dropped
    }
}
