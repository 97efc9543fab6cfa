//! Runs of graphs and swarms in both layouts: documents of Strands, keys, other fields in a document, and deletion.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use strands_core::session::{SessionError, SessionManager};
use strands_session::{FileSessionManager, SessionStore, SnapshotSessionManager};
use strands_testkit::recording::shared_path;
use tempfile::TempDir;

fn run(status: &str) -> Value {
    json!({"type": "graph", "id": "news", "status": status, "node_results": {}, "tomorrow": [1]})
}

async fn in_files(session_id: &str) -> (TempDir, FileSessionManager) {
    let folder = tempfile::tempdir().unwrap();
    let manager = FileSessionManager::builder(session_id).dir(folder.path()).build().await.unwrap();
    (folder, manager)
}

fn in_snapshots(session_id: &str) -> (TempDir, SnapshotSessionManager) {
    let folder = tempfile::tempdir().unwrap();
    let manager = SnapshotSessionManager::new(session_id, SessionStore::files(folder.path())).unwrap();
    (folder, manager)
}

async fn save(manager: &dyn SessionManager, run: &Value) {
    let mut session = manager.open_multi_agent("news").await.unwrap();
    session.read().await.unwrap();
    session.save(run).await.unwrap();
}

async fn read(manager: &dyn SessionManager) -> Result<Option<Value>, SessionError> {
    manager.open_multi_agent("news").await?.read().await
}

