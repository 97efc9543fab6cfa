//! Documents with unpaired surrogates and invalid UTF-8, as other programs write them, can be read.

use std::fs;

use crate::support::{batch, open, texts};
use serde_json::Value;
use strands_core::session::SessionManager as _;
use strands_session::{SessionStore, SnapshotSessionManager};

/// Inserts bytes before a text.
fn with_half(document: &str, text: &str, half: &[u8]) -> Vec<u8> {
    let at = document.find(text).unwrap();
    let (before, after) = document.split_at(at);
    [before.as_bytes(), half, after.as_bytes()].concat()
}

const HALVES: [(&[u8], &str); 5] = [
    (b"\\ud83d", "\u{fffd}"),
    (b"\\uDE00\\uD83D", "\u{fffd}\u{fffd}"),
    (b"\\ud83d\\ude00", "😀"),
    (b"\xff", "\u{fffd}"),
    (b"\xf0\x9f", "\u{fffd}"),
];

#[tokio::test]
async fn reads_a_message_with_half_a_character() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SessionStore::files(folder.path());
    open(&sessions, "s", "main").await.session.write(&batch(&["said", "next"])).await.unwrap();
    let path = folder.path().join("session_s/agents/agent_main/messages/message_0.json");
    let document = fs::read_to_string(&path).unwrap();
    for (half, expected) in HALVES {
        fs::write(&path, with_half(&document, "said", half)).unwrap();
        assert_eq!(texts(&sessions, "s", "main").await, [format!("{expected}said"), "next".to_owned()]);
    }
    // The session can be continued.
    open(&sessions, "s", "main").await.session.write(&batch(&["more"])).await.unwrap();
    assert_eq!(texts(&sessions, "s", "main").await.len(), 3);
}

#[tokio::test]
async fn reads_a_record_with_half_a_character() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SessionStore::files(folder.path());
    open(&sessions, "s", "main").await.session.write(&batch(&["said"])).await.unwrap();
    let path = folder.path().join("session_s/agents/agent_main/agent.json");
    fs::write(&path, r#"{"agent_id": "main", "state": {"note": "\ud83d!"}, "conversation_manager_state": {}}"#)
        .unwrap();
    let record = open(&sessions, "s", "main").await.record.unwrap();
    assert_eq!(record.state.get("note"), Some(&Value::from("\u{fffd}!")));
}

#[tokio::test]
async fn reads_a_snapshot_with_half_a_character() {
    let folder = tempfile::tempdir().unwrap();
    let manager = || SnapshotSessionManager::new("s", SessionStore::files(folder.path())).unwrap();
    let mut opened = manager().open("main").await.unwrap();
    opened.session.write(&batch(&["said"])).await.unwrap();
    let path = folder.path().join("session/s/scopes/agent/main/snapshots/snapshot_latest.json");
    let document = fs::read_to_string(&path).unwrap();
    for (half, expected) in HALVES {
        fs::write(&path, with_half(&document, "said", half)).unwrap();
        let mut session = manager().open("main").await.unwrap().session;
        assert_eq!(crate::support::read_texts(&mut *session).await, [format!("{expected}said")]);
    }
}
