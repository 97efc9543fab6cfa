//! State of a run of a swarm, as a value without I/O: which member has the turn, and what follows from its end.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use strands_core::message::Message;
use strands_core::multiagent::{NodeResult, NodeStatus};
use strands_core::{Continuation, InterruptResponse};
use uuid::Uuid;

use super::definition::Definition;
use super::handoff::Handoff;
use super::shared_context::SharedContext;
use crate::activity::{Activity, ActivityStatus};
use crate::machine::Spent;

/// State of a run between two steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) run_id: String,
    /// True if other runs may have asked under the same ids of interrupts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_later: bool,
    /// Digest of the task as it was asked, if hooks have changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<Uuid>,
    pub(super) task: Vec<Message>,
    /// The current turn. After the end of the run, the last one.
    pub(super) turn: Turn,
    pub(super) status: Status,
    /// The members whose turns have ended, in order.
    pub(super) history: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "SharedContext::is_empty")]
    pub(super) shared: SharedContext,
    /// Results by member: of the latest turn, with the usage of all.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(super) results: IndexMap<Arc<str>, NodeResult>,
    /// Conversations of members that keep them.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(super) conversations: IndexMap<Arc<str>, Continuation>,
    /// Number of handoffs, including one that a limit has stopped.
    #[serde(default)]
    pub(super) handoffs: u32,
    #[serde(default)]
    pub(super) spent: Spent,
}

/// Status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Running,
    Completed,
    /// The member of the turn failed.
    Failed,
    /// The latest turns went in circles: so many different members had them.
    Repeated(usize),
}

/// A turn of a member, with what led to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) member: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Arc<str>>,
    /// Message of the member that handed over. `None` also if it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    pub(super) activity: Activity,
}

/// A change of the member that has the turn.
#[derive(Debug, PartialEq)]
pub(super) struct Passed {
    pub(super) from: Arc<str>,
    pub(super) to: Arc<str>,
    pub(super) message: String,
}

impl State {
    pub(super) fn new(task: Vec<Message>, run_id: String, entry: &Arc<str>) -> Self {
        let turn = Turn { member: Arc::clone(entry), from: None, message: None, activity: Activity::default() };
        Self {
            run_id,
            is_later: false,
            asked: None,
            task,
            turn,
            status: Status::Running,
            history: Vec::new(),
            shared: SharedContext::default(),
            results: IndexMap::new(),
            conversations: IndexMap::new(),
            handoffs: 0,
            spent: Spent::default(),
        }
    }

    /// Returns true if the turn could start, and a limit of the swarm forbids it.
    pub(super) fn is_limited(&self, definition: &Definition) -> bool {
        let iterations = u32::try_from(self.history.len()).unwrap_or(u32::MAX);
        self.is_ready() && (self.handoffs > definition.max_handoffs || iterations >= definition.max_iterations)
    }

    fn is_ready(&self) -> bool {
        self.status == Status::Running && self.turn.activity.status == ActivityStatus::Ready
    }

    /// Ends the run: its turn is not made, and no interrupt is pending.
    pub(super) fn end(&mut self) {
        self.status = Status::Completed;
        self.turn.activity = Activity { status: ActivityStatus::Completed, ..Activity::default() };
    }

    /// Starts the turn, if its member is ready.
    pub(super) fn start(&mut self, definition: &Definition) -> bool {
        let starts = self.is_ready() && !self.is_limited(definition);
        if starts {
            let activity = &mut self.turn.activity;
            activity.status = ActivityStatus::Started;
            activity.attempts = activity.attempts.saturating_add(1);
        }
        starts
    }

    /// Records the end of the turn. Returns the change to another member, if the turn passes on.
    pub(super) fn finish(
        &mut self,
        definition: &Definition,
        result: NodeResult,
        handoff: Option<Handoff>,
        continuation: Option<Continuation>,
        is_suspended: bool,
    ) -> Option<Passed> {
        if self.turn.activity.status != ActivityStatus::Started {
            return None;
        }
        let has_begun = result.attempts > 0;
        let result = self.recorded(result);
        let activity = &mut self.turn.activity;
        match &result.status {
            NodeStatus::Completed => {
                activity.status = ActivityStatus::Completed;
                let text = if handoff.is_none() { result.text() } else { String::new() };
                self.complete(definition, handoff, continuation, text)
            }
            NodeStatus::Interrupted => {
                activity.interrupt(result, continuation, is_suspended);
                None
            }
            NodeStatus::Stopped => {
                activity.stop(runs_once(definition, &self.turn.member), has_begun, continuation);
                None
            }
            _ => {
                activity.status = ActivityStatus::Failed;
                if !activity.is_suspended {
                    // A graph that was cut off begins anew: the state of its run may be what failed.
                    activity.continuation = None;
                }
                self.status = Status::Failed;
                None
            }
        }
    }

