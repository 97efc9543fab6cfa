//! The conversation with a remote agent between two prompts: its ids, and the questions of the task.

use serde::{Deserialize, Serialize};
use serde_json::json;
use strands_core::{Continuation, Interrupt};

/// Field of a continuation with the conversation.
const FIELD: &str = "a2a";

/// A conversation with a remote agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context_id: Option<String>,
    /// The task that waits for input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task_id: Option<String>,
    /// The interrupts that the task waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) interrupts: Vec<Interrupt>,
    /// The form of the responses to them.
    #[serde(default)]
    pub(super) form: Form,
}

/// Form of the response to an interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Form {
    /// The next message of the user.
    #[default]
    Message,
    /// Data with the id of the interrupt, as Strands sends and expects it.
    InterruptResponse,
}

impl Conversation {
    /// Reads a continuation, if it is one of a remote agent.
    pub(super) fn read(continuation: &Continuation) -> Option<Self> {
        Self::deserialize(continuation.value().get(FIELD)?).ok()
    }

    /// Returns the conversation as a continuation.
    pub(super) fn into_continuation(self) -> Continuation {
        Continuation::new(json!({FIELD: self}))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn survives_its_json() {
        let conversation = Conversation {
            context_id: Some("c".to_owned()),
            task_id: Some("t".to_owned()),
            interrupts: vec![Interrupt::new("i", "n", json!({"why": 1}))],
            form: Form::InterruptResponse,
        };
        let json = serde_json::to_string(&conversation.clone().into_continuation()).unwrap();
        let interrupts = r#"[{"id":"i","name":"n","reason":{"why":1},"response":null}]"#;
        let fields = format!(r#""contextId":"c","taskId":"t","interrupts":{interrupts},"form":"interruptResponse""#);
        assert_eq!(json, format!(r#"{{"a2a":{{{fields}}}}}"#));
        let read: Continuation = serde_json::from_str(&json).unwrap();
        assert_eq!(Conversation::read(&read), Some(conversation));
        for other in [Value::Null, json!({}), json!({"a2a": 1}), json!({"data": {"messages": []}})] {
            assert_eq!(Conversation::read(&other.into()), None);
        }
    }
}
