//! Sessions of snapshots: restored agents, checkpoints, conflicts and errors.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{append_all, backends, batch, chain, message, read_texts};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use strands_core::conversation::{
    ConversationManager, NullConversationManager, SlidingWindowConversationManager, SummarizingConversationManager,
};
use strands_core::message::Message;
use strands_core::models::{ErrorDetails, ModelError};
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError, SessionManager};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, Snapshot};
use strands_session::{SaveOn, SessionStore, SnapshotSessionManager};
use strands_testkit::recording::shared_path;
use tempfile::TempDir;

const FOLDER: &str = "session/s/scopes/agent/main/snapshots";

fn sessions(store: &SessionStore) -> SnapshotSessionManager {
    SnapshotSessionManager::new("s", store.clone()).unwrap()
}

fn in_folder() -> (TempDir, SnapshotSessionManager) {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&SessionStore::files(folder.path()));
    (folder, sessions)
}

async fn agent(sessions: &SnapshotSessionManager) -> Agent {
    managed(sessions, SlidingWindowConversationManager::new(40), ScriptedModel::responding("hi")).await
}

async fn managed(
    sessions: &SnapshotSessionManager,
    manager: impl ConversationManager + 'static,
    model: ScriptedModel,
) -> Agent {
    let builder = Agent::builder().model(model).agent_id("main").conversation_manager(manager);
    builder.session_manager(sessions.clone()).build().await.unwrap()
}

fn message_texts(agent: &Agent) -> Vec<String> {
    agent.messages().iter().map(|message| message.text()).collect()
}

async fn texts(sessions: &SnapshotSessionManager) -> Vec<String> {
    read_texts(&mut *sessions.open("main").await.unwrap().session).await
}

fn latest_file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join(FOLDER).join("snapshot_latest.json")
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Returns the relative paths of all files in a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn restores_an_agent_from_its_latest_snapshot() {
    for backend in backends().await {
        let sessions = sessions(&backend.store);
        let mut first = agent(&sessions).await;
        assert!(sessions.latest("main").await.unwrap().is_none(), "building an agent writes nothing");
        first.state().set("k", 1).unwrap();
        first.prompt("hello").await.unwrap();
        first.prompt("again").await.unwrap();

        let mut second = agent(&sessions).await;
        assert_eq!(second.messages(), first.messages(), "{}", backend.name);
        assert_eq!(second.state().get("k"), Some(json!(1)), "{}", backend.name);
        second.prompt("and on").await.unwrap();
        assert_eq!(texts(&sessions).await, ["hello", "hi", "again", "hi", "and on", "hi"], "{}", backend.name);
        let other = sessions.for_session("other").unwrap();
        assert!(texts(&other).await.is_empty(), "{}", backend.name);
        assert!(backend.store.list().await.unwrap().is_empty(), "{}: no session of separate messages", backend.name);

        sessions.delete().await.unwrap();
        assert!(texts(&sessions).await.is_empty(), "{}", backend.name);
        assert!(matches!(sessions.delete().await, Err(SessionError::NotFound { .. })), "{}", backend.name);
    }
}

#[tokio::test]
async fn writes_keys_and_json_of_strands() {
    let (folder, sessions) = in_folder();
    agent(&sessions).await.prompt("schöner Tag").await.unwrap();
    let id = sessions.checkpoint("main").await.unwrap();
    let expected = [
        "session/s/.strands.lock".to_owned(),
        format!("{FOLDER}/immutable_history/snapshot_{id}.json"),
        format!("{FOLDER}/snapshot_latest.json"),
    ];
    assert_eq!(files(folder.path()), BTreeSet::from(expected));
    let text = fs::read_to_string(latest_file(&folder)).unwrap();
    assert!(!text.contains('\n') && text.contains("schöner"), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["scope"], &document["schema_version"]), (&json!("agent"), &json!("1.0")));
    assert!(document["created_at"].as_str().unwrap().ends_with('Z'), "{text}");
    let data = &document["data"];
    assert_eq!(data["conversation_manager_state"]["__name__"], "SlidingWindowConversationManager");
    assert_eq!(data["interrupt_state"], json!({"interrupts": {}, "context": {}, "activated": false}));
    assert_eq!(data["model_state"], json!({}));
}

