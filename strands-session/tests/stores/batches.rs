//! Batches and truncations in the layout of Strands: their documents, and compatibility with Strands.

use crate::support::stepping::Stepping;
use crate::support::writes::{documents, record};
use crate::support::{backends, batch, open, read_texts, texts};
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError};
use strands_session::SessionStore;

const AGENT: &str = "session_s/agents/agent_main/agent.json";

fn message_key(number: usize) -> String {
    format!("session_s/agents/agent_main/messages/message_{number}.json")
}

fn json_at(store: &Stepping, key: &str) -> Value {
    serde_json::from_slice(&store.content(key).unwrap()).unwrap()
}

fn put_json(store: &Stepping, key: &str, document: &Value) {
    store.put(key, serde_json::to_vec_pretty(document).unwrap());
}

fn calm() -> (Stepping, SessionStore) {
    let store = Stepping::new(None, true);
    (store.clone(), SessionStore::new(store))
}

async fn begun(sessions: &SessionStore, texts: &[&str]) -> Box<dyn Session> {
    let mut session = open(sessions, "s", "main").await.session;
    for text in texts {
        session.write(&batch(&[text])).await.unwrap();
    }
    session
}

/// Writes a message as Strands does, without the fields of batches.
fn put_as_strands(store: &Stepping, number: usize, text: &str) {
    let time = format!("2026-11-28T12:00:00.{number:06}+00:00");
    let message = json!({"role": "user", "content": [{"text": text}]});
    let document = json!({"message": message, "message_id": number, "redact_message": null, "created_at": time, "updated_at": time});
    put_json(store, &message_key(number), &document);
}

#[tokio::test]
async fn writes_one_document_for_each_message_of_a_batch() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one"]).await;
    session.write(&batch(&["two", "three", "four"])).await.unwrap();
    let names = |number| json_at(&store, &message_key(number)).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let plain = ["message", "message_id", "redact_message", "created_at", "updated_at"];
    assert_eq!(names(0), [&plain[..], &["follows_truncation"]].concat());
    assert_eq!(names(1), [&plain[..], &["followed_by", "follows_truncation"]].concat());
    assert_eq!(names(2), [&plain[..], &["continues", "follows_truncation"]].concat());
    let first = json_at(&store, &message_key(1));
    assert_eq!(first["followed_by"][0], json_at(&store, &message_key(2))["message"]);
    assert_eq!(first["followed_by"][1], json_at(&store, &message_key(3))["message"]);
    assert_eq!(documents(&store), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn sends_one_request_for_each_message_of_a_batch_and_one_for_the_record() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one"]).await;
    for (batch, requests) in [(batch(&["a"]), 2), (batch(&["a", "b"]), 3), (batch(&["a", "b", "c"]), 4)] {
        let before = store.requests();
        session.write(&batch).await.unwrap();
        assert_eq!(store.requests() - before, requests, "{batch:?}");
    }
}

#[tokio::test]
async fn writes_nothing_for_an_empty_batch() {
    let (store, sessions) = calm();
    let mut session = open(&sessions, "s", "main").await.session;
    session.write(&MessageBatch::default()).await.unwrap();
    assert_eq!(store.requests(), 1, "opening");
}

#[tokio::test]
async fn writes_batches_and_truncations_on_every_store() {
    for backend in backends().await {
        let mut session = open(&backend.store, "s", "main").await.session;
        session.write(&batch(&["a", "b", "c"])).await.unwrap();
        let mut replacing = batch(&["d", "e"]);
        replacing.replaced = Some(Message::user("C").into());
        session.write(&replacing).await.unwrap();
        session.write(&MessageBatch::replace(Message::user("E"))).await.unwrap();
        assert_eq!(texts(&backend.store, "s", "main").await, ["a", "b", "C", "d", "E"], "{}", backend.name);
        session.truncate(4, &record("rewound")).await.unwrap();
        session.write(&batch(&["f", "g"])).await.unwrap();
        let expected = ["a", "b", "C", "d", "f", "g"];
        assert_eq!(read_texts(&mut *session).await, expected, "{}", backend.name);
        let mut other = open(&backend.store, "s", "main").await;
        assert_eq!(other.record.unwrap().state, record("rewound").state, "{}", backend.name);
        assert_eq!(read_texts(&mut *other.session).await, expected, "{}", backend.name);
        let range = MessageRange::new(5, vec![3, 1]);
        let read = other.session.read(&range).await.unwrap();
        let read: Vec<String> = read.iter().map(|message| message.text()).collect();
        assert_eq!(read, ["b", "d", "g"], "{}: by position", backend.name);
        // Keeping more messages than there are keeps all; keeping none leaves a session without messages.
        other.session.truncate(77, &record("all")).await.unwrap();
        assert_eq!(texts(&backend.store, "s", "main").await, expected, "{}", backend.name);
        other.session.truncate(0, &record("none")).await.unwrap();
        assert!(texts(&backend.store, "s", "main").await.is_empty(), "{}", backend.name);
        other.session.write(&batch(&["again"])).await.unwrap();
        assert_eq!(texts(&backend.store, "s", "main").await, ["again"], "{}", backend.name);
    }
}

