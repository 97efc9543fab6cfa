//! Parameters of requests.

use serde_json::{Value, json};

use super::push;
use crate::v03::content::message_to_v1;
use crate::v03::json::{Object, change, change_each, object, rename, take};
use crate::v03::{Method, TranslationError};

/// Kinds of parts, which are the names of the fields with their content.
const KINDS: [&str; 3] = ["text", "file", "data"];

/// Returns the parameters of a method in 1.0. A request without parameters has null.
pub(crate) fn params_to_v1(method: Method, mut params: Value) -> Result<Value, TranslationError> {
    if method == Method::GetExtendedCard {
        return Ok(json!({}));
    }
    let fields = object(&mut params, "parameters")?;
    match method {
        Method::SendMessage | Method::SendStreamingMessage => {
            change(fields, "message", "parameters", |message| {
                change_each(message, "parts", "message", check_kind)?;
                message_to_v1(message)
            })?;
            change(fields, "configuration", "parameters", configuration_to_v1)?;
        }
        Method::GetTask => drop_unlimited_history(fields),
        Method::CancelTask | Method::SubscribeToTask | Method::GetExtendedCard => {}
        Method::CreatePushConfig => push::config_of_task_to_v1(fields)?,
        // A request without the id of a configuration is for the first one: its id is empty.
        Method::GetPushConfig | Method::DeletePushConfig => {
            let id = take(fields, "pushNotificationConfigId").unwrap_or_else(|| "".into());
            rename(fields, "id", "taskId");
            fields.insert("id".to_owned(), id);
        }
        Method::ListPushConfigs => rename(fields, "id", "taskId"),
    }
    Ok(params)
}

/// Checks that a part has a kind, and the content of it, so that none is understood in two ways.
fn check_kind(part: &mut Object) -> Result<(), TranslationError> {
    let kind = part.get("kind").and_then(Value::as_str);
    let is_valid = kind.is_some_and(|kind| KINDS.contains(&kind) && part.contains_key(kind));
    let expected = "kind` of its content: `text`, `file` or `data";
    if is_valid { Ok(()) } else { Err(TranslationError::Field { what: "part", field: expected }) }
}

fn configuration_to_v1(configuration: &mut Object) -> Result<(), TranslationError> {
    drop_unlimited_history(configuration);
    if let Some(blocking) = take(configuration, "blocking").and_then(|blocking| blocking.as_bool()) {
        configuration.insert("returnImmediately".to_owned(), json!(!blocking));
    }
    change(configuration, "pushNotificationConfig", "configuration", push::config_to_v1)?;
    rename(configuration, "pushNotificationConfig", "taskPushNotificationConfig");
    Ok(())
}

/// A length of zero is no limit in 0.3, and no history in 1.0.
fn drop_unlimited_history(fields: &mut Object) {
    if fields.get("historyLength").and_then(Value::as_i64) == Some(0) {
        fields.remove("historyLength");
    }
}