#[tokio::test]
async fn preserves_fields_of_another_version() {
    let (folder, sessions) = in_folder();
    agent(&sessions).await.prompt("hello").await.unwrap();
    let mut document = json_file(&latest_file(&folder));
    document["later"] = json!({"a": [1, "日本"]});
    document["app_data"] = json!({"mine": true});
    document["data"]["stash"] = json!({"location": "external"});
    document["data"]["model_state"] = json!({"id": 7});
    document["data"]["system_prompt"] = json!([{"text": "Be kind."}]);
    document["data"]["messages"][0]["content"][0]["later"] = json!(true);
    let image =
        json!({"image": {"format": "png", "source": {"bytes": {"__bytes_encoded__": true, "data": "iVBORw=="}}}});
    document["data"]["messages"][0]["content"].as_array_mut().unwrap().push(image);
    fs::write(latest_file(&folder), document.to_string()).unwrap();

    agent(&sessions).await.prompt("again").await.unwrap();
    let mut written = json_file(&latest_file(&folder));
    let messages = written["data"]["messages"].as_array_mut().unwrap();
    assert_eq!(messages.len(), 4);
    messages.truncate(2);
    written["created_at"] = document["created_at"].clone();
    assert_eq!(written, document);
}

#[tokio::test]
async fn restores_a_truncated_conversation() {
    let (folder, sessions) = in_folder();
    let window = || SlidingWindowConversationManager::new(4).pin_first(1);
    let echo =
        || ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("response to {:?}", request.messages.len())));
    let mut in_memory =
        Agent::builder().model(echo()).agent_id("main").conversation_manager(window()).build().await.unwrap();
    for turn in 0..8 {
        let mut again = managed(&sessions, window(), echo()).await;
        assert_eq!(message_texts(&again), message_texts(&in_memory), "turn {turn}");
        again.prompt(format!("question {turn}")).await.unwrap();
        in_memory.prompt(format!("question {turn}")).await.unwrap();
        assert_eq!(message_texts(&again), message_texts(&in_memory), "turn {turn}");
    }
    let document = json_file(&latest_file(&folder));
    let stored = document["data"]["messages"].as_array().unwrap();
    assert!(stored.len() <= 6, "what the window has removed is gone: {document}");
    let state = &document["data"]["conversation_manager_state"];
    let named =
        16 - state["removed_message_count"].as_u64().unwrap() + state["kept_messages"].as_array().unwrap().len() as u64;
    assert_eq!(stored.len() as u64, named, "{state}");
}

#[tokio::test]
async fn restores_a_summary_once() {
    let (folder, sessions) = in_folder();
    let overflow = ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() });
    let turns = ["a", "b", "c"].map(ScriptedTurn::text).into_iter();
    let model = ScriptedModel::new(turns.chain([overflow, ScriptedTurn::text("SUMMARY"), ScriptedTurn::text("d")]));
    let manager = || SummarizingConversationManager::new().preserve_recent(2);
    let mut first = managed(&sessions, manager(), model).await;
    for turn in 0..4 {
        first.prompt(format!("question {turn}")).await.unwrap();
    }
    assert!(message_texts(&first).contains(&"SUMMARY".to_owned()), "{:?}", message_texts(&first));

    let stored: Snapshot = serde_json::from_value(json_file(&latest_file(&folder))).unwrap();
    let stored: Vec<String> = stored.data.messages.unwrap().iter().map(|message| message.text()).collect();
    assert_eq!(stored, message_texts(&first), "another reader has nothing else to know it by");
    let mut again = managed(&sessions, manager(), ScriptedModel::responding("e")).await;
    assert_eq!(again.messages(), first.messages());
    again.prompt("question 4").await.unwrap();
    let expected: Vec<String> = message_texts(&again);
    assert_eq!(expected.iter().filter(|text| *text == "SUMMARY").count(), 1);
    // For a manager without summaries it is the first message of the user.
    let mut other = managed(&sessions, NullConversationManager::new(), ScriptedModel::responding("f")).await;
    assert_eq!(message_texts(&other), expected);
    other.prompt("question 5").await.unwrap();
    let whole = message_texts(&managed(&sessions, NullConversationManager::new(), ScriptedModel::responding("")).await);
    assert_eq!(whole, message_texts(&other));
    assert_eq!(json_file(&latest_file(&folder))["data"]["messages"].as_array().unwrap().len(), whole.len());
}