/// Redacted content must not stay in any document.
#[tokio::test]
async fn replaces_all_copies_of_a_message() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one"]).await;
    session.write(&batch(&["two", "secret"])).await.unwrap();
    session.write(&MessageBatch::replace(Message::user("[redacted]"))).await.unwrap();
    let mut replacing = batch(&["three"]);
    replacing.replaced = Some(Message::user("[redacted again]").into());
    session.write(&replacing).await.unwrap();
    for key in store.keys() {
        let content = String::from_utf8(store.content(&key).unwrap().to_vec()).unwrap();
        assert!(!content.contains("secret") && !content.contains("[redacted]"), "{key}: {content}");
        assert!(!content.contains("replaces_previous"), "{key}: {content}");
    }
    assert_eq!(texts(&sessions, "s", "main").await, ["one", "two", "[redacted again]", "three"]);
}

#[tokio::test]
async fn reads_an_incomplete_batch_as_complete_and_completes_it_before_the_next_write() {
    let (store, sessions) = calm();
    begun(&sessions, &["one"]).await.write(&batch(&["two", "three", "four"])).await.unwrap();
    for missing in [&[2, 3][..], &[3]] {
        let whole: Vec<_> = missing.iter().map(|number| store.content(&message_key(*number)).unwrap()).collect();
        for number in missing {
            store.remove(&message_key(*number));
        }
        let mut session = open(&sessions, "s", "main").await.session;
        assert_eq!(read_texts(&mut *session).await, ["one", "two", "three", "four"]);
        assert_eq!(session.read(&MessageRange::new(3, vec![0])).await.unwrap().len(), 2);
        for number in missing {
            assert!(store.content(&message_key(*number)).is_none(), "a read does not write");
        }
        session.save(&record("saved")).await.unwrap();
        session.truncate(4, &record("all")).await.unwrap();
        let completed: Vec<_> = missing.iter().map(|number| store.content(&message_key(*number)).unwrap()).collect();
        assert_eq!(completed, whole, "equal to the writer's documents");
    }
}

#[tokio::test]
async fn accepts_messages_of_strands_after_an_incomplete_batch() {
    let (store, sessions) = calm();
    begun(&sessions, &["one"]).await.write(&batch(&["two", "three", "four"])).await.unwrap();
    store.remove(&message_key(3));
    store.remove(&message_key(2));
    put_as_strands(&store, 2, "from Strands");
    let mut session = open(&sessions, "s", "main").await.session;
    assert_eq!(read_texts(&mut *session).await, ["one", "two", "from Strands"]);
    session.write(&batch(&["on"])).await.unwrap();
    assert_eq!(documents(&store), ["one", "two", "from Strands", "on"]);
}

/// Strands drops unknown fields when it rewrites a document.
#[tokio::test]
async fn reads_a_batch_that_strands_has_rewritten() {
    let (store, sessions) = calm();
    begun(&sessions, &["one"]).await.write(&batch(&["two", "three"])).await.unwrap();
    let mut first = json_at(&store, &message_key(1));
    first.as_object_mut().unwrap().remove("followed_by");
    put_json(&store, &message_key(1), &first);
    assert_eq!(texts(&sessions, "s", "main").await, ["one", "two", "three"]);
}

#[tokio::test]
async fn deletes_truncated_documents_and_does_not_reuse_their_numbers() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one", "two", "three", "four"]).await;
    session.truncate(2, &record("rewound")).await.unwrap();
    assert_eq!(documents(&store), ["one", "two"]);
    let marker = json!({"after": 1, "before": 4});
    assert_eq!(json_at(&store, AGENT)["_internal_state"]["truncated_messages"], marker);
    session.write(&batch(&["five"])).await.unwrap();
    assert!(store.content(&message_key(4)).is_some());
    // The agent never sees the marker, and its record doesn't remove it.
    let mut other = open(&sessions, "s", "main").await;
    let mut seen = other.record.unwrap();
    assert!(seen.internal_state.unknown.is_empty());
    seen.state.insert("k".to_owned(), json!(1));
    other.session.save(&seen).await.unwrap();
    assert_eq!(json_at(&store, AGENT)["_internal_state"]["truncated_messages"], marker);
    session = open(&sessions, "s", "main").await.session;
    session.truncate(0, &record("all")).await.unwrap();
    session.write(&batch(&["six"])).await.unwrap();
    assert!(store.content(&message_key(5)).is_some());
    assert_eq!(texts(&sessions, "s", "main").await, ["six"]);
}

