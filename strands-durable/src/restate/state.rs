//! State of an object: the conversation, and the running turn.

use restate_sdk::endpoint::ContextInternal;
use restate_sdk::errors::{HandlerResult, TerminalError};
use restate_sdk::serde::Json;
use serde_json::Value;
use strands_core::Snapshot;

use super::agent::Shared;
use super::messages::{
    AnswerInput, AnswerSignal, FailedState, GrantedLimits, RunReference, RunningState, SessionHistory,
};
use super::run_id;
use super::running::RunningTurns;

/// Key of the snapshot of the agent.
pub(super) const SNAPSHOT: &str = "snapshot";

/// Maximum depth of a response, which is that of JSON in a conversation.
const MAX_DEPTH: usize = 100;

/// Key of the [`RunningState`].
pub(super) const RUNNING: &str = "running";

/// Key of the [`FailedState`].
const FAILED: &str = "failed";

pub(super) fn set_failed(ctx: &ContextInternal, failed: &FailedState) {
    ctx.set(FAILED, Json(failed.clone()));
}

/// Returns the usage of a turn that has failed. `None` if another one has failed since, or if it did nothing.
pub(super) async fn failed(ctx: &ContextInternal, run_id: &str) -> Result<Option<FailedState>, TerminalError> {
    let state = ctx.get::<Json<Value>>(FAILED).await?;
    let state = state.and_then(|Json(state)| serde_json::from_value::<FailedState>(state).ok());
    Ok(state.filter(|failed| failed.run_id == run_id))
}

pub(super) fn set_running(ctx: &ContextInternal, running: &RunningState) {
    ctx.set(RUNNING, Json(running.clone()));
}

pub(super) async fn running(ctx: &ContextInternal) -> Result<Option<RunningState>, TerminalError> {
    let state = ctx.get::<Json<Value>>(RUNNING).await?;
    let Some(Json(state)) = state else { return Ok(None) };
    serde_json::from_value(state).map_err(|_| TerminalError::new("the state of the running turn is unreadable"))
}

/// Sends responses to the interrupts of the waiting turn.
pub(super) async fn answer(ctx: &ContextInternal, shared: &Shared, input: Value) -> HandlerResult<Json<RunReference>> {
    let expected =
        r#"invalid request: expected {"responses": [{"interruptId": "..", "response": ..}], "metadata": {..}}"#;
    let answers: AnswerInput =
        serde_json::from_value(input).map_err(|_| TerminalError::new_with_code(400, expected))?;
    // Here, so that a caller's mistake does not end the turn.
    if answers.responses.iter().any(|response| depth(&response.response) > MAX_DEPTH) {
        return Err(
            TerminalError::new_with_code(400, "a response nests deeper than 100 levels; make it flatter").into()
        );
    }
    shared
        .answerer
        .of(&answers.metadata)
        .map(drop)
        .map_err(|error| TerminalError::new_with_code(400, error.to_string()))?;
    let running = running(ctx).await?;
    let is_pending = |id: &str| running.iter().any(|turn| turn.interrupts.iter().any(|pending| pending.id == id));
    let Some(turn) = &running else {
        return Err(TerminalError::new_with_code(404, "no turn waits for a response").into());
    };
    if !answers.responses.iter().all(|response| is_pending(&response.interrupt_id)) {
        return Err(TerminalError::new_with_code(404, "a response is to no pending interrupt").into());
    }
    let handle = ctx.invocation_handle(turn.run_id.clone());
    for response in answers.responses {
        let (metadata, limits) = (answers.metadata.clone(), answers.limits);
        let signal = AnswerSignal { response: response.response, metadata, limits };
        handle.signal(response.interrupt_id).resolve(Json(signal));
    }
    Ok(Json(RunReference { run_id: Some(turn.run_id.clone()) }))
}

/// Cancels the running turn, or the one of the input, which may be queued.
pub(super) async fn cancel(
    ctx: &ContextInternal,
    turns: &RunningTurns,
    own_id: &str,
    input: &[u8],
) -> HandlerResult<Json<RunReference>> {
    let given = match input {
        [] => RunReference::default(),
        input => serde_json::from_slice(input).map_err(|_| {
            TerminalError::new_with_code(400, r#"invalid request: expected nothing, or {"run_id": ".."}"#)
        })?,
    };
    let run_id = match given.run_id {
        Some(run_id) if run_id::is_of_object(own_id, &run_id) => Some(run_id),
        Some(_) => return Err(TerminalError::new_with_code(404, "the run is not one of this session").into()),
        None => running(ctx).await?.map(|turn| turn.run_id),
    };
    if let Some(run_id) = &run_id {
        ctx.invocation_handle(run_id.clone()).cancel();
        turns.cancel(run_id);
    }
    Ok(Json(RunReference { run_id }))
}

/// Returns the limits of a running turn.
pub(super) async fn granted(ctx: &ContextInternal, input: Value) -> HandlerResult<Json<GrantedLimits>> {
    let turn: RunReference = serde_json::from_value(input)
        .map_err(|_| TerminalError::new_with_code(400, r#"invalid request: expected {"run_id": ".."}"#))?;
    let running = running(ctx).await?.filter(|running| Some(&running.run_id) == turn.run_id.as_ref());
    Ok(Json(GrantedLimits { limits: running.and_then(|running| running.limits) }))
}

/// Returns the conversation at the end of the last turn.
pub(super) async fn history(ctx: &ContextInternal) -> HandlerResult<Json<SessionHistory>> {
    let snapshot = ctx.get::<Json<Value>>(SNAPSHOT).await?;
    let running = running(ctx).await?;
    let messages = match snapshot {
        Some(Json(snapshot)) => {
            let snapshot: Snapshot = serde_json::from_value(snapshot)
                .map_err(|_| TerminalError::new("the snapshot in the state of the object is unreadable"))?;
            snapshot.data.messages.unwrap_or_default()
        }
        None => Vec::new(),
    };
    let Some(RunningState { run_id, interrupts, refused, .. }) = running else {
        return Ok(Json(SessionHistory { messages, ..SessionHistory::default() }));
    };
    Ok(Json(SessionHistory { messages, run_id: Some(run_id), interrupts, refused }))
}

/// Returns the number of levels of arrays and objects. The parser has limited it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