#[tokio::test]
async fn reports_a_conflict_to_the_second_of_two_workers() {
    for backend in backends().await {
        let sessions = sessions(&backend.store);
        agent(&sessions).await.prompt("hello").await.unwrap();
        let mut slow = agent(&sessions).await;
        let mut new = sessions.for_session("new").unwrap().open("main").await.unwrap();
        agent(&sessions).await.prompt("first").await.unwrap();
        let Err(AgentError::Session(error)) = slow.prompt("second").await else { panic!("{}", backend.name) };
        assert!(error.is_conflict(), "{}: {error}", backend.name);
        let text = error.to_string();
        assert!(text.contains("the latest snapshot of agent `main` was expected to be that of 20"), "{text}");
        assert!(text.contains("with 2 messages and is that of 20") && text.contains("with 4 messages;"), "{text}");
        assert_eq!(texts(&sessions).await, ["hello", "hi", "first", "hi"], "{}", backend.name);

        // Two workers that both start a session.
        append_all(&mut *sessions.for_session("new").unwrap().open("main").await.unwrap().session, 0..1).await;
        for _ in 0..2 {
            let error = new.session.write(&MessageBatch::append([message(0)])).await.unwrap_err();
            assert!(error.is_conflict() && error.to_string().contains("expected to be absent"), "{error}");
        }
        assert_eq!(
            read_texts(&mut *new.session).await,
            ["message 0"],
            "{}: a read returns the stored messages",
            backend.name
        );
        new.session.write(&MessageBatch::append([message(1)])).await.unwrap();
    }
}

#[tokio::test]
async fn writes_the_latest_snapshot_on_messages_or_invocations() {
    for backend in backends().await {
        let name = backend.name;
        let each = sessions(&backend.store);
        let mut session = each.open("main").await.unwrap().session;
        session.write(&MessageBatch::append([message(0)])).await.unwrap();
        assert_eq!(texts(&each).await, ["message 0"], "{name}");
        session.write(&MessageBatch::replace(Message::user("redacted"))).await.unwrap();
        assert_eq!(texts(&each).await, ["redacted"], "{name}");

        let ends = each.for_session("ends").unwrap().save_on(SaveOn::Invocation);
        let mut session = ends.open("main").await.unwrap().session;
        assert!(
            matches!(session.write(&MessageBatch::replace(message(0))).await, Err(SessionError::NotFound { .. })),
            "{name}"
        );
        session.save(&AgentRecord::new("main")).await.unwrap();
        session.write(&MessageBatch::append([message(0)])).await.unwrap();
        assert!(texts(&ends).await.is_empty(), "{name}");
        assert_eq!(read_texts(&mut *session).await, ["message 0"], "{name}: the worker itself knows it");
        session.write(&MessageBatch::replace(Message::user("redacted"))).await.unwrap();
        assert_eq!(texts(&ends).await, ["redacted"], "{name}: what is redacted does not wait");
        session.write(&MessageBatch::append([message(1)])).await.unwrap();
        session.invocation_ended().await.unwrap();
        assert_eq!(texts(&ends).await, ["redacted", "message 1"], "{name}");

        // The second prompt changes only the messages.
        let mut agent = agent(&each.for_session("agent").unwrap().save_on(SaveOn::Invocation)).await;
        agent.prompt("a").await.unwrap();
        agent.prompt("b").await.unwrap();
        assert_eq!(texts(&each.for_session("agent").unwrap()).await, ["a", "hi", "b", "hi"], "{name}");
    }
}

