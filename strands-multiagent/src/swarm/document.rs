//! The document of a swarm's run: the fields of Strands, and the state of this crate without what those fields have.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use strands_core::multiagent::{MultiAgentKind, NodeStatus};
use strands_core::{Interrupt, Prompt};

use super::adoption;
use super::definition::Definition;
use super::state::{State, Status};
use crate::activity::ActivityStatus;
use crate::document::{DocumentError, InterruptedNode, KindFields, RunDocument};
use crate::machine::RestoreError;

/// Fields of the state of this crate that are left out, since fields of Strands have the same.
const TASK: &str = "task";
const HISTORY: &str = "history";
const SHARED: &str = "shared";
const RESULTS: &str = "results";
/// The continuation of an interrupted member.
const CONTINUATION: &str = "/turn/activity/continuation";

/// Returns the document of a run.
///
/// # Errors
///
/// Returns [`DocumentError`] if the state can't be stored.
pub(super) fn written(definition: &Definition, state: &State, stored: Option<&Value>) -> Result<Value, DocumentError> {
    let turn = &state.turn;
    let status = match (state.status, turn.activity.status) {
        (Status::Completed, _) => NodeStatus::Completed,
        (Status::Failed | Status::Repeated(_), _) => NodeStatus::Failed,
        (Status::Running, ActivityStatus::Interrupted) => NodeStatus::Interrupted,
        (Status::Running, _) => NodeStatus::Executing,
    };
    let goes_on = matches!(state.status, Status::Running | Status::Failed);
    let mut document = RunDocument {
        id: Arc::clone(&definition.settings.id),
        status,
        task: Prompt::from(state.task.clone()),
        results: state.results.clone(),
        // Strands starts a failed run again with the member that failed, as this crate does.
        next: if goes_on { vec![Arc::clone(&turn.member)] } else { Vec::new() },
        order: state.history.clone(),
        interrupted: interrupted(state).into_iter().collect(),
        usage: state.spent.usage,
        elapsed: state.spent.elapsed,
        kind: KindFields::Swarm {
            shared: state.shared.to_object(),
            handoff: None,
            message: turn.message.clone().filter(|_| goes_on),
        },
        own: None,
    };
    let mut own = serde_json::to_value(state).map_err(DocumentError::State)?;
    leave_out(&mut own, &document);
    document.own = Some(own);
    document.write(stored)
}

/// Restores the state of a run from its document.
///
/// # Errors
///
/// Returns an error if the document is not of this swarm, or can't be read.
pub(super) fn read(definition: &Arc<Definition>, stored: &Value) -> Result<State, RestoreError> {
    let state = read_state(definition, stored)?;
    match definition.members.contains_key(&state.turn.member) {
        true => Ok(state),
        false => Err(DocumentError::unknown_node(&state.turn.member).into()),
    }
}

/// Restores the state of a run as one that is over. Its members may have changed.
///
/// # Errors
///
/// Returns an error if the document is not of this swarm, or can't be read.
pub(super) fn read_ended(definition: &Arc<Definition>, stored: &Value) -> Result<State, RestoreError> {
    let mut state = read_state(definition, stored)?;
    state.end();
    Ok(state)
}

fn read_state(definition: &Arc<Definition>, stored: &Value) -> Result<State, RestoreError> {
    let mut document = RunDocument::read(stored, MultiAgentKind::Swarm, &definition.settings.id)?;
    match document.own.take() {
        Some(mut own) => {
            fill_in(&mut own, &document).map_err(DocumentError::own_state)?;
            Ok(State::deserialize(own).map_err(DocumentError::own_state)?)
        }
        None => Ok(adoption::adopted(definition, document)),
    }
}

fn interrupted(state: &State) -> Option<InterruptedNode> {
    let (member, activity) = (&state.turn.member, &state.turn.activity);
    if activity.status != ActivityStatus::Interrupted {
        return None;
    }
    let inner = |interrupt: &Interrupt| {
        let mut inner = interrupt.clone();
        if let Some(response) = interrupt.respond(Value::Null).within_node(member) {
            inner.id = response.interrupt_id;
        }
        inner
    };
    let from_hook = activity.pending().all(|interrupt| interrupt.respond(Value::Null).within_node(member).is_none());
    Some(InterruptedNode {
        node: Arc::clone(member),
        interrupts: activity.pending().map(inner).collect(),
        from_hook,
        // Before a hook has its responses, Strands does not go on with it.
        continuation: activity.continuation.clone().filter(|_| !from_hook),
    })
}

/// Removes from the state of this crate what a document has in fields of Strands.
fn leave_out(own: &mut Value, document: &RunDocument) {
    let waiting = document.interrupted.first();
    let is_written = waiting.is_some_and(|waiting| waiting.continuation.is_some());
    if let Some(continuation) = own.pointer_mut(CONTINUATION).filter(|_| is_written) {
        *continuation = Value::Null;
    }
    let Value::Object(own) = own else { return };
    if document.has_whole_task() {
        own.shift_remove(TASK);
    }
    own.shift_remove(HISTORY);
    own.shift_remove(SHARED);
    // The order of the results stays.
    for (member, result) in results(own) {
        if document.has_result(member) {
            *result = Value::Null;
        }
    }
}

/// Adds to the state of this crate what was left out.
fn fill_in(own: &mut Value, document: &RunDocument) -> Result<(), serde_json::Error> {
    let continuation = document.interrupted.first().and_then(|waiting| waiting.continuation.as_ref());
    if let (Some(place), Some(continuation)) = (own.pointer_mut(CONTINUATION), continuation) {
        *place = serde_json::to_value(continuation)?;
    }
    let Value::Object(own) = own else { return Ok(()) };
    if !own.contains_key(TASK) {
        own.insert(TASK.to_owned(), serde_json::to_value(document.task.messages())?);
    }
    own.insert(HISTORY.to_owned(), serde_json::to_value(&document.order)?);
    if let KindFields::Swarm { shared, .. } = &document.kind {
        own.insert(SHARED.to_owned(), Value::Object(shared.clone()));
    }
    for (member, result) in results(own) {
        if let Some(stored) = document.results.get(member.as_str()).filter(|_| result.is_null()) {
            *result = serde_json::to_value(stored)?;
        }
    }
    Ok(())
}

fn results(own: &mut Map<String, Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    own.get_mut(RESULTS).and_then(Value::as_object_mut).into_iter().flatten()
}
