//! Results, streamed events and errors.

use serde_json::{Value, json};

use super::card::add_v03_to_card;
use super::push;
use crate::v03::content::{artifact_to_v03, message_to_v03};
use crate::v03::json::{Object, change, change_each, object, take, text};
use crate::v03::{Method, TranslationError, task_state};

/// Code of an internal error in JSON-RPC.
const INTERNAL_ERROR: i64 = -32603;
/// Codes of 1.0 that 0.3 does not have: a required extension, and an unsupported version.
const NEW_ERRORS: [i64; 2] = [-32008, -32009];
/// States with which the stream of a task ends.
const FINAL_STATES: [&str; 6] = ["completed", "failed", "canceled", "rejected", "input-required", "auth-required"];

/// Returns the result of a method in 0.3.
pub(crate) fn result_to_v03(method: Method, mut result: Value) -> Result<Value, TranslationError> {
    match method {
        Method::SendMessage | Method::SendStreamingMessage | Method::SubscribeToTask => return event_to_v03(result),
        Method::GetTask | Method::CancelTask => task_to_v03(object(&mut result, "task")?)?,
        Method::CreatePushConfig | Method::GetPushConfig => {
            push::config_of_task_to_v03(object(&mut result, "push notification configuration")?)?;
        }
        Method::ListPushConfigs => {
            let list = object(&mut result, "list of push notification configurations")?;
            change_each(list, "configs", "list of push notification configurations", push::config_of_task_to_v03)?;
            return Ok(take(list, "configs").unwrap_or_else(|| json!([])));
        }
        Method::DeletePushConfig => return Ok(Value::Null),
        Method::GetExtendedCard => add_v03_to_card(&mut result)?,
    }
    Ok(result)
}

/// Returns an event in 0.3, which has its kind among its fields. The result of a `SendMessage` has the form of an event.
pub(crate) fn event_to_v03(mut event: Value) -> Result<Value, TranslationError> {
    let fields = object(&mut event, "event")?;
    if let Some(mut message) = take(fields, "message") {
        message_to_v03(object(&mut message, "message")?)?;
        return Ok(message);
    }
    if let Some(mut task) = take(fields, "task") {
        task_to_v03(object(&mut task, "task")?)?;
        return Ok(task);
    }
    if let Some(mut update) = take(fields, "statusUpdate") {
        let fields = object(&mut update, "status update")?;
        change(fields, "status", "status update", status_to_v03)?;
        let state = fields.get("status").and_then(|status| status.get("state")).and_then(Value::as_str);
        let is_final = state.is_some_and(|state| FINAL_STATES.contains(&state));
        fields.insert("final".to_owned(), is_final.into());
        fields.insert("kind".to_owned(), "status-update".into());
        return Ok(update);
    }
    let Some(mut update) = take(fields, "artifactUpdate") else {
        return Err(TranslationError::Field {
            what: "event",
            field: "task`, `message`, `statusUpdate` or `artifactUpdate",
        });
    };
    let fields = object(&mut update, "artifact update")?;
    change(fields, "artifact", "artifact update", artifact_to_v03)?;
    fields.insert("kind".to_owned(), "artifact-update".into());
    Ok(update)
}

/// Returns an error of JSON-RPC in 0.3. All codes of 0.3 are the same in 1.0.
pub(crate) fn error_to_v03(mut error: Value) -> Value {
    if let Some(code) = error.get_mut("code")
        && code.as_i64().is_some_and(|code| NEW_ERRORS.contains(&code))
    {
        *code = INTERNAL_ERROR.into();
    }
    error
}

fn task_to_v03(task: &mut Object) -> Result<(), TranslationError> {
    task.insert("kind".to_owned(), "task".into());
    change(task, "status", "task", status_to_v03)?;
    change_each(task, "artifacts", "task", artifact_to_v03)?;
    change_each(task, "history", "task", message_to_v03)
}

fn status_to_v03(status: &mut Object) -> Result<(), TranslationError> {
    let state = task_state::to_v03(text(status, "state").unwrap_or_default());
    status.insert("state".to_owned(), state.into());
    change(status, "message", "status", message_to_v03)
}