#[tokio::test]
async fn reports_no_conflict_after_a_dropped_write() {
    let (_folder, sessions) = in_folder();
    let mut session = sessions.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([message(0)])).await.unwrap();
    // Dropped while the writing thread may be at any point.
    for _ in 0..5 {
        assert!(session.write(&MessageBatch::append([message(1)])).now_or_never().is_none());
    }
    session.write(&MessageBatch::append([message(1)])).await.unwrap();
    session.write(&MessageBatch::append([message(2)])).await.unwrap();
    assert_eq!(texts(&sessions).await, ["message 0", "message 1", "message 2"]);
}

#[tokio::test]
async fn creates_and_restores_checkpoints() {
    for backend in backends().await {
        let name = backend.name;
        let sessions = sessions(&backend.store).checkpoint_when(|snapshot| {
            let newest = snapshot.data.messages.as_ref().and_then(|messages| messages.iter().rev().nth(1));
            newest.is_some_and(|message| message.text().starts_with("keep"))
        });
        assert!(sessions.snapshot_ids("main", None, 10).await.unwrap().is_empty(), "{name}");
        let mut first = agent(&sessions).await;
        for prompt in ["keep 0", "let go", "keep 1", "keep 2"] {
            first.prompt(prompt).await.unwrap();
        }
        let ids = sessions.snapshot_ids("main", None, usize::MAX).await.unwrap();
        assert_eq!(ids.len(), 3, "{name}");
        assert!(ids.is_sorted(), "{name}");
        assert_eq!(sessions.snapshot_ids("main", Some(&ids[0]), 1).await.unwrap(), ids[1..2], "{name}");
        assert_eq!(sessions.snapshot_ids("main", Some(&ids[2]), 9).await.unwrap().len(), 0, "{name}");
        assert_eq!(sessions.snapshot("main", &ids[2]).await.unwrap(), sessions.latest("main").await.unwrap().unwrap());
        assert!(sessions.snapshot_ids("other", None, 9).await.unwrap().is_empty(), "{name}");

        let builder = Agent::builder().model(ScriptedModel::responding("hi"));
        let mut apart = builder.conversation_manager(SlidingWindowConversationManager::new(40)).build().await.unwrap();
        apart.restore(sessions.snapshot("main", &ids[1]).await.unwrap()).unwrap();
        assert_eq!(message_texts(&apart), ["keep 0", "hi", "let go", "hi", "keep 1", "hi"], "{name}");

        sessions.restore("main", &ids[0]).await.unwrap();
        assert!(matches!(first.prompt("on").await, Err(AgentError::Session(error)) if error.is_conflict()), "{name}");
        let mut back = agent(&sessions).await;
        back.prompt("another way").await.unwrap();
        assert_eq!(texts(&sessions).await, ["keep 0", "hi", "another way", "hi"], "{name}");
        let checkpoint = sessions.checkpoint("main").await.unwrap();
        let now = sessions.snapshot_ids("main", None, 10).await.unwrap();
        assert_eq!(now, [ids, vec![checkpoint]].concat(), "{name}: checkpoints accumulate");
        let absent = sessions.snapshot("main", "01a20242-75c1-7566-8d83-051dcf42f567").await;
        assert!(matches!(absent, Err(SessionError::NotFound { .. })), "{name}");
        assert!(matches!(sessions.checkpoint("missing").await, Err(SessionError::NotFound { .. })), "{name}");
    }
}

