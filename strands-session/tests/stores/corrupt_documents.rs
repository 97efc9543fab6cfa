//! Errors about corrupt documents: they have the position of the error, and never the content.

use std::fs;

use crate::support::{batch, chain, open, try_open};
use strands_core::session::{MessageRange, SessionError, SessionManager as _};
use strands_session::{SessionStore, SnapshotSessionManager};

fn assert_hides_content(error: &SessionError, position: &str) {
    let text = chain(error);
    assert!(matches!(error, SessionError::Corrupt { .. }), "{error:?}");
    assert!(!text.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{text}");
    assert!(text.contains(position) && text.len() < 500, "{text}");
}

#[tokio::test]
async fn hides_the_content_of_corrupt_messages() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SessionStore::files(folder.path());
    let mut session = open(&sessions, "s", "main").await.session;
    session.write(&batch(&["0"])).await.unwrap();
    let path = folder.path().join("session_s/agents/agent_main/messages/message_0.json");
    let long = "hunter2 ".repeat(10_000);
    for (content, position) in [
        (format!(r#"{{"message": "{long}", "message_id": 0}}"#), "line 1, column"),
        (format!("{{\n\"message\": {{\"role\": \"{long}\", \"content\": []}}, \"message_id\": 0}}"), "line 2, column"),
        (format!(r#"{{"message": "{long}"#), "unexpected end of the JSON at line 1, column"),
        (format!("hunter2{long}"), "invalid JSON at line 1, column 1"),
    ] {
        fs::write(&path, content).unwrap();
        let read = open(&sessions, "s", "main").await.session.read(&MessageRange::default()).await;
        assert_hides_content(&read.unwrap_err(), position);
    }
}

#[tokio::test]
async fn hides_the_content_of_corrupt_records() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SessionStore::files(folder.path());
    open(&sessions, "s", "main").await.session.write(&batch(&["0"])).await.unwrap();
    let path = folder.path().join("session_s/agents/agent_main/agent.json");
    for (content, position) in
        [(r#""hunter2""#, "line 1, column"), (r#"{"agent_id": "main", "state": "hunter2"}"#, "a value of another type")]
    {
        fs::write(&path, content).unwrap();
        let Err(error) = try_open(&sessions, "s", "main").await else { panic!("{content} is opened") };
        assert_hides_content(&error, position);
    }
}

#[tokio::test]
async fn hides_the_content_of_corrupt_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session/s/scopes/agent/main/snapshots/snapshot_latest.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, r#"{"scope": "agent", "schema_version": "1.0", "created_at": "", "data": "hunter2"}"#).unwrap();
    let manager = SnapshotSessionManager::new("s", SessionStore::files(folder.path())).unwrap();
    let Err(error) = manager.open("main").await else { panic!("it is opened") };
    assert_hides_content(&error, "line 1, column");
}