fn json_in(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn reads_and_rewrites_runs_of_strands() {
    for (case, id) in [("20_swarm_done", "sw1"), ("22_graph_done", "g1")] {
        let Some(shared) = shared_path(&format!("sessions/{case}")) else { return };
        let (folder, manager) = in_files(case).await;
        let session = folder.path().join(format!("session_{case}"));
        let document = session.join(format!("multi_agents/multi_agent_{id}/multi_agent.json"));
        fs::create_dir_all(document.parent().unwrap()).unwrap();
        for path in [&session.join("session.json"), &document] {
            let original = shared.join(path.strip_prefix(folder.path()).unwrap());
            fs::write(path, fs::read(original).unwrap()).unwrap();
        }
        let (of_session, expected) = (json_in(&session.join("session.json")), json_in(&shared.join("expected.json")));

        let mut stored = manager.open_multi_agent(id).await.unwrap();
        let read = stored.read().await.unwrap().unwrap();
        assert_eq!(read, expected["state"]);
        stored.save(&read).await.unwrap();
        let mut written = json_in(&document);
        let revision = written.as_object_mut().unwrap().remove("revision").unwrap();
        assert_eq!(revision.as_str().unwrap().len(), 36);
        assert_eq!(written, expected["state"]);
        assert_eq!(json_in(&session.join("session.json")), of_session);
    }
}

#[tokio::test]
async fn creates_the_document_of_the_session_with_its_first_run() {
    let (folder, manager) = in_files("s-1").await;
    assert_eq!(read(&manager).await.unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "reading writes nothing");
    save(&manager, &run("executing")).await;
    let session = json_in(&folder.path().join("session_s-1/session.json"));
    assert_eq!((&session["session_id"], &session["session_type"]), (&json!("s-1"), &json!("AGENT")));
    let document = folder.path().join("session_s-1/multi_agents/multi_agent_news/multi_agent.json");
    let first = json_in(&document)["revision"].clone();
    assert!(fs::read_to_string(&document).unwrap().starts_with("{\n  \"type\": \"graph\""));
    save(&manager, &run("executing")).await;
    assert_ne!(json_in(&document)["revision"], first);
}

#[tokio::test]
async fn writes_snapshots_of_strands_and_preserves_other_fields_in_them() {
    let (folder, manager) = in_snapshots("s-1");
    save(&manager, &run("executing")).await;
    let path = folder.path().join("session/s-1/scopes/multiAgent/news/snapshots/snapshot_latest.json");
    let mut snapshot = json_in(&path);
    assert_eq!(snapshot["scope"], "multiAgent");
    assert_eq!(snapshot["schema_version"], "1.0");
    assert_eq!(snapshot["data"]["orchestrator_id"], "news");
    assert_eq!(snapshot["data"]["state"]["status"], "executing");
    assert!(snapshot["created_at"].as_str().unwrap().ends_with('Z'));

    snapshot["app_data"] = json!({"mine": 1});
    snapshot["data"]["mine"] = json!(2);
    snapshot["mine"] = json!(3);
    fs::write(&path, snapshot.to_string()).unwrap();
    save(&manager, &run("completed")).await;
    let written = json_in(&path);
    assert_eq!(
        (&written["app_data"], &written["data"]["mine"], &written["mine"]),
        (&json!({"mine": 1}), &json!(2), &json!(3))
    );
    assert_eq!(read(&manager).await.unwrap(), Some(run("completed")));
}

#[tokio::test]
async fn names_an_unreadable_document_and_does_not_change_it() {
    let (folder, manager) = in_files("s-1").await;
    let (snapshots, manager_of_snapshots) = in_snapshots("s-1");
    save(&manager, &run("executing")).await;
    save(&manager_of_snapshots, &run("executing")).await;
    let path = folder.path().join("session_s-1/multi_agents/multi_agent_news/multi_agent.json");
    let snapshot = snapshots.path().join("session/s-1/scopes/multiAgent/news/snapshots/snapshot_latest.json");
    let with = |name: &str, value: Value| {
        let mut changed = json_in(&snapshot);
        *changed.pointer_mut(name).unwrap() = value;
        changed.to_string()
    };
    let cases: Vec<(&dyn SessionManager, &PathBuf, String)> = vec![
        (&manager, &path, "[]".to_owned()),
        (&manager, &path, "{\"type\": \"gra".to_owned()),
        (&manager_of_snapshots, &snapshot, "{}".to_owned()),
        (&manager_of_snapshots, &snapshot, with("/scope", json!("agent"))),
        (&manager_of_snapshots, &snapshot, with("/schema_version", json!("2.0"))),
        (&manager_of_snapshots, &snapshot, with("/data/orchestrator_id", json!("other"))),
        (&manager_of_snapshots, &snapshot, with("/data/state", json!([]))),
    ];
    for (manager, path, content) in cases {
        fs::write(path, &content).unwrap();
        let mut session = manager.open_multi_agent("news").await.unwrap();
        let error = session.read().await.unwrap_err();
        assert!(matches!(error, SessionError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
        assert_eq!(fs::read_to_string(path).unwrap(), content);
    }
}

#[tokio::test]
async fn names_both_runs_in_a_conflict() {
    for manager in [&in_files("s-1").await.1 as &dyn SessionManager, &in_snapshots("s-1").1] {
        let (mut one, mut other) =
            (manager.open_multi_agent("news").await.unwrap(), manager.open_multi_agent("news").await.unwrap());
        one.save(&run("executing")).await.unwrap();
        other.read().await.unwrap();
        one.save(&run("completed")).await.unwrap();
        let error = other.save(&run("failed")).await.unwrap_err();
        let SessionError::Conflict { what, expected, found, .. } = &error else { panic!("{error}") };
        assert_eq!(what, "the run of `news`");
        assert!(expected.contains("`executing`") && found.contains("`completed`"), "{error}");
    }
}

#[tokio::test]
async fn lists_and_deletes_runs_with_their_session() {
    let (folder, manager) = in_files("s-1").await;
    save(&manager, &run("executing")).await;
    assert_eq!(manager.store().list().await.unwrap(), ["s-1"]);
    manager.store().delete("s-1").await.unwrap();
    assert_eq!(read(&manager).await.unwrap(), None);
    assert!(!folder.path().join("session_s-1").exists());

    let (_folder, manager) = in_snapshots("s-1");
    save(&manager, &run("executing")).await;
    manager.delete().await.unwrap();
    assert_eq!(read(&manager).await.unwrap(), None);
}

#[tokio::test]
async fn refuses_invalid_ids_and_documents() {
    for manager in [&in_files("s-1").await.1 as &dyn SessionManager, &in_snapshots("s-1").1] {
        for id in ["", "..", "a/b", ".hidden", "a b"] {
            let Err(error) = manager.open_multi_agent(id).await else { panic!("{id} was accepted") };
            assert!(matches!(error, SessionError::InvalidId { what: "multi-agent id", .. }), "{error}");
        }
        let mut session = manager.open_multi_agent("news").await.unwrap();
        session.save(&json!([])).await.unwrap_err();
        assert_eq!(session.read().await.unwrap(), None);
    }
}

/// Returns a run with a node that an agent has interrupted, one that a hook has, and a response.
fn interrupted() -> Value {
    let interrupt =
        |id: &str, response: Value| json!({"id": id, "name": "approval", "reason": "pay?", "response": response});
    let mut run = run("interrupted");
    run["_internal_state"] = json!({"interrupt_state": {
        "activated": true,
        "interrupts": {
            "v1:tool_call:t1:x": interrupt("v1:tool_call:t1:x", Value::Null),
            "v1:tool_call:t2:x": interrupt("v1:tool_call:t2:x", json!(true)),
            "v1:before_node_call:b:y": interrupt("v1:before_node_call:b:y", Value::Null),
        },
        "context": {
            "a": {"from_hook": false, "interrupt_ids": ["v1:tool_call:t1:x", "v1:tool_call:t2:x"], "messages": []},
            "b": {"from_hook": true, "interrupt_ids": ["v1:before_node_call:b:y"]},
            "completed_nodes": [],
        },
    }});
    run
}

#[tokio::test]
async fn lists_the_interrupts_of_runs_in_both_layouts() {
    let (_folder, manager) = in_files("s-1").await;
    save(&manager, &interrupted()).await;
    let other = manager.for_session("s-2").unwrap();
    save(&other, &run("executing")).await;
    let snapshots = SnapshotSessionManager::new("s-3", manager.store().clone()).unwrap();
    save(&snapshots, &interrupted()).await;
    let open: Vec<_> = manager.store().open_runs(|_| true).try_collect().await.unwrap();
    let sessions: Vec<_> = open.iter().map(|run| run.session_id.as_str()).collect();
    assert_eq!(sessions, ["s-1", "s-3"]);
    for run in &open {
        let ids: Vec<_> = run.interrupts.iter().map(|interrupt| interrupt.id.as_str()).collect();
        assert_eq!(ids, ["v1:node:a:v1:tool_call:t1:x", "v1:before_node_call:b:y"]);
        assert_eq!(run.multi_agent_id, "news");
    }
    let none: Vec<_> = manager.store().open_runs(|session_id| session_id == "s-2").try_collect().await.unwrap();
    assert_eq!(none, []);
    assert_eq!(manager.store().open_interrupts().count().await, 0);
}

#[tokio::test]
async fn lists_other_runs_beside_an_unreadable_one() {
    let (folder, manager) = in_files("s-1").await;
    save(&manager, &interrupted()).await;
    let broken = folder.path().join("session_s-0/multi_agents/multi_agent_news/multi_agent.json");
    fs::create_dir_all(broken.parent().unwrap()).unwrap();
    fs::write(&broken, "{").unwrap();
    let open: Vec<_> = manager.store().open_runs(|_| true).collect().await;
    assert!(matches!(&open[0], Err(SessionError::Corrupt { .. })), "{open:?}");
    assert_eq!(open[1].as_ref().unwrap().session_id, "s-1");
}
