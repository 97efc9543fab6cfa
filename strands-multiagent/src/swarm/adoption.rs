//! Runs that Strands has stored, or that another program has changed: they go on from the fields of Strands alone.

use std::sync::Arc;

use strands_core::multiagent::{NodeResult, NodeStatus};

use super::definition::Definition;
use super::shared_context::SharedContext;
use super::state::{State, Status, Turn};
use crate::activity::{Activity, ActivityStatus};
use crate::document::{InterruptedNode, KindFields, RunDocument};
use crate::driver::random_id;
use crate::machine::Spent;

/// Returns the state of a document without state of this crate: the member has the turn that Strands would run next. Without one,
/// the run is over.
pub(super) fn adopted(definition: &Definition, document: RunDocument) -> State {
    let entry = &definition.entry;
    let mut state = State::new(document.task.messages().to_vec(), random_id(), entry);
    let turns = document.results.values().map(|result| result.turns).sum();
    state.spent = Spent { usage: document.usage, turns, elapsed: document.elapsed };
    if let KindFields::Swarm { shared, message, .. } = document.kind {
        state.shared = SharedContext::from_object(shared);
        state.turn.message = message;
    }
    let next = document.next.first();
    state.status = if next.is_some() { Status::Running } else { Status::Completed };
    let handoffs = document.order.len().saturating_sub(usize::from(next.is_none()));
    state.handoffs = u32::try_from(handoffs).unwrap_or(u32::MAX);
    state.turn.from = document.order.last().cloned();
    state.turn.member = Arc::clone(next.or(document.order.last()).unwrap_or(entry));
    let attempts = document.results.get(&state.turn.member).map_or(0, |result| result.attempts);
    let status = if next.is_some() { ActivityStatus::Ready } else { ActivityStatus::Completed };
    state.turn.activity = Activity { status, attempts, ..Activity::default() };
    if let Some(waiting) = document.interrupted.into_iter().next() {
        suspend(&mut state.turn, waiting);
    }
    (state.history, state.results) = (document.order, document.results);
    state
}

/// Lets a member wait for the responses that Strands waits for. A member with all of them goes on.
fn suspend(turn: &mut Turn, waiting: InterruptedNode) {
    let InterruptedNode { node, interrupts, from_hook, continuation } = waiting;
    let mut result = NodeResult::new(NodeStatus::Interrupted);
    let mut responses = Vec::new();
    for interrupt in interrupts {
        let mut interrupt = if from_hook { interrupt } else { interrupt.at_node(&node) };
        if let Some(response) = interrupt.response.take() {
            responses.push(interrupt.respond(response));
        }
        result.interrupts.push(interrupt);
    }
    let is_answered = result.interrupts.len() == responses.len();
    turn.activity = Activity {
        status: if is_answered { ActivityStatus::Ready } else { ActivityStatus::Interrupted },
        attempts: turn.activity.attempts.saturating_add(1),
        ended: 0,
        result: Some(result),
        responses,
        continuation,
        is_suspended: !from_hook,
        asked: Vec::new(),
    };
}
