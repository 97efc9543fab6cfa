//! Interrupted calls of agents that are tools, from the state with which such an agent continues.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Run;
use crate::continuation::Continuation;
use crate::interrupt::{Interrupt, InterruptedCall};
use crate::limits::Limits;
use crate::message::ToolUse;
use crate::session::InternalState;

/// The parts of an agent's snapshot that have its calls.
#[derive(Deserialize)]
struct Continued {
    data: ContinuedData,
}

#[derive(Deserialize)]
struct ContinuedData {
    #[serde(default)]
    run: Option<Value>,
    #[serde(default)]
    interrupt_state: Map<String, Value>,
}

/// Returns the interrupted calls within a call, and takes their interrupts out of those of the call. Empty if the tool of the
/// call is no agent of this crate: what another one says about its calls is not trusted.
pub(super) fn of(
    call: &Arc<ToolUse>,
    continuation: Option<&Continuation>,
    interrupts: &mut Vec<Interrupt>,
) -> Vec<InterruptedCall> {
    let prefix = Interrupt::nested_prefix(&call.tool_use_id);
    let mut nested = continuation.filter(|state| state.is_of_agent()).map(calls_in).unwrap_or_default();
    nested.retain_mut(|inner| {
        inner.within.insert(0, Arc::clone(call));
        inner.interrupts = inner
            .interrupts
            .iter()
            .filter_map(|interrupt| {
                let id = format!("{prefix}{}", interrupt.id);
                let at = interrupts.iter().position(|interrupt| interrupt.id == id)?;
                Some(interrupts.remove(at))
            })
            .collect();
        !inner.interrupts.is_empty()
    });
    nested
}

fn calls_in(continuation: &Continuation) -> Vec<InterruptedCall> {
    let Ok(Continued { data }) = continuation.read::<Continued>() else { return Vec::new() };
    let state = InternalState { run: data.run, interrupt_state: data.interrupt_state, ..InternalState::default() };
    let run = Run::in_record(&state, Limits::unlimited()).ok().flatten();
    run.map(Run::into_open_calls).unwrap_or_default()
}
