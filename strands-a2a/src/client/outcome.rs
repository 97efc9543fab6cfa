//! The end of a task, as the response or the error of a prompt.

use a2a::{Message, Part, PartContent, TaskState};
use serde_json::{Value, json};
use strands_core::Interrupt;
use uuid::Uuid;

use super::conversation::Form;
use super::error::{A2aError, TaskFailure};

/// Name of the interrupt of an agent that asks in plain words.
const INPUT_REQUIRED: &str = "input_required";
/// Maximum number of interrupts of a task.
const MAX_INTERRUPTS: usize = 64;
/// Maximum length of the id and of the name of an interrupt, in bytes.
const MAX_NAME: usize = 1024;

/// The end of a task.
pub(super) enum Outcome {
    /// The task is completed.
    Completed,
    /// The task was cancelled on the server.
    Canceled,
    /// The task waits for these interrupts.
    Interrupted(Vec<Interrupt>, Form),
    /// The task failed.
    Failed(A2aError),
}

/// Returns the outcome of a task with this state, or `None` while it goes on.
pub(super) fn outcome_of(task_id: &str, state: &TaskState, message: Option<&Message>) -> Option<Outcome> {
    let failed = |failure| {
        let text = message.map(|message| text_of(&message.parts)).unwrap_or_default();
        Some(Outcome::Failed(A2aError::task(failure, task_id, &text)))
    };
    match state {
        TaskState::Unspecified | TaskState::Submitted | TaskState::Working => None,
        TaskState::Completed => Some(Outcome::Completed),
        TaskState::Canceled => Some(Outcome::Canceled),
        TaskState::InputRequired => Some(interrupted(task_id, message)),
        TaskState::Failed => failed(TaskFailure::Failed),
        TaskState::Rejected => failed(TaskFailure::Rejected),
        TaskState::AuthRequired => failed(TaskFailure::AuthRequired),
    }
}

/// Returns the interrupts of a message that asks for input: those in its data, as Strands sends them, or one with its words.
fn interrupted(task_id: &str, message: Option<&Message>) -> Outcome {
    let parts = message.map(|message| message.parts.as_slice()).unwrap_or_default();
    let listed = parts.iter().filter_map(|part| match &part.content {
        PartContent::Data(data) => data.get("interrupts")?.as_array(),
        _ => None,
    });
    let interrupts: Vec<_> = listed.flatten().filter_map(interrupt_of).take(MAX_INTERRUPTS).collect();
    if !interrupts.is_empty() {
        return Outcome::Interrupted(interrupts, Form::InterruptResponse);
    }
    let data: Vec<&Value> = parts.iter().filter_map(data_of).collect();
    let question = text_of(parts);
    let reason = if data.is_empty() { Value::String(question) } else { json!({"message": question, "data": data}) };
    // One task may ask several times.
    let message_id = message.map(|message| message.message_id.as_str());
    let message_id = message_id.filter(|id| !id.is_empty() && id.len() <= MAX_NAME);
    let unique = message_id.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let interrupt = Interrupt::new(format!("a2a:{task_id}:{unique}"), INPUT_REQUIRED, reason);
    Outcome::Interrupted(vec![interrupt], Form::Message)
}

fn interrupt_of(value: &Value) -> Option<Interrupt> {
    let id = value.get("interruptId").or_else(|| value.get("id"))?.as_str()?;
    let name = value.get("name").and_then(Value::as_str).unwrap_or(INPUT_REQUIRED);
    if id.len().max(name.len()) > MAX_NAME {
        return None;
    }
    Some(Interrupt::new(id, name, value.get("reason").cloned().unwrap_or_default()))
}

fn data_of(part: &Part) -> Option<&Value> {
    match &part.content {
        PartContent::Data(data) => Some(data),
        _ => None,
    }
}

fn text_of(parts: &[Part]) -> String {
    parts.iter().filter_map(Part::as_text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use a2a::Role;

    use super::*;

    fn asked(parts: Vec<Part>) -> (Vec<Interrupt>, Form) {
        let mut message = Message::new(Role::Agent, parts);
        message.message_id = "m".to_owned();
        match outcome_of("t", &TaskState::InputRequired, Some(&message)) {
            Some(Outcome::Interrupted(interrupts, form)) => (interrupts, form),
            _ => panic!("not interrupted"),
        }
    }

    #[test]
    fn interrupts_of_strands_keep_their_ids() {
        let listed =
            json!({"interrupts": [{"interruptId": "i1", "name": "n", "reason": {"a": 1}}, {"interruptId": "i2"}]});
        let (interrupts, form) = asked(vec![Part::text("please"), Part::data(listed)]);
        assert_eq!(form, Form::InterruptResponse);
        assert_eq!(interrupts[0], Interrupt::new("i1", "n", json!({"a": 1})));
        assert_eq!(interrupts[1], Interrupt::new("i2", INPUT_REQUIRED, Value::Null));
    }

    #[test]
    fn a_question_is_an_interrupt() {
        let (interrupts, form) = asked(vec![Part::text("what colour?")]);
        assert_eq!(form, Form::Message);
        assert_eq!(interrupts, [Interrupt::new("a2a:t:m", INPUT_REQUIRED, json!("what colour?"))]);
        let (interrupts, _) = asked(vec![Part::text("fill in"), Part::data(json!({"form": 1}))]);
        assert_eq!(interrupts[0].reason, json!({"message": "fill in", "data": [{"form": 1}]}));
        let mut long_id = Message::new(Role::Agent, vec![Part::text("what?")]);
        long_id.message_id = "x".repeat(100_000);
        let Outcome::Interrupted(interrupts, _) = interrupted("t", Some(&long_id)) else { panic!("not interrupted") };
        assert!(interrupts[0].id.len() < 100, "{}", interrupts[0].id.len());
        let long = json!({"interrupts": [{"interruptId": "x".repeat(2_000)}]});
        for unknown in
            [long, json!({"interrupts": []}), json!({"interrupts": [{"name": "n"}]}), json!({"interrupts": 1})]
        {
            assert_eq!(asked(vec![Part::data(unknown)]).1, Form::Message);
        }
    }

    #[test]
    fn failures_have_the_state_and_the_words_of_the_server() {
        let message = Message::new(Role::Agent, vec![Part::text("please sign in")]);
        for (state, expected) in [
            (TaskState::Failed, "the task failed: please sign in"),
            (TaskState::Rejected, "the task was rejected: please sign in"),
            (TaskState::AuthRequired, "the task requires authorization: please sign in"),
        ] {
            let Some(Outcome::Failed(error)) = outcome_of("t", &state, Some(&message)) else { panic!("{state:?}") };
            assert_eq!(error.to_string(), expected);
        }
        let Some(Outcome::Failed(error)) = outcome_of("t", &TaskState::Failed, None) else { panic!("no failure") };
        assert_eq!(error.to_string(), "the task failed");
    }
}
