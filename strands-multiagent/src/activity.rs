//! [`Activity`]: one run of a node of a graph, of one item of it, or of a member of a swarm.

use serde::{Deserialize, Serialize};
use strands_core::multiagent::NodeResult;
use strands_core::{Continuation, Interrupt, InterruptResponse};

/// State of an [`Activity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActivityStatus {
    /// It can start, or waits for others of its node to end.
    #[default]
    Ready,
    Started,
    Interrupted,
    Completed,
    Failed,
}

/// One run of a node of a graph, of one item of it, or of a member of a swarm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) status: ActivityStatus,
    /// Number of times that it has started, in all visits of the node.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// Number of starts in this visit whose end is recorded. Unlike `attempts`, a crash does not change it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) ended: u32,
    /// The result, once it has ended or was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<NodeResult>,
    /// All responses to its interrupts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) responses: Vec<InterruptResponse>,
    /// State of an agent that was interrupted, or of a graph or swarm that was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) continuation: Option<Continuation>,
    /// True if an agent was interrupted, and not a hook before it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_suspended: bool,
    /// Interrupts of that agent, if a hook has raised others since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asked: Vec<Interrupt>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of `skip_serializing_if`")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of `skip_serializing_if`")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Activity {
    /// Creates an activity that follows another one of the same node and item.
    pub(crate) fn after(earlier: Option<&Self>) -> Self {
        Self { attempts: earlier.map_or(0, |earlier| earlier.attempts), ..Self::default() }
    }

    /// Returns the interrupts that have no response.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Interrupt> {
        let raised = self.result.iter().flat_map(|result| &result.interrupts);
        raised.filter(|interrupt| self.responses.iter().all(|response| response.interrupt_id != interrupt.id))
    }

    /// Returns the responses to the last interrupts of the agent.
    pub(crate) fn new_responses(&self) -> Vec<InterruptResponse> {
        let of_result = self.result.iter().flat_map(|result| &result.interrupts).filter(|_| self.asked.is_empty());
        let asked: Vec<&Interrupt> = self.asked.iter().chain(of_result).collect();
        let raised = |id: &str| asked.iter().any(|raised| raised.id == id);
        self.responses.iter().filter(|response| raised(&response.interrupt_id)).cloned().collect()
    }

    /// Records that it waits for responses to the interrupts of a result. `is_suspended` tells that an agent has raised them, with the
    /// state from which it goes on, and not a hook before it, which leaves an earlier state.
    pub(crate) fn interrupt(&mut self, result: NodeResult, continuation: Option<Continuation>, is_suspended: bool) {
        if is_suspended {
            (self.continuation, self.is_suspended) = (continuation, true);
            self.asked.clear();
            // An agent may use an id again, such as one on another server.
            let is_raised = |id: &str| result.interrupts.iter().any(|raised| raised.id == id);
            self.responses.retain(|response| !is_raised(&response.interrupt_id));
        } else if self.is_suspended && self.asked.is_empty() {
            self.asked = self.result.take().map(|result| result.interrupts).unwrap_or_default();
        }
        (self.status, self.result) = (ActivityStatus::Interrupted, Some(result));
    }

    /// Records responses to its pending interrupts, if it waits for any of them. Returns true if it can go on.
    pub(crate) fn resume(&mut self, responses: &[InterruptResponse]) -> bool {
        if self.status != ActivityStatus::Interrupted {
            return false;
        }
        let before = self.responses.len();
        for response in responses {
            if self.pending().any(|interrupt| interrupt.id == response.interrupt_id) {
                self.responses.push(response.clone());
            }
        }
        let has_new = self.responses.len() > before;
        if has_new {
            self.status = ActivityStatus::Ready;
        }
        has_new
    }

    /// Makes it wait for responses again, since its agent has rejected those that it got, and is suspended as before.
    pub(crate) fn refuse(&mut self) {
        let sent = self.new_responses();
        self.responses.retain(|response| !sent.contains(response));
        if let Some(result) = self.result.as_mut().filter(|_| !self.asked.is_empty()) {
            result.interrupts = std::mem::take(&mut self.asked);
        }
        self.status = ActivityStatus::Interrupted;
    }

    /// Records that it was cut off, with the state of a graph or swarm from which that goes on. Without one, it can start again as it was
    /// before: with the interrupts that it had then. Returns false if it may run only once and has begun.
    pub(crate) fn stop(&mut self, runs_once: bool, has_begun: bool, continuation: Option<Continuation>) -> bool {
        if runs_once && has_begun {
            // It stays started: nothing tells how far it came.
            return false;
        }
        self.status = ActivityStatus::Ready;
        if continuation.is_some() {
            // Responses to earlier interrupts are in that state.
            (self.continuation, self.is_suspended, self.result) = (continuation, false, None);
            self.asked.clear();
        }
        true
    }

    /// Returns true if it goes on from a state, without a prompt: after an interrupt, or as a graph or swarm that was cut off.
    pub(crate) fn goes_on(&self) -> bool {
        self.is_suspended || self.continuation.is_some()
    }
}
