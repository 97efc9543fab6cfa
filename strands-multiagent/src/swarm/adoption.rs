//! Runs that Strands has stored, or that another program has changed: they go on from the fields of Strands alone.

use std::sync::Arc;

use super::definition::Definition;
use super::shared_context::SharedContext;
use super::state::{State, Status};
use crate::activity::{Activity, ActivityStatus};
use crate::document::{KindFields, RunDocument};
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
        let attempts = state.turn.activity.attempts.saturating_add(1);
        state.turn.activity = waiting.into_activity(attempts);
    }
    (state.history, state.results) = (document.order, document.results);
    state
}
