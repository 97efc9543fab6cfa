//! Messages that the SDKs of other languages wrote, read and written back. They are not part of the project:
//! `STRANDS_SHARED` names the folder that holds them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use strands_core::Agent;
use strands_core::message::Message;
use strands_core::testing::ScriptedModel;

use crate::valid_history::flaw;

/// Returns the folder, or `None` after printing that the test is skipped.
fn shared() -> Option<PathBuf> {
    use std::io::Write;
    match std::env::var_os("STRANDS_SHARED") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => {
            let notice = "STRANDS_SHARED is not set: messages recorded from the other Strands are not tested here\n";
            // Not captured with the test's output: a skipped test must be visible.
            let _ = std::io::stderr().write_all(notice.as_bytes());
            None
        }
    }
}

fn json_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn goes_round(json: &Value, path: &Path) -> Message {
    let message: Message =
        serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(serde_json::to_value(&message).unwrap(), *json, "{}", path.display());
    message
}

#[test]
fn recorded_sessions_round_trip() {
    let Some(shared) = shared() else { return };
    let mut files = Vec::new();
    json_files(&shared.join("sessions"), &mut files);
    let is_message =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("message_"));
    files.retain(is_message);
    assert!(files.len() > 20, "{} messages", files.len());
    for path in files {
        goes_round(&read(&path)["message"], &path);
    }
}

#[tokio::test]
async fn wire_conversations_round_trip_and_seed_an_agent() {
    let Some(shared) = shared() else { return };
    let mut files = Vec::new();
    json_files(&shared.join("wire").join("cases"), &mut files);
    let mut conversations = 0;
    for path in files {
        let case = read(&path);
        let Some(messages) = case["messages"].as_array() else { continue };
        conversations += 1;
        let messages: Vec<_> = messages.iter().map(|json| goes_round(json, &path)).collect();
        let builder = Agent::builder().model(ScriptedModel::responding("ok")).messages(messages);
        let mut agent = builder.build().await.unwrap();
        agent.prompt("go on").await.unwrap();
        assert_eq!(flaw(agent.messages(), false), None, "{}", path.display());
    }
    assert!(conversations > 20, "{conversations} conversations");
}
