use serde_json::{Map, json};

use super::*;
use crate::message::{ToolResult, ToolResultStatus, ToolUse};

impl History {
    fn from_messages(messages: impl IntoIterator<Item = Arc<Message>>) -> Self {
        Self::new(Self::seeded(messages))
    }
}

fn call(ids: &[&str]) -> Message {
    Message::new(Role::Assistant, ids.iter().map(|id| ToolUse::new(*id, "look", json!({}))))
}

fn results(ids: &[&str]) -> Message {
    Message::new(Role::User, ids.iter().map(|id| ToolResult::new(*id, ToolResultStatus::Success, ["ok"])))
}

fn shape(history: &History) -> Vec<(Role, Vec<String>)> {
    let ids = |message: &Message| message.tool_results().map(|result| result.tool_use_id.clone()).collect();
    history.messages().iter().map(|message| (message.role, ids(message))).collect()
}

#[test]
fn withdraws_a_prompt_without_response() {
    let mut history = History::from_messages([Message::user("a"), Message::assistant("b")].map(Arc::new));
    history.add_prompt(vec![Message::user("c")]);
    history.withdraw_prompt();
    assert_eq!(history.messages().len(), 2);

    let mut history = History::from_messages([Message::user("a"), call(&["1"]), results(&["1"])].map(Arc::new));
    history.add_prompt(vec![Message::user("c")]);
    assert_eq!(history.messages().last().unwrap().content.len(), 2);
    history.withdraw_prompt();
    assert_eq!(history.messages().last().unwrap().content.len(), 1);
}

#[test]
fn a_prompt_keeps_its_id_when_it_is_joined_with_results_alone() {
    let with_id = |mut message: Message, id: &str| {
        message.tracking_id = Some(id.to_owned());
        message
    };
    let id = |history: &History| history.messages().last().unwrap().tracking_id.clone().unwrap();
    let before = || [Message::user("a"), call(&["1"]), with_id(results(&["1"]), "results")].map(Arc::new);
    let mut history = History::from_messages(before());
    history.add_prompt(vec![with_id(Message::user("c"), "c")]);
    assert_eq!(id(&history), "c");
    // Another prompt joins that one.
    history.add_prompt(vec![with_id(Message::user("d"), "d")]);
    assert_eq!((id(&history).as_str(), history.messages().last().unwrap().content.len()), ("c", 3));
    history.redact_prompt("[redacted]");
    assert_eq!((id(&history).as_str(), history.messages().last().unwrap().content.len()), ("c", 2));

    let mut history = History::from_messages(before());
    history.add_prompt(vec![with_id(Message::user("c"), "c")]);
    history.withdraw_prompt();
    assert_eq!(id(&history), "results");
    // Nothing is joined.
    history.add_prompt(vec![with_id(results(&["stray"]), "stray")]);
    assert_eq!(id(&history), "results");
}

#[test]
fn withdrawal_undoes_truncation() {
    let mut history = History::from_messages([Message::user("a"), Message::assistant("b")].map(Arc::new));
    history.add_prompt(vec![Message::user("c")]);
    history.snapshot_before_truncation(&Map::new());
    history.remove_where(|at| at < 2);
    assert_eq!(history.withdraw_prompt(), Some(Map::new()));
    assert_eq!(history.messages().len(), 2);
}

#[test]
fn matches_results_in_a_prompt_to_open_calls() {
    let mut history = History::from_messages([Message::user("a"), call(&["1", "2"])].map(Arc::new));
    history.add_prompt(vec![results(&["2", "stray"]), Message::user("so?")]);
    assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
    let errors: Vec<_> = history.messages().last().unwrap().tool_results().map(ToolResult::is_error).collect();
    assert_eq!(errors, [true, false]);
    history.add_prompt(vec![results(&["1"])]);
    assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
}

#[test]
fn alternates_roles_of_external_messages() {
    let history = History::from_messages(
        [
            Message::assistant("hello"),
            Message::user("a"),
            Message::user("b"),
            Message::assistant("c"),
            Message::assistant("d"),
            Message::new(Role::User, [""; 0]),
        ]
        .map(Arc::new),
    );
    let texts: Vec<_> = history.messages().iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["a\nb", "c\nd"]);
}

#[test]
fn merges_results_from_two_messages() {
    let history =
        History::from_messages([Message::user("a"), call(&["1", "2"]), results(&["2"]), results(&["1"])].map(Arc::new));
    assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
    assert!(history.messages().last().unwrap().tool_results().all(|result| !result.is_error()));
}

#[test]
fn adds_results_of_open_calls_before_a_prompt() {
    let mut history = History::from_messages([Message::user("a"), call(&["1", "2"])].map(Arc::new));
    history.add_prompt(vec![Message::user("never mind")]);
    let last = history.messages().last().unwrap();
    assert_eq!(last.tool_results().count(), 2);
    assert_eq!(last.text(), "never mind");
}

#[test]
fn repairs_external_messages() {
    let history = History::from_messages(
        [
            results(&["orphan"]),
            Message::user("go"),
            call(&["1", "2"]),
            results(&["2", "stray"]),
            call(&["3"]),
            Message::user("hello?"),
            call(&["4"]),
            Message::assistant("well"),
            call(&["5"]),
        ]
        .map(Arc::new),
    );
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        shape(&history),
        [
            (Role::User, ids(&[])),
            (Role::Assistant, ids(&[])),
            (Role::User, ids(&["1", "2"])),
            (Role::Assistant, ids(&[])),
            (Role::User, ids(&["3"])),
            (Role::Assistant, ids(&[])),
            (Role::User, ids(&["4"])),
            (Role::Assistant, ids(&[])),
        ]
    );
}
