//! Sessions that are kept as snapshots: what an agent finds again, what its history keeps, and what is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{append_all, batch, chain, message, places, read_texts};
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
    managed(sessions, SlidingWindowConversationManager::new(40), ScriptedModel::answering("hi")).await
}

async fn managed(
    sessions: &SnapshotSessionManager,
    manager: impl ConversationManager + 'static,
    model: ScriptedModel,
) -> Agent {
    let builder = Agent::builder().model(model).agent_id("main").conversation_manager(manager);
    builder.session_manager(sessions.clone()).build().await.unwrap()
}

fn said(agent: &Agent) -> Vec<String> {
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

/// All files in a folder, by their path in it.
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
async fn an_agent_goes_on_where_another_stood() {
    for place in places().await {
        let sessions = sessions(&place.store);
        let mut first = agent(&sessions).await;
        assert!(sessions.latest("main").await.unwrap().is_none(), "building an agent writes nothing");
        first.state().set("k", 1).unwrap();
        first.prompt("hello").await.unwrap();
        first.prompt("again").await.unwrap();

        let mut second = agent(&sessions).await;
        assert_eq!(second.messages(), first.messages(), "{}", place.name);
        assert_eq!(second.state().get("k"), Some(json!(1)), "{}", place.name);
        second.prompt("and on").await.unwrap();
        assert_eq!(texts(&sessions).await, ["hello", "hi", "again", "hi", "and on", "hi"], "{}", place.name);
        let other = sessions.for_session("other").unwrap();
        assert!(texts(&other).await.is_empty(), "{}", place.name);
        assert!(place.store.list().await.unwrap().is_empty(), "{}: no session of separate messages", place.name);

        sessions.delete().await.unwrap();
        assert!(texts(&sessions).await.is_empty(), "{}", place.name);
        assert!(matches!(sessions.delete().await, Err(SessionError::NotFound { .. })), "{}", place.name);
    }
}

#[tokio::test]
async fn keys_and_json_are_those_of_strands() {
    let (folder, sessions) = in_folder();
    agent(&sessions).await.prompt("schöner Tag").await.unwrap();
    let id = sessions.keep("main").await.unwrap();
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
async fn what_another_version_has_written_is_kept() {
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
async fn a_shortened_conversation_comes_back_as_it_was_left() {
    let (folder, sessions) = in_folder();
    let window = || SlidingWindowConversationManager::new(4).pin_first(1);
    let answers =
        || ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("answer to {:?}", request.messages.len())));
    let mut in_memory =
        Agent::builder().model(answers()).agent_id("main").conversation_manager(window()).build().await.unwrap();
    for turn in 0..8 {
        let mut again = managed(&sessions, window(), answers()).await;
        assert_eq!(said(&again), said(&in_memory), "turn {turn}");
        again.prompt(format!("question {turn}")).await.unwrap();
        in_memory.prompt(format!("question {turn}")).await.unwrap();
        assert_eq!(said(&again), said(&in_memory), "turn {turn}");
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
async fn a_summary_stands_in_the_snapshot_and_comes_back_once() {
    let (folder, sessions) = in_folder();
    let overflow = ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() });
    let turns = ["a", "b", "c"].map(ScriptedTurn::text).into_iter();
    let model = ScriptedModel::new(turns.chain([overflow, ScriptedTurn::text("SUMMARY"), ScriptedTurn::text("d")]));
    let manager = || SummarizingConversationManager::new().preserve_recent(2);
    let mut first = managed(&sessions, manager(), model).await;
    for turn in 0..4 {
        first.prompt(format!("question {turn}")).await.unwrap();
    }
    assert!(said(&first).contains(&"SUMMARY".to_owned()), "{:?}", said(&first));

    let stored: Snapshot = serde_json::from_value(json_file(&latest_file(&folder))).unwrap();
    let stored: Vec<String> = stored.data.messages.unwrap().iter().map(|message| message.text()).collect();
    assert_eq!(stored, said(&first), "another reader has nothing else to know it by");
    let mut again = managed(&sessions, manager(), ScriptedModel::answering("e")).await;
    assert_eq!(again.messages(), first.messages());
    again.prompt("question 4").await.unwrap();
    let expected: Vec<String> = said(&again);
    assert_eq!(expected.iter().filter(|text| *text == "SUMMARY").count(), 1);
    // To a manager that knows no summaries it is what the user said first.
    let mut other = managed(&sessions, NullConversationManager::new(), ScriptedModel::answering("f")).await;
    assert_eq!(said(&other), expected);
    other.prompt("question 5").await.unwrap();
    let whole = said(&managed(&sessions, NullConversationManager::new(), ScriptedModel::answering("")).await);
    assert_eq!(whole, said(&other));
    assert_eq!(json_file(&latest_file(&folder))["data"]["messages"].as_array().unwrap().len(), whole.len());
}

#[tokio::test]
async fn the_second_of_two_workers_gets_a_conflict_and_overwrites_nothing() {
    for place in places().await {
        let sessions = sessions(&place.store);
        agent(&sessions).await.prompt("hello").await.unwrap();
        let mut slow = agent(&sessions).await;
        let mut new = sessions.for_session("new").unwrap().open("main").await.unwrap();
        agent(&sessions).await.prompt("first").await.unwrap();
        let Err(AgentError::Session(error)) = slow.prompt("second").await else { panic!("{}", place.name) };
        assert!(error.is_conflict(), "{}: {error}", place.name);
        let text = error.to_string();
        assert!(text.contains("the latest snapshot of agent `main` was expected to be that of 20"), "{text}");
        assert!(text.contains("with 2 messages and is that of 20") && text.contains("with 4 messages;"), "{text}");
        assert_eq!(texts(&sessions).await, ["hello", "hi", "first", "hi"], "{}", place.name);

        // Two workers that both begin a session, and one that goes on appending.
        append_all(&mut *sessions.for_session("new").unwrap().open("main").await.unwrap().session, 0..1).await;
        for _ in 0..2 {
            let error = new.session.write(&MessageBatch::append([message(0)])).await.unwrap_err();
            assert!(error.is_conflict() && error.to_string().contains("expected to be absent"), "{error}");
        }
        assert_eq!(read_texts(&mut *new.session).await, ["message 0"], "{}: reading shows what is there", place.name);
        new.session.write(&MessageBatch::append([message(1)])).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_saved_when_is_as_promised() {
    for place in places().await {
        let name = place.name;
        let each = sessions(&place.store);
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

        // Nothing but the messages changes with the second prompt.
        let mut agent = agent(&each.for_session("agent").unwrap().save_on(SaveOn::Invocation)).await;
        agent.prompt("a").await.unwrap();
        agent.prompt("b").await.unwrap();
        assert_eq!(texts(&each.for_session("agent").unwrap()).await, ["a", "hi", "b", "hi"], "{name}");
    }
}

#[tokio::test]
async fn a_write_that_nobody_waited_for_is_no_conflict() {
    let (_folder, sessions) = in_folder();
    let mut session = sessions.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([message(0)])).await.unwrap();
    // Begun, and dropped while the thread that writes may be anywhere.
    for _ in 0..5 {
        assert!(session.write(&MessageBatch::append([message(1)])).now_or_never().is_none());
    }
    session.write(&MessageBatch::append([message(1)])).await.unwrap();
    session.write(&MessageBatch::append([message(2)])).await.unwrap();
    assert_eq!(texts(&sessions).await, ["message 0", "message 1", "message 2"]);
}

#[tokio::test]
async fn history_keeps_what_the_program_chose_and_goes_back_to_it() {
    for place in places().await {
        let name = place.name;
        let sessions = sessions(&place.store).keep_when(|snapshot| {
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

        let builder = Agent::builder().model(ScriptedModel::answering("hi"));
        let mut apart = builder.conversation_manager(SlidingWindowConversationManager::new(40)).build().await.unwrap();
        apart.restore(sessions.snapshot("main", &ids[1]).await.unwrap()).unwrap();
        assert_eq!(said(&apart), ["keep 0", "hi", "let go", "hi", "keep 1", "hi"], "{name}");

        sessions.go_back("main", &ids[0]).await.unwrap();
        assert!(matches!(first.prompt("on").await, Err(AgentError::Session(error)) if error.is_conflict()), "{name}");
        let mut back = agent(&sessions).await;
        back.prompt("another way").await.unwrap();
        assert_eq!(texts(&sessions).await, ["keep 0", "hi", "another way", "hi"], "{name}");
        let kept = sessions.keep("main").await.unwrap();
        let now = sessions.snapshot_ids("main", None, 10).await.unwrap();
        assert_eq!(now, [ids, vec![kept]].concat(), "{name}: history only grows");
        let absent = sessions.snapshot("main", "01a20242-75c1-7566-8d83-051dcf42f567").await;
        assert!(matches!(absent, Err(SessionError::NotFound { .. })), "{name}");
        assert!(matches!(sessions.keep("nobody").await, Err(SessionError::NotFound { .. })), "{name}");
    }
}

#[tokio::test]
async fn hostile_ids_and_links_lead_nowhere() {
    let (folder, sessions) = in_folder();
    agent(&sessions).await.prompt("hello").await.unwrap();
    let before = files(folder.path());
    let long = "x".repeat(10_240);
    for id in ["", ".", "..", "../../s", "/etc/passwd", "a/b", "a\\b", "a\0b", "日本", &long] {
        let is_refused =
            |refused: Result<(), SessionError>| assert!(matches!(refused, Err(SessionError::InvalidId { .. })), "{id}");
        is_refused(sessions.for_session(id).map(drop));
        is_refused(sessions.open(id).await.map(drop));
        is_refused(sessions.latest(id).await.map(drop));
        is_refused(sessions.keep(id).await.map(drop));
        is_refused(sessions.snapshot_ids(id, None, 1).await.map(drop));
        is_refused(sessions.snapshot_ids("main", Some(id), 1).await.map(drop));
        is_refused(sessions.snapshot("main", id).await.map(drop));
        is_refused(sessions.go_back("main", id).await);
    }
    assert_eq!(files(folder.path()), before);

    #[cfg(unix)]
    {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("snapshot_latest.json"), "{}").unwrap();
        fs::create_dir_all(folder.path().join("session/linked/scopes/agent/main")).unwrap();
        let link = folder.path().join("session/linked/scopes/agent/main/snapshots");
        std::os::unix::fs::symlink(outside.path(), link).unwrap();
        let refused = sessions.for_session("linked").unwrap().open("main").await.unwrap_err();
        assert!(chain(&refused).contains("symbolic link"), "{refused}");
        sessions.for_session("linked").unwrap().delete().await.unwrap();
        assert_eq!(files(outside.path()).len(), 1, "only the link is deleted");
    }
}

#[tokio::test]
async fn what_is_no_snapshot_is_reported_and_left_alone() {
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
        &whole.replace("\"role\":\"user\"", "\"role\":\"nobody\""),
        &whole.replace("\"removed_message_count\":0", "\"removed_message_count\":18446744073709551615"),
    ] {
        fs::write(latest_file(&folder), wrong).unwrap();
        for refused in [
            sessions.open("main").await.map(drop),
            sessions.latest("main").await.map(drop),
            sessions.keep("main").await.map(drop),
        ] {
            let error = refused.unwrap_err();
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
async fn a_message_that_was_removed_is_not_found() {
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

/// What Python Strands has written comes back, with its history, and is gone on with.
#[tokio::test]
async fn a_session_of_the_reference_is_gone_on_with() {
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
    let kept = sessions.keep("main").await.unwrap();
    assert!(kept > ids[1], "{kept}");
    let again = agent(&sessions).await;
    assert_eq!(again.messages(), restored.messages());
    assert_eq!(again.messages().len(), 8);
}

#[tokio::test]
async fn a_run_in_flight_is_in_the_snapshot_until_it_has_ended() {
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
    // The worker from before has another snapshot in mind.
    assert!(session.write(&batch(&["four"])).await.unwrap_err().is_conflict());

    record.conversation_manager_state.insert("removed_message_count".to_owned(), json!(u64::MAX));
    assert!(matches!(opened.session.save(&record).await, Err(SessionError::Corrupt { .. })));
    assert_eq!(texts(&sessions).await, ["one"]);
}
