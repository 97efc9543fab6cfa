//! Fields that ProtoJSON leaves out.
//!
//! Servers that serialize protobuf messages leave out empty lists and texts, and the first value of an enum. The types of `a2a-lf`
//! require them: <https://protobuf.dev/programming-guides/json/>.

use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// Adds the fields to an event, or to the response of a message.
pub(super) fn complete_event(event: &mut Value) {
    each(event, "message", message);
    each(event, "task", task);
    each(event, "statusUpdate", |update| {
        default(update, "taskId", json!(""));
        default(update, "contextId", json!(""));
        status_of(update);
    });
    each(event, "artifactUpdate", |update| {
        default(update, "taskId", json!(""));
        default(update, "contextId", json!(""));
        each_in(update, "artifact", artifact);
    });
}

/// Adds the fields to a task.
pub(super) fn complete_task(value: &mut Value) {
    if let Value::Object(fields) = value {
        task(fields);
    }
}

fn task(task: &mut Object) {
    default(task, "id", json!(""));
    default(task, "contextId", json!(""));
    status_of(task);
    each_in(task, "artifacts", artifact);
    each_in(task, "history", message);
}

fn status_of(fields: &mut Object) {
    default(fields, "status", json!({}));
    each_in(fields, "status", |status| {
        default(status, "state", json!("TASK_STATE_UNSPECIFIED"));
        each_in(status, "message", message);
    });
}

fn artifact(artifact: &mut Object) {
    default(artifact, "artifactId", json!(""));
    default(artifact, "parts", json!([]));
}

fn message(message: &mut Object) {
    default(message, "messageId", json!(""));
    default(message, "role", json!("ROLE_UNSPECIFIED"));
    default(message, "parts", json!([]));
}

fn default(fields: &mut Object, name: &str, value: Value) {
    if fields.get(name).is_none_or(Value::is_null) {
        fields.insert(name.to_owned(), value);
    }
}

fn each(value: &mut Value, name: &str, change: impl Fn(&mut Object)) {
    if let Value::Object(fields) = value {
        each_in(fields, name, change);
    }
}

/// Changes the object in a field, or each of a list.
fn each_in(fields: &mut Object, name: &str, change: impl Fn(&mut Object)) {
    match fields.get_mut(name) {
        Some(Value::Object(inner)) => change(inner),
        Some(Value::Array(items)) => items.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use a2a::{StreamResponse, Task};
    use serde_json::from_value;

    use super::*;

    #[test]
    fn reads_messages_without_their_empty_fields() {
        for event in [
            json!({"message": {"role": "ROLE_AGENT"}}),
            json!({"task": {"id": "t"}}),
            json!({"task": {"id": "t", "status": {"message": {}}, "artifacts": [{"artifactId": "a"}, {}], "history": [{}]}}),
            json!({"statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_WORKING"}}}),
            json!({"statusUpdate": {}}),
            json!({"artifactUpdate": {"artifact": {"artifactId": "a"}}}),
        ] {
            from_value::<StreamResponse>(event.clone()).expect_err("it is complete");
            let mut completed = event;
            complete_event(&mut completed);
            from_value::<StreamResponse>(completed).unwrap();
        }
        let mut task = json!({"id": "t"});
        complete_task(&mut task);
        from_value::<Task>(task).unwrap();
    }

    #[test]
    fn keeps_fields_that_are_there() {
        let event = json!({"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}});
        let mut completed = event.clone();
        complete_event(&mut completed);
        assert_eq!(completed, event);
        let mut other = json!("text");
        complete_event(&mut other);
        assert_eq!(other, json!("text"));
    }
}