#[tokio::test]
async fn truncates_in_the_middle_of_a_batch() {
    for keep in 0..=4 {
        let (store, sessions) = calm();
        let mut session = begun(&sessions, &["one"]).await;
        session.write(&batch(&["two", "three"])).await.unwrap();
        let mut replacing = batch(&["four", "five"]);
        replacing.replaced = Some(Message::user("THREE").into());
        session.write(&replacing).await.unwrap();
        let expected = &["one", "two", "THREE", "four", "five"][..keep];
        session.truncate(u64::try_from(keep).unwrap(), &record("rewound")).await.unwrap();
        assert_eq!(texts(&sessions, "s", "main").await, expected, "{keep}");
        assert_eq!(documents(&store), expected, "{keep}");
        let mut other = open(&sessions, "s", "main").await.session;
        other.write(&batch(&["on", "and on"])).await.unwrap();
        let expected = [expected, &["on", "and on"]].concat();
        assert_eq!(texts(&sessions, "s", "main").await, expected, "{keep}");
        assert_eq!(documents(&store), expected, "{keep}");
    }
}

#[tokio::test]
async fn accepts_messages_of_strands_after_a_truncation() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one", "two", "three", "four"]).await;
    session.truncate(2, &record("rewound")).await.unwrap();
    // It numbers its messages from the newest document.
    put_as_strands(&store, 2, "from Strands");
    put_as_strands(&store, 3, "again");
    let mut other = open(&sessions, "s", "main").await.session;
    assert_eq!(read_texts(&mut *other).await, ["one", "two", "from Strands", "again"]);
    other.write(&batch(&["on"])).await.unwrap();
    assert_eq!(documents(&store), ["one", "two", "from Strands", "again", "on"]);
    // It drops the marker when it writes the record.
    let mut agent = json_at(&store, AGENT);
    agent["_internal_state"].as_object_mut().unwrap().remove("truncated_messages");
    put_json(&store, AGENT, &agent);
    let expected = ["one", "two", "from Strands", "again", "on"];
    assert_eq!(texts(&sessions, "s", "main").await, expected);
}

/// A worker continues a batch that others have completed and truncated.
#[tokio::test]
async fn ignores_and_deletes_a_late_message_of_a_truncated_batch() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one"]).await;
    session.write(&batch(&["two", "three"])).await.unwrap();
    let late = store.content(&message_key(2)).unwrap();
    session.truncate(1, &record("rewound")).await.unwrap();
    session.write(&batch(&["on"])).await.unwrap();
    store.put(&message_key(2), late);
    let mut other = open(&sessions, "s", "main").await.session;
    assert_eq!(read_texts(&mut *other).await, ["one", "on"]);
    other.write(&batch(&["and on"])).await.unwrap();
    assert_eq!(documents(&store), ["one", "on", "and on"]);
}

#[tokio::test]
async fn removes_an_ended_run_from_the_record() {
    let (store, sessions) = calm();
    let mut session = open(&sessions, "s", "main").await.session;
    let mut running = AgentRecord::new("main");
    running.internal_state.run = Some(json!({"step": 1}));
    session.save(&running).await.unwrap();
    let mut document = json_at(&store, AGENT);
    assert_eq!(document["_internal_state"]["run"], json!({"step": 1}));
    document["_internal_state"]["later"] = json!("preserved");
    put_json(&store, AGENT, &document);
    let mut opened = open(&sessions, "s", "main").await;
    let mut record = opened.record.unwrap();
    assert_eq!(record.internal_state.run, running.internal_state.run);
    record.internal_state.run = None;
    opened.session.save(&record).await.unwrap();
    let internal = json_at(&store, AGENT)["_internal_state"].clone();
    assert_eq!((internal.get("run"), &internal["later"]), (None, &json!("preserved")));
}

#[tokio::test]
async fn reports_invalid_numbers() {
    let (store, sessions) = calm();
    let mut session = begun(&sessions, &["one"]).await;
    let document = json_at(&store, AGENT);
    for (path, wrong) in [
        ("/conversation_manager_state/removed_message_count", json!(u64::MAX)),
        ("/_internal_state/truncated_messages", json!("?")),
        ("/_internal_state/truncated_messages", json!({"after": -1, "before": 2})),
    ] {
        let mut broken = document.clone();
        broken["_internal_state"]["truncated_messages"] = Value::Null;
        *broken.pointer_mut(path).unwrap() = wrong;
        put_json(&store, AGENT, &broken);
        let opened = crate::support::try_open(&sessions, "s", "main").await;
        let read = match opened {
            Ok(mut opened) => opened.session.read(&MessageRange::default()).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(matches!(read, Err(SessionError::Corrupt { .. })), "{broken}: {read:?}");
    }
    put_json(&store, AGENT, &document);
    let mut record = AgentRecord::new("main");
    record.conversation_manager_state.insert("removed_message_count".to_owned(), json!(u64::MAX));
    let saved = session.save(&record).await;
    assert!(matches!(saved, Err(SessionError::Corrupt { .. })), "{saved:?}");
    assert!(open(&sessions, "s", "main").await.record.is_some());
    // The highest possible number.
    put_as_strands(&store, 0, "one");
    store.put(&message_key(usize::MAX), store.content(&message_key(0)).unwrap());
    let mut opened = open(&sessions, "s", "main").await.session;
    let read = opened.read(&MessageRange::default()).await.map(drop);
    assert!(matches!(read, Err(SessionError::Storage { .. })), "{read:?}");
}
