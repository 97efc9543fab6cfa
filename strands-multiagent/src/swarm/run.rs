//! [`SwarmRun`]: the state of a run with its definition, as the machine that the driver performs.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use strands_core::message::{Message, Role};
use strands_core::models::StopReason;
use strands_core::multiagent::NodeResult;
use strands_core::{AgentError, AgentEvent, Continuation, InterruptResponse, Prompt, PromptRequest, Promptable};
use uuid::Uuid;

use super::definition::Definition;
use super::document;
use super::handoff::{Handoff, HandoffTool, HookFailure};
use super::prompt::Parts;
use super::shared_context::SharedContext;
use super::state::{Passed, State, Status};
use crate::activity::ActivityStatus;
use crate::document::DocumentError;
use crate::machine::{Ended, Executor, Machine, Orchestrator, Phase, RestoreError, RunFailure, Settings, Spent, Work};
use crate::node::NodeError;

/// Text of a failure that left none.
const UNKNOWN_FAILURE: &str = "failed in an earlier process";

/// A run of a swarm.
pub(crate) struct SwarmRun {
    definition: Arc<Definition>,
    state: State,
    task: Prompt,
    /// The failure of the member, if it failed in this process.
    failure: Option<Arc<NodeError>>,
    is_restored: bool,
}

impl SwarmRun {
    fn new(definition: &Arc<Definition>, state: State, is_restored: bool) -> Self {
        let task = Prompt::from(state.task.clone());
        Self { definition: Arc::clone(definition), state, task, failure: None, is_restored }
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Returns the results, the history and the shared context.
    pub(super) fn into_results(self) -> (IndexMap<Arc<str>, NodeResult>, Vec<Arc<str>>, SharedContext) {
        let State { results, history, shared, .. } = self.state;
        (results, history, shared)
    }

    /// Returns the prompt of the member that has the turn.
    fn prompt(&self) -> Prompt {
        let (definition, turn) = (&self.definition, &self.state.turn);
        let response = match (&turn.from, &turn.message) {
            (Some(from), None) => self.state.results.get(from).map(|result| (&**from, &*result.message)),
            _ => None,
        };
        let next = definition.members.get(&turn.member).map(|member| &*member.handoffs).unwrap_or_default();
        let described = |name: &'_ Arc<str>| definition.members.get(name).map(|member| &*member.description);
        let others: Vec<(&str, &str)> =
            next.iter().map(|name| (&**name, described(name).unwrap_or_default())).collect();
        let parts = Parts {
            task: &self.task,
            message: turn.message.as_deref(),
            response,
            history: &self.state.history,
            shared: &self.state.shared,
            others: &others,
            returns_to: definition.next_without_handoff(&turn.member).map(|next| &**next),
        };
        parts.prompt()
    }

    /// Returns the work of the member that has the turn.
    fn work(&self) -> Option<Work<Handoff>> {
        let turn = &self.state.turn;
        let (executor, member) = (self.executor()?, self.definition.members.get(&turn.member)?);
        let activity = &turn.activity;
        let (is_resumed, goes_on) = (activity.is_suspended, activity.goes_on());
        let turns = self.state.history.iter().filter(|member| **member == turn.member).count();
        let kept = self.state.conversations.get(&turn.member).filter(|_| member.policy.keeps_conversation);
        Some(Work {
            key: (0, 0),
            id: Arc::clone(&turn.member),
            item: None,
            node: Arc::clone(&turn.member),
            attempt: activity.attempts,
            from: turn.from.iter().cloned().collect(),
            prompt: if goes_on { Prompt::none() } else { self.prompt() },
            visit: format!("{}.{}", self.state.run_id, turns + 1).into(),
            start: format!("{}.{}", turns + 1, activity.ended),
            is_first: turns == 0 && !self.state.is_later,
            responses: activity.responses.clone(),
            new_responses: activity.new_responses(),
            continuation: if goes_on { activity.continuation.clone() } else { kept.cloned() },
            is_resumed,
            executor,
            policy: member.policy,
        })
    }

    /// Returns how the member that has the turn runs: with the tool that hands over, if it may.
    fn executor(&self) -> Option<Executor<Handoff>> {
        let (definition, member) = (&self.definition, &self.state.turn.member);
        let settings = definition.members.get(member)?;
        let (from, to) = (Arc::clone(member), Arc::clone(&settings.handoffs));
        let (shared, limit) = (Arc::new(self.state.shared.clone()), definition.shared_limit);
        let (hooks, failure) = (Arc::clone(&definition.hooks), HookFailure::default());
        let failed = failure.clone();
        let prepare = move |request: PromptRequest| {
            // Left by an attempt before this one.
            failure.take();
            if to.is_empty() {
                return request;
            }
            request.tools([HandoffTool::new(&from, &to, &shared, limit, &hooks, failure.clone())])
        };
        let allowed = Arc::clone(&settings.handoffs);
        let read = move |result: &NodeResult| match (failed.take(), result.ended_by.as_deref().and_then(Handoff::of)) {
            (Some(failure), _) => Err(failure),
            // The tool has checked it, unless the member is no agent and makes its own.
            (None, Some(handoff)) if !allowed.contains(&handoff.to) => {
                Err(NodeError::new("handed over to a member that its rules do not name"))
            }
            (None, handoff) => Ok(handoff.into_iter().collect()),
        };
        Some(Executor::Agent { agent: Arc::clone(&settings.agent), prepare: Arc::new(prepare), read: Arc::new(read) })
    }
}

impl Orchestrator for Definition {
    type Run = SwarmRun;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn begin(self: &Arc<Self>, task: Prompt, run_id: String, earlier: Option<&SwarmRun>, is_first: bool) -> SwarmRun {
        let mut state = State::new(task.messages().to_vec(), run_id, &self.entry);
        state.is_later = !is_first;
        if let Some(earlier) = earlier {
            state.conversations.clone_from(&earlier.state.conversations);
        }
        SwarmRun::new(self, state, false)
    }

