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

use super::messages::{RunReference, WaitingTurn, WatchedTurn};
use super::state;

/// Name of the signal to a turn, with the id of the invocation that watches.
pub(super) const WATCH: &str = "watch";

/// Name of the signal to a watching invocation, with the [`WaitingTurn`].
const WAITING: &str = "waiting";

/// Time after which a turn that was not running is watched again.
const QUEUED: Duration = Duration::from_secs(1);

/// Waits until a turn ends, or waits for responses.
pub(super) async fn watch(
    ctx: &ContextInternal,
    metadata: InputMetadata,
    input: Value,
) -> HandlerResult<Json<WatchedTurn>> {
    let expected = r#"invalid request: expected {"run_id": ".."}"#;
    let turn: RunReference = serde_json::from_value(input).map_err(|_| TerminalError::new_with_code(400, expected))?;
    let run_id = turn.run_id.ok_or_else(|| TerminalError::new_with_code(400, expected))?;
    let is_running = state::running(ctx).await?.is_some_and(|running| running.run_id == run_id);
    let end = ctx.attach_invocation::<Json<Value>>(run_id.clone());
    let watched = if is_running {
        ctx.invocation_handle(run_id).signal(WATCH).resolve(Json(metadata.invocation_id));
        restate_sdk::select! {
            response = end => ended(response)?,
            turn = ctx.signal::<Json<Value>>(WAITING) => waiting(turn)?,
            on_cancel => return Err(cancelled().into())
        }
    } else {
        restate_sdk::select! {
            response = end => ended(response)?,
            _ = ctx.sleep(QUEUED) => WatchedTurn::Queued,
            on_cancel => return Err(cancelled().into())
        }
    };
    Ok(Json(watched))
}

fn ended(response: Result<Json<Value>, TerminalError>) -> Result<WatchedTurn, TerminalError> {
    let Json(response) = response?;
    Ok(WatchedTurn::Ended(Box::new(serde_json::from_value(response).map_err(unreadable)?)))
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