#[tokio::test]
async fn rejects_hostile_ids_and_links() {
    let (folder, sessions) = in_folder();
    agent(&sessions).await.prompt("hello").await.unwrap();
    let before = files(folder.path());
    let long = "x".repeat(10_240);
    for id in ["", ".", "..", "../../s", "/etc/passwd", "a/b", "a\\b", "a\0b", "日本", &long] {
        let assert_invalid_id =
            |result: Result<(), SessionError>| assert!(matches!(result, Err(SessionError::InvalidId { .. })), "{id}");
        assert_invalid_id(sessions.for_session(id).map(drop));
        assert_invalid_id(sessions.open(id).await.map(drop));
        assert_invalid_id(sessions.latest(id).await.map(drop));
        assert_invalid_id(sessions.checkpoint(id).await.map(drop));
        assert_invalid_id(sessions.snapshot_ids(id, None, 1).await.map(drop));
        assert_invalid_id(sessions.snapshot_ids("main", Some(id), 1).await.map(drop));
        assert_invalid_id(sessions.snapshot("main", id).await.map(drop));
        assert_invalid_id(sessions.restore("main", id).await);
    }
    assert_eq!(files(folder.path()), before);

    #[cfg(unix)]
    {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("snapshot_latest.json"), "{}").unwrap();
        fs::create_dir_all(folder.path().join("session/linked/scopes/agent/main")).unwrap();
        let link = folder.path().join("session/linked/scopes/agent/main/snapshots");
        std::os::unix::fs::symlink(outside.path(), link).unwrap();
        let error = sessions.for_session("linked").unwrap().open("main").await.unwrap_err();
        assert!(chain(&error).contains("symbolic link"), "{error}");
        sessions.for_session("linked").unwrap().delete().await.unwrap();
        assert_eq!(files(outside.path()).len(), 1, "only the link is deleted");
    }
}

#[tokio::test]
async fn reports_corrupt_snapshots_and_does_not_change_them() {
    let (folder, sessions) = in_folder();
    agent(&sessions).await.prompt("hello").await.unwrap();
    let whole = fs::read_to_string(latest_file(&folder)).unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    for wrong in [
        "",
        "{}",
        "[]",
        "null",
        half,
        &whole.replace("\"schema_version\":\"1.0\"", "\"schema_version\":\"2.0\""),
        &whole.replace("\"scope\":\"agent\"", "\"scope\":\"multiAgent\""),
        &whole.replace("\"role\":\"user\"", "\"role\":\"unknown\""),
        &whole.replace("\"removed_message_count\":0", "\"removed_message_count\":18446744073709551615"),
    ] {
        fs::write(latest_file(&folder), wrong).unwrap();
        for result in [
            sessions.open("main").await.map(drop),
            sessions.latest("main").await.map(drop),
            sessions.checkpoint("main").await.map(drop),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, SessionError::Corrupt { .. }), "{wrong}: {error}");
            assert!(error.to_string().contains("snapshot_latest.json"), "{error}");
        }
        assert_eq!(fs::read_to_string(latest_file(&folder)).unwrap(), wrong);
    }
    fs::write(latest_file(&folder), &whole).unwrap();
    let history = folder.path().join(FOLDER).join("immutable_history");
    fs::create_dir(&history).unwrap();
    for stray in
        ["snapshot_latest.json", "snapshot_01a20242-75c1-4566-8d83-051dcf42f567.json", "notes.txt", ".strands_1.tmp"]
    {
        fs::write(history.join(stray), "{}").unwrap();
    }
    assert!(sessions.snapshot_ids("main", None, 10).await.unwrap().is_empty());
    assert_eq!(texts(&sessions).await, ["hello", "hi"]);
}

