//! Watching a turn: the handler `watch`, and the turn that notifies it.
//!
//! A handler can't wait for a change of the object's state. So it sends the id of its own invocation to the turn as a signal, which
//! the turn takes when it waits, and it attaches to the turn, so that it ends with it in any case. The server drops signals to an
//! invocation that is still queued.

use std::time::Duration;

use restate_sdk::endpoint::{ContextInternal, InputMetadata};
use restate_sdk::errors::{HandlerResult, TerminalError};
use restate_sdk::serde::Json;
use serde_json::Value;

use super::messages::{FailedState, FailedTurn, RunReference, WaitingTurn, WatchedTurn};
use super::run_id::is_of_object;
use super::state;
use crate::TurnResponse;

/// Name of the signal to a turn, with the id of the invocation that watches.
pub(super) const WATCH: &str = "watch";

/// Name of the signal to a watching invocation, with the [`WaitingTurn`].
const WAITING: &str = "waiting";

/// Time after which a turn that was not running is watched again.
const QUEUED: Duration = Duration::from_secs(1);

/// State of a turn when it is watched.
enum Position {
    Running,
    /// Behind the turn with this run, which waits for responses.
    Behind(String),
    Elsewhere,
}

/// Waits until a turn ends or fails, or waits for responses.
pub(super) async fn watch(
    ctx: &ContextInternal,
    metadata: InputMetadata,
    input: Value,
) -> HandlerResult<Json<WatchedTurn>> {
    let expected = r#"invalid request: expected {"run_id": ".."}"#;
    let turn: RunReference = serde_json::from_value(input).map_err(|_| TerminalError::new_with_code(400, expected))?;
    let run_id = turn.run_id.ok_or_else(|| TerminalError::new_with_code(400, expected))?;
    let InputMetadata { invocation_id: own_id, key: session_id, .. } = metadata;
    if !is_of_object(&own_id, &run_id) {
        return Err(unknown().into());
    }
    let position = match state::running(ctx).await? {
        Some(running) if running.run_id == run_id => Position::Running,
        Some(running) if !running.interrupts.is_empty() => Position::Behind(running.run_id),
        _ => Position::Elsewhere,
    };
    let end = ctx.attach_invocation::<Json<Value>>(run_id.clone());
    let ended = match position {
        Position::Running => {
            ctx.invocation_handle(run_id.clone()).signal(WATCH).resolve(Json(own_id));
            restate_sdk::select! {
                response = end => response,
                turn = ctx.signal::<Json<Value>>(WAITING) => return Ok(Json(waiting(turn)?)),
                on_cancel => return Err(cancelled().into())
            }
        }
        Position::Behind(other) => {
            restate_sdk::select! {
                response = end => response,
                _ = ctx.attach_invocation::<Json<Value>>(other) => return Ok(Json(WatchedTurn::Queued)),
                _ = ctx.sleep(QUEUED) => return Ok(Json(WatchedTurn::Blocked)),
                on_cancel => return Err(cancelled().into())
            }
        }
        Position::Elsewhere => {
            restate_sdk::select! {
                response = end => response,
                _ = ctx.sleep(QUEUED) => return Ok(Json(WatchedTurn::Queued)),
                on_cancel => return Err(cancelled().into())
            }
        }
    };
    match ended {
        Ok(Json(response)) => Ok(Json(of_session(response, &session_id)?)),
        // The state is read now, and not at the start: the handler's state is lazy.
        Err(error) => match state::failed(ctx, &run_id).await? {
            Some(FailedState { usage, turns, unsettled, .. }) => {
                let (status, message) = (error.code(), error.message().to_owned());
                Ok(Json(WatchedTurn::Failed(FailedTurn { status, message, usage, turns, unsettled })))
            }
            None => Err(error.into()),
        },
    }
}

/// Returns the end of a turn, unless it is one of another session.
fn of_session(response: Value, session_id: &str) -> Result<WatchedTurn, TerminalError> {
    let response: TurnResponse = serde_json::from_value(response).map_err(unreadable)?;
    match response.session_id == session_id {
        true => Ok(WatchedTurn::Ended(Box::new(response))),
        false => Err(unknown()),
    }
}

fn unknown() -> TerminalError {
    TerminalError::new_with_code(404, "the run is not one of this session")
}

fn waiting(turn: Result<Json<Value>, TerminalError>) -> Result<WatchedTurn, TerminalError> {
    let Json(turn) = turn?;
    Ok(WatchedTurn::Waiting(serde_json::from_value(turn).map_err(unreadable)?))
}

fn unreadable(_: serde_json::Error) -> TerminalError {
    TerminalError::new("the response of the turn is unreadable")
}

fn cancelled() -> TerminalError {
    TerminalError::new_with_code(409, "cancelled")
}

/// Notifies an invocation that watches. One that has ended takes no notice.
pub(super) fn notify(ctx: &ContextInternal, watcher: &Value, waiting: &WaitingTurn) {
    if let Some(invocation_id) = watcher.as_str() {
        ctx.invocation_handle(invocation_id.to_owned()).signal(WAITING).resolve(Json(waiting.clone()));
    }
}
