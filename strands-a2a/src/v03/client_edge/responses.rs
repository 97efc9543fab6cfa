//! Results and streamed events.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::v03::TranslationError;
use crate::v03::content::{artifact_to_v1, message_to_v1};
use crate::v03::json::{Object, change, change_each, object, text};
use crate::v03::task_state;

/// Returns an event of 1.0: an object with one field, named after the kind of the event. The result of a `message/send` is a task or
/// a message in the same form.
pub(crate) fn event_to_v1(mut event: Value) -> Result<Value, TranslationError> {
    let fields = object(&mut event, "event")?;
    // Servers that leave the kind out are known by the required fields.
    let has = |field| fields.contains_key(field);
    let kind = match text(fields, "kind") {
        Some(kind @ ("task" | "message" | "status-update" | "artifact-update")) => kind,
        Some(_) => return Err(TranslationError::Field { what: "event", field: "kind" }),
        None if has("messageId") => "message",
        None if has("artifact") => "artifact-update",
        None if has("status") && has("taskId") => "status-update",
        None => "task",
    };
    Ok(match kind {
        "message" => {
            message_to_v1(fields)?;
            json!({"message": event})
        }
        "status-update" => {
            fields.remove("kind");
            change(fields, "status", "status update", status_to_v1)?;
            json!({"statusUpdate": event})
        }
        "artifact-update" => {
            fields.remove("kind");
            change(fields, "artifact", "artifact update", artifact_to_v1)?;
            json!({"artifactUpdate": event})
        }
        _ => json!({"task": task_to_v1(event)?}),
    })
}

/// Returns a task of 1.0, the result of `tasks/get` and `tasks/cancel`.
pub(crate) fn task_to_v1(mut task: Value) -> Result<Value, TranslationError> {
    let fields = object(&mut task, "task")?;
    fields.remove("kind");
    change(fields, "status", "task", status_to_v1)?;
    change_each(fields, "artifacts", "task", artifact_to_v1)?;
    change_each(fields, "history", "task", message_to_v1)?;
    Ok(task)
}

fn status_to_v1(status: &mut Object) -> Result<(), TranslationError> {
    let state = match text(status, "state") {
        Some(state) => task_state::to_v1(state),
        None => return Err(TranslationError::Field { what: "status", field: "state" }),
    };
    status.insert("state".to_owned(), state.into());
    change(status, "message", "status", message_to_v1)?;
    // 0.3 allows any text with a time of ISO 8601, such as one without a zone, which the documents of the protocol have, too.
    if let Some(time) = status.remove("timestamp") {
        let time = time.as_str().and_then(|time| {
            let with_zone = format!("{time}Z");
            [time, &with_zone].into_iter().find_map(|time| DateTime::parse_from_rfc3339(time).ok())
        });
        status.extend(time.map(|time| ("timestamp".to_owned(), time.to_rfc3339().into())));
    }
    Ok(())
}
