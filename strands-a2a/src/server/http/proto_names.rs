//! Names of fields in requests. Parsers of ProtoJSON accept each name in lower camel case, and as it is in the protocol's definition.

use serde_json::{Map, Value};

/// Names of the definition that differ from those in JSON.
const NAMES: [(&str, &str); 14] = [
    ("accepted_output_modes", "acceptedOutputModes"),
    ("context_id", "contextId"),
    ("history_length", "historyLength"),
    ("include_artifacts", "includeArtifacts"),
    ("media_type", "mediaType"),
    ("message_id", "messageId"),
    ("page_size", "pageSize"),
    ("page_token", "pageToken"),
    ("push_notification_config", "pushNotificationConfig"),
    ("reference_task_ids", "referenceTaskIds"),
    ("return_immediately", "returnImmediately"),
    ("status_timestamp_after", "statusTimestampAfter"),
    ("task_id", "taskId"),
    ("task_push_notification_config", "taskPushNotificationConfig"),
];

/// Fields with JSON of the client's own.
const FREE: [&str; 2] = ["data", "metadata"];

/// Returns the parameters of a request with the names of JSON.
pub(super) fn in_camel_case(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(in_camel_case).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>()),
        other => other,
    }
}

fn field((name, value): (String, Value)) -> (String, Value) {
    if FREE.contains(&name.as_str()) {
        return (name, value);
    }
    let renamed = NAMES.iter().find(|(known, _)| *known == name).map(|(_, json)| (*json).to_owned());
    (renamed.unwrap_or(name), in_camel_case(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_the_protocol_are_changed_and_those_of_clients_not() {
        assert_eq!(
            in_camel_case(
                json!({"message": {"message_id": "m", "parts": [{"data": {"task_id": 1}, "media_type": "x"}]}})
            ),
            json!({"message": {"messageId": "m", "parts": [{"data": {"task_id": 1}, "mediaType": "x"}]}})
        );
    }
}
