//! Sessions written by Python Strands, restored with the same managers. The recordings are not part of the project:
//! `STRANDS_SHARED` is their directory.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};
use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::message::Message;
use strands_core::session::AgentRecord;

use crate::store::Store;
use crate::support::{Planned, Step, say, texts};

/// A recorded session, and the expected state of its agent from `expected.json`.
fn recorded(name: &str) -> Option<(Store, Value)> {
    let Some(shared) = std::env::var_os("STRANDS_SHARED") else {
        let notice = "STRANDS_SHARED is not set: skipping sessions of Python Strands\n";
        // Not captured by the test harness, so that the skip is visible.
        let _ = std::io::stderr().write_all(notice.as_bytes());
        return None;
    };
    let folder = PathBuf::from(shared).join("sessions").join(name);
    let read = |path: PathBuf| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    let agent = folder.join(format!("session_{name}/agents/agent_main"));
    let record: AgentRecord = serde_json::from_value(read(agent.join("agent.json"))).unwrap();
    let files = fs::read_dir(agent.join("messages")).unwrap().count();
    let message = |number| read(agent.join(format!("messages/message_{number}.json")))["message"].clone();
    let messages: Vec<Message> = (0..files).map(|number| serde_json::from_value(message(number)).unwrap()).collect();
    Some((Store::of(record, messages), read(folder.join("expected.json"))["agents"]["main"].clone()))
}

#[tokio::test]
async fn restores_a_python_session_with_a_sliding_window() {
    let Some((store, expected)) = recorded("04_sliding_window") else { return };
    let model = Planned::with_window(100_000);
    let manager = SlidingWindowConversationManager::new(4);
    let builder = model.agent().agent_id("main").conversation_manager(manager).session_manager(store.clone());
    let mut agent = builder.build().await.unwrap();
    assert_eq!(serde_json::to_value(agent.messages()).unwrap(), expected["messages"]);
    model.set_plan([say("answer 6")]);
    agent.prompt("question 6").await.unwrap();
    assert_eq!(texts(agent.messages()), ["question 5", "answer 5", "question 6", "answer 6"]);
    let state = store.record().conversation_manager_state;
    assert_eq!(state["removed_message_count"], json!(10));
    assert_eq!(state["model_call_count"], expected["conversation_manager_state"]["model_call_count"]);
}

#[tokio::test]
async fn restores_a_python_summary_and_merges_it_into_the_next() {
    let Some((store, expected)) = recorded("06_summarizing") else { return };
    let model = Planned::with_window(100_000);
    let manager = SummarizingConversationManager::new().summary_ratio(0.5).preserve_recent(2);
    let build = || {
        let builder = model.agent().agent_id("main").conversation_manager(manager.clone());
        builder.session_manager(store.clone()).build()
    };
    let mut agent = build().await.unwrap();
    assert_eq!(serde_json::to_value(agent.messages()).unwrap(), expected["messages"]);
    let mut state = store.record().conversation_manager_state;
    state.shift_remove("summary_before");
    assert_eq!(Value::Object(state), expected["conversation_manager_state"]);

    let long = "and a question that is long enough for a summary to be worth it ".repeat(10);
    model.set_plan([say("a4")]);
    agent.prompt(long).await.unwrap();
    model.set_plan([Step::Overflow, say("a5")]);
    agent.prompt("q5").await.unwrap();
    assert!(model.summarized()[0].contains("SUMMARY: user asked q0..q1"));
    let state = store.record().conversation_manager_state;
    assert_eq!(state["summary_message"], serde_json::to_value(&agent.messages()[0]).unwrap());
    assert_eq!(build().await.unwrap().messages(), agent.messages());
}