#[tokio::test]
async fn returns_not_found_for_a_removed_message() {
    let (_folder, sessions) = in_folder();
    let mut session = sessions.open("main").await.unwrap().session;
    append_all(&mut *session, 0..6).await;
    let mut record = AgentRecord::new("main");
    record.conversation_manager_state.insert("removed_message_count".to_owned(), json!(4));
    record.conversation_manager_state.insert("kept_messages".to_owned(), json!([1]));
    session.save(&record).await.unwrap();

    let mut opened = sessions.open("main").await.unwrap();
    assert_eq!(opened.record.unwrap().conversation_manager_state, record.conversation_manager_state);
    let read = opened.session.read(&MessageRange::new(4, vec![1])).await.unwrap();
    assert_eq!(read.iter().map(|message| message.text()).collect::<Vec<_>>(), ["message 1", "message 4", "message 5"]);
    assert_eq!(opened.session.read(&MessageRange::new(5, Vec::new())).await.unwrap().len(), 1);
    for gone in [MessageRange::new(3, vec![1]), MessageRange::new(4, vec![2])] {
        assert!(matches!(opened.session.read(&gone).await, Err(SessionError::NotFound { .. })), "{gone:?}");
    }
    assert!(opened.session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap().is_empty());
    append_all(&mut *opened.session, 6..7).await;
    assert_eq!(texts(&sessions).await, ["message 1", "message 4", "message 5", "message 6"]);
}

/// A session of Python Strands is restored, with its checkpoints, and continued.
#[tokio::test]
async fn continues_a_session_of_the_reference() {
    let Some(case) = shared_path("sessions/24_snapshot_session") else { return };
    let expected = json_file(&case.join("expected.json"));
    let folder = tempfile::tempdir().unwrap();
    for file in files(&case.join("storage")) {
        let copy = folder.path().join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(copy, fs::read(case.join("storage").join(&file)).unwrap()).unwrap();
    }
    let session_id = expected["session_id"].as_str().unwrap();
    let sessions = SnapshotSessionManager::new(session_id, SessionStore::files(folder.path())).unwrap();
    let ids = sessions.snapshot_ids("main", None, 10).await.unwrap();
    assert_eq!(ids, ["01a20242-75b4-77dd-a28c-5f6b62dbd9c8", "01a20242-75c1-7566-8d83-051dcf42f567"]);
    assert_eq!(sessions.snapshot("main", &ids[0]).await.unwrap().data.messages.unwrap().len(), 4);

    let main = &expected["agents"]["main"];
    let mut restored = agent(&sessions).await;
    assert_eq!(&serde_json::to_value(restored.messages()).unwrap(), &main["messages"]);
    assert_eq!(&Value::Object(restored.state().to_json()), &main["state"]);
    restored.prompt("and on").await.unwrap();
    let checkpoint = sessions.checkpoint("main").await.unwrap();
    assert!(checkpoint > ids[1], "{checkpoint}");
    let again = agent(&sessions).await;
    assert_eq!(again.messages(), restored.messages());
    assert_eq!(again.messages().len(), 8);
}

#[tokio::test]
async fn stores_a_run_in_flight_until_it_ends() {
    let (folder, sessions) = in_folder();
    let mut session = sessions.open("main").await.unwrap().session;
    session.write(&batch(&["one", "two", "three"])).await.unwrap();
    let mut record = AgentRecord::new("main");
    record.internal_state.run = Some(json!({"step": 1}));
    session.save(&record).await.unwrap();
    assert_eq!(json_file(&latest_file(&folder))["data"]["run"], json!({"step": 1}));
    let mut opened = sessions.open("main").await.unwrap();
    assert_eq!(opened.record.unwrap().internal_state.run, Some(json!({"step": 1})));
    opened.session.truncate(1, &AgentRecord::new("main")).await.unwrap();
    assert_eq!(json_file(&latest_file(&folder))["data"].get("run"), None);
    assert_eq!(texts(&sessions).await, ["one"]);
    // The first worker knows an older snapshot.
    assert!(session.write(&batch(&["four"])).await.unwrap_err().is_conflict());

    record.conversation_manager_state.insert("removed_message_count".to_owned(), json!(u64::MAX));
    assert!(matches!(opened.session.save(&record).await, Err(SessionError::Corrupt { .. })));
    assert_eq!(texts(&sessions).await, ["one"]);
}