    /// Records that the member has rejected the responses that it got, and waits as before.
    pub(super) fn refuse(&mut self, spent: NodeResult) {
        let activity = &mut self.turn.activity;
        activity.refuse();
        let mut result = activity.result.clone().unwrap_or_else(|| spent.clone());
        (result.usage, result.turns) = (spent.usage, spent.turns);
        (result.attempts, result.duration) = (spent.attempts, spent.duration);
        self.recorded(result);
    }

    /// Adds the result of an activity to that of the member, and returns it with the usage of all.
    fn recorded(&mut self, mut result: NodeResult) -> NodeResult {
        let activity = &mut self.turn.activity;
        activity.attempts = activity.attempts.saturating_add(result.attempts.saturating_sub(1));
        result.attempts = activity.attempts;
        activity.ended = activity.ended.saturating_add(1);
        let known =
            self.results.entry(Arc::clone(&self.turn.member)).or_insert_with(|| NodeResult::new(NodeStatus::Pending));
        result.usage.add(known.usage);
        result.turns = result.turns.saturating_add(known.turns);
        result.duration = result.duration.saturating_add(known.duration);
        if result.status == NodeStatus::Stopped && known.status != NodeStatus::Pending {
            // The result of an earlier turn stays.
            (known.usage, known.turns, known.duration, known.attempts) =
                (result.usage, result.turns, result.duration, result.attempts);
        } else {
            known.clone_from(&result);
        }
        result
    }

    fn complete(
        &mut self,
        definition: &Definition,
        handoff: Option<Handoff>,
        continuation: Option<Continuation>,
        text: String,
    ) -> Option<Passed> {
        let member = Arc::clone(&self.turn.member);
        self.history.push(Arc::clone(&member));
        let keeps = definition.members.get(&member).is_some_and(|member| member.policy.keeps_conversation);
        if let Some(conversation) = continuation.filter(|_| keeps) {
            self.conversations.insert(Arc::clone(&member), conversation);
        }
        let (to, message, handed_over) = match handoff {
            Some(Handoff { to, message, context }) => {
                self.shared.add(&member, context.unwrap_or_default());
                self.handoffs = self.handoffs.saturating_add(1);
                (to, message, true)
            }
            None => match definition.next_without_handoff(&member) {
                Some(next) => (Arc::clone(next), text, false),
                None => {
                    self.status = Status::Completed;
                    return None;
                }
            },
        };
        if let Some(unique) = definition.repetition.and_then(|repetition| repetition.found(&self.history)) {
            self.status = Status::Repeated(unique);
            return None;
        }
        let attempts = self.results.get(&to).map_or(0, |result| result.attempts);
        self.turn = Turn {
            member: Arc::clone(&to),
            from: Some(Arc::clone(&member)),
            message: handed_over.then(|| message.clone()),
            activity: Activity { attempts, ..Activity::default() },
        };
        Some(Passed { from: member, to, message })
    }

    /// Records responses to interrupts, all of which must be pending. The member goes on with those that it has.
    ///
    /// # Errors
    ///
    /// Returns the id of an interrupt that is not pending. Nothing has changed then.
    pub(super) fn resume(&mut self, responses: &[InterruptResponse]) -> Result<(), String> {
        let activity = &mut self.turn.activity;
        let is_waiting = activity.status == ActivityStatus::Interrupted;
        let is_pending = |response: &&InterruptResponse| {
            is_waiting && activity.pending().any(|interrupt| interrupt.id == response.interrupt_id)
        };
        if let Some(unknown) = responses.iter().find(|response| !is_pending(response)) {
            return Err(unknown.interrupt_id.clone());
        }
        activity.resume(responses);
        Ok(())
    }

    /// Makes a turn ready again that had started, or failed, when the run was stored. Returns false if it may run only once.
    pub(super) fn repeat_started(&mut self, definition: &Definition) -> bool {
        let activity = &mut self.turn.activity;
        match activity.status {
            ActivityStatus::Started | ActivityStatus::Failed if runs_once(definition, &self.turn.member) => {
                let is_known = activity.status == ActivityStatus::Failed;
                activity.status = ActivityStatus::Failed;
                self.status = Status::Failed;
                is_known
            }
            ActivityStatus::Started | ActivityStatus::Failed => {
                activity.status = ActivityStatus::Ready;
                self.status = Status::Running;
                true
            }
            ActivityStatus::Ready | ActivityStatus::Interrupted | ActivityStatus::Completed => true,
        }
    }
}

fn runs_once(definition: &Definition, member: &str) -> bool {
    definition.members.get(member).is_some_and(|member| member.policy.runs_once)
}