    fn restore(self: &Arc<Self>, stored: &Value) -> Result<SwarmRun, RestoreError> {
        document::read(self, stored).map(|state| SwarmRun::new(self, state, true))
    }

    fn restore_ended(self: &Arc<Self>, stored: &Value) -> Result<SwarmRun, RestoreError> {
        document::read_ended(self, stored).map(|state| SwarmRun::new(self, state, true))
    }
}

impl Machine for SwarmRun {
    type Update = Handoff;

    fn waiting(&self) -> Vec<(Arc<dyn Promptable>, Option<Continuation>)> {
        let turn = &self.state.turn;
        let member = self.definition.members.get(&turn.member).filter(|_| turn.activity.goes_on());
        member.map(|member| (Arc::clone(&member.agent), turn.activity.continuation.clone())).into_iter().collect()
    }

    fn id(&self) -> &str {
        &self.state.run_id
    }

    fn task(&self) -> &Prompt {
        &self.task
    }

    fn asked(&self) -> Option<Uuid> {
        self.state.asked
    }

    fn set_task(&mut self, task: Prompt, asked: Uuid) {
        (self.state.task, self.state.asked) = (task.messages().to_vec(), Some(asked));
        self.task = task;
    }

    fn is_restored(&self) -> bool {
        self.is_restored
    }

    fn start(&mut self, most: usize, _events: &mut Vec<AgentEvent>) -> Vec<Work<Handoff>> {
        if most == 0 || !self.state.start(&self.definition) {
            return Vec::new();
        }
        self.work().into_iter().collect()
    }

    fn finish(&mut self, ended: Ended<Handoff>) -> Vec<AgentEvent> {
        let Ended { result, mut updates, continuation, is_suspended, is_unchanged, error, .. } = ended;
        self.failure = error.map(Arc::new);
        if is_unchanged {
            self.state.refuse(result);
            return Vec::new();
        }
        let passed = self.state.finish(&self.definition, result, updates.pop(), continuation, is_suspended);
        let event = passed.map(|Passed { from, to, message }| AgentEvent::Handoff { from, to, message });
        event.into_iter().collect()
    }

    fn phase(&self) -> Phase {
        let State { turn, status, results, .. } = &self.state;
        match (status, turn.activity.status) {
            (Status::Completed, _) => Phase::Completed,
            (Status::Failed, _) => {
                let stored = || results.get(&turn.member)?.error.clone();
                let error = match &self.failure {
                    Some(failure) => RunFailure::Node(Arc::clone(failure)),
                    None => RunFailure::Earlier(stored().unwrap_or_else(|| UNKNOWN_FAILURE.to_owned())),
                };
                Phase::Failed { node: Some(Arc::clone(&turn.member)), error }
            }
            (Status::Repeated(unique), _) => {
                let window = self.definition.repetition.map_or(0, |repetition| repetition.window);
                Phase::Failed { node: None, error: RunFailure::Repetition { window, unique: *unique } }
            }
            (Status::Running, ActivityStatus::Interrupted) => {
                Phase::Interrupted(turn.activity.pending().cloned().collect())
            }
            (Status::Running, _) if self.state.is_limited(&self.definition) => Phase::Limited(StopReason::LimitSteps),
            (Status::Running, _) => Phase::Active,
        }
    }

    fn resume(&mut self, responses: &[InterruptResponse]) -> Result<(), AgentError> {
        self.state.resume(responses).map_err(|id| AgentError::UnknownInterrupt { id })
    }

    fn repeat_started(&mut self) -> Vec<AgentEvent> {
        if !self.state.repeat_started(&self.definition) {
            self.failure = Some(Arc::new(NodeError::OutcomeUnknown));
        }
        Vec::new()
    }

    fn spend(&mut self, spent: Spent) {
        self.state.spent = spent;
    }

    fn spent(&self) -> Spent {
        self.state.spent
    }

    fn response(&self) -> (Arc<Message>, Option<Value>) {
        let last = self.state.history.last().unwrap_or(&self.state.turn.member);
        match self.state.results.get(last) {
            Some(result) => (Arc::clone(&result.message), result.output.clone()),
            None => (Arc::new(Message::new(Role::Assistant, [""; 0])), None),
        }
    }

    fn document(&self, stored: Option<&Value>) -> Result<Value, DocumentError> {
        document::written(&self.definition, &self.state, stored)
    }
}

impl fmt::Debug for SwarmRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwarmRun")
            .field("id", &self.state.run_id)
            .field("turn", &self.state.turn.member)
            .finish_non_exhaustive()
    }
}
