//! Sessions on every store: append, read, replace, list, delete, and conflicts.

use std::collections::BTreeSet;

use crate::support::{append_all, backends, open, read_texts, texts, try_open};
use serde_json::json;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError};

fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("message {number}")).collect()
}

#[tokio::test]
async fn reads_appended_messages_in_order() {
    for backend in backends().await {
        let mut first = open(&backend.store, "s", "main").await;
        assert!(first.record.is_none(), "{}", backend.name);
        assert!(read_texts(&mut *first.session).await.is_empty());
        // More than ten, so that an order by name would fail.
        append_all(&mut *first.session, 0..13).await;

        let again = open(&backend.store, "s", "main").await;
        // The record that Strands needs to continue with a new agent.
        let record = again.record.unwrap();
        assert_eq!(record.agent_id, "main", "{}", backend.name);
        assert_eq!(record.conversation_manager_state["__name__"], "SlidingWindowConversationManager");
        assert_eq!(
            json!(record.internal_state.interrupt_state),
            json!({"interrupts": {}, "context": {}, "activated": false})
        );
        assert_eq!(texts(&backend.store, "s", "main").await, numbered(0..13), "{}", backend.name);
        assert_eq!(texts(&backend.store, "s", "other").await, numbered(0..0), "{}", backend.name);
    }
}

#[tokio::test]
async fn writes_nothing_when_a_session_is_opened() {
    for backend in backends().await {
        let mut opened = open(&backend.store, "s", "main").await;
        assert!(read_texts(&mut *opened.session).await.is_empty());
        assert!(backend.store.list().await.unwrap().is_empty(), "{}", backend.name);
    }
}

#[tokio::test]
async fn reads_a_range() {
    for backend in backends().await {
        append_all(&mut *open(&backend.store, "s", "main").await.session, 0..12).await;
        let mut opened = open(&backend.store, "s", "main").await;
        let read = opened.session.read(&MessageRange::new(9, vec![4, 2])).await.unwrap();
        let read: Vec<String> = read.iter().map(|message| message.text()).collect();
        assert_eq!(read, numbered([2, 4, 9, 10, 11]), "{}", backend.name);
        let missing = opened.session.read(&MessageRange::new(9, vec![2, 77])).await.unwrap_err();
        assert!(matches!(missing, SessionError::NotFound { .. }), "{}: {missing}", backend.name);
        assert!(missing.to_string().contains("position 77 of 12"), "{missing}");
        // An append follows the newest message, not the newest in the range.
        opened.session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap();
        append_all(&mut *opened.session, 12..13).await;
        assert_eq!(texts(&backend.store, "s", "main").await, numbered(0..13), "{}", backend.name);
    }
}

#[tokio::test]
async fn appends_after_the_newest_message_without_a_read() {
    for backend in backends().await {
        append_all(&mut *open(&backend.store, "s", "main").await.session, 0..3).await;
        append_all(&mut *open(&backend.store, "s", "main").await.session, 3..5).await;
        assert_eq!(texts(&backend.store, "s", "main").await, numbered(0..5), "{}", backend.name);
    }
}

#[tokio::test]
async fn reports_a_conflict_to_the_second_of_two_writers() {
    for backend in backends().await {
        append_all(&mut *open(&backend.store, "s", "main").await.session, 0..2).await;
        let mut slow = open(&backend.store, "s", "main").await;
        read_texts(&mut *slow.session).await;
        append_all(&mut *open(&backend.store, "s", "main").await.session, 2..3).await;

        for _ in 0..2 {
            let error = slow.session.write(&MessageBatch::append([Message::user("mine")])).await.unwrap_err();
            assert!(error.is_conflict(), "{}: {error}", backend.name);
            let text = error.to_string();
            assert!(text.contains("session `s`"), "{text}");
            assert!(text.contains("message 2 was expected to be absent and is a user message of 20"), "{text}");
        }
        assert_eq!(texts(&backend.store, "s", "main").await, numbered(0..3), "{}", backend.name);

        // After a read of the other's message it can append.
        read_texts(&mut *slow.session).await;
        append_all(&mut *slow.session, 3..4).await;
        assert_eq!(texts(&backend.store, "s", "main").await, numbered(0..4), "{}", backend.name);
    }
}

#[tokio::test]
async fn reports_a_conflict_when_two_workers_start_a_session() {
    for backend in backends().await {
        let mut one = open(&backend.store, "s", "main").await;
        let mut other = open(&backend.store, "s", "main").await;
        read_texts(&mut *one.session).await;
        read_texts(&mut *other.session).await;
        one.session.write(&MessageBatch::append([Message::user("one")])).await.unwrap();
        let error = other.session.write(&MessageBatch::append([Message::user("other")])).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", backend.name);
        assert_eq!(texts(&backend.store, "s", "main").await, ["one"], "{}", backend.name);
    }
}

#[tokio::test]
async fn restores_a_record_and_reports_a_conflict_of_its_writers() {
    for backend in backends().await {
        let mut opened = open(&backend.store, "s", "main").await;
        let mut record = AgentRecord::new("main");
        record.state.insert("seats".to_owned(), json!({"row": 12, "naïve": "日本"}));
        record.conversation_manager_state.insert("__name__".to_owned(), json!("NullConversationManager"));
        record.internal_state.interrupt_state.insert("activated".to_owned(), json!(false));
        opened.session.save(&record).await.unwrap();

        let mut slow = open(&backend.store, "s", "main").await;
        assert_eq!(slow.record.as_ref(), Some(&record), "{}", backend.name);

        record.state.insert("seats".to_owned(), json!(13));
        opened.session.save(&record).await.unwrap();
        record.state.insert("seats".to_owned(), json!(14));
        let error = slow.session.save(&record).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", backend.name);
        assert!(error.to_string().contains("the record of agent `main`"), "{error}");
        let restored = open(&backend.store, "s", "main").await.record.unwrap();
        assert_eq!(restored.state["seats"], json!(13), "{}", backend.name);
    }
}

#[tokio::test]
async fn does_not_write_an_unchanged_record() {
    for backend in backends().await {
        let mut opened = open(&backend.store, "s", "main").await;
        let mut record = AgentRecord::new("main");
        opened.session.save(&record).await.unwrap();
        let mut other = open(&backend.store, "s", "main").await;
        opened.session.save(&record).await.unwrap();
        record.state.insert("k".to_owned(), json!(1));
        other.session.save(&record).await.unwrap();
    }
}

#[tokio::test]
async fn reports_a_conflict_when_a_replaced_message_has_changed() {
    for backend in backends().await {
        let mut first = open(&backend.store, "s", "main").await;
        append_all(&mut *first.session, 0..2).await;
        let mut second = open(&backend.store, "s", "main").await;
        read_texts(&mut *second.session).await;

        first.session.write(&MessageBatch::replace(Message::assistant("redacted"))).await.unwrap();
        assert_eq!(texts(&backend.store, "s", "main").await, ["message 0", "redacted"], "{}", backend.name);
        first.session.write(&MessageBatch::replace(Message::assistant("twice"))).await.unwrap();
        assert_eq!(texts(&backend.store, "s", "main").await, ["message 0", "twice"], "{}", backend.name);

        let error = second.session.write(&MessageBatch::replace(Message::assistant("mine"))).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", backend.name);
        assert!(error.to_string().contains("message 1 was expected to be an assistant message of"), "{error}");

        // Also if another worker has appended.
        read_texts(&mut *second.session).await;
        append_all(&mut *first.session, 2..3).await;
        let error = second.session.write(&MessageBatch::replace(Message::assistant("mine"))).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", backend.name);
        assert_eq!(texts(&backend.store, "s", "main").await, ["message 0", "twice", "message 2"], "{}", backend.name);
    }
}

#[tokio::test]
async fn returns_an_error_for_a_replacement_in_an_empty_session() {
    for backend in backends().await {
        let mut opened = open(&backend.store, "s", "main").await;
        let error = opened.session.write(&MessageBatch::replace(Message::user("?"))).await.unwrap_err();
        assert!(matches!(error, SessionError::NotFound { .. }), "{}: {error}", backend.name);
        assert!(backend.store.list().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn separates_agents_of_a_session() {
    for backend in backends().await {
        append_all(&mut *open(&backend.store, "s", "x").await.session, 0..2).await;
        append_all(&mut *open(&backend.store, "s", "y").await.session, 0..5).await;
        assert_eq!(texts(&backend.store, "s", "x").await, numbered(0..2), "{}", backend.name);
        assert_eq!(texts(&backend.store, "s", "y").await, numbered(0..5), "{}", backend.name);
    }
}

#[tokio::test]
async fn lists_and_deletes_sessions() {
    for backend in backends().await {
        for id in ["b", "a", "a.b"] {
            append_all(&mut *open(&backend.store, id, "main").await.session, 0..2).await;
        }
        assert_eq!(backend.store.list().await.unwrap(), ["a", "a.b", "b"], "{}", backend.name);
        let mut left_open = open(&backend.store, "a", "main").await;
        read_texts(&mut *left_open.session).await;

        backend.store.delete("a").await.unwrap();
        assert_eq!(backend.store.list().await.unwrap(), ["a.b", "b"], "{}", backend.name);
        assert!(open(&backend.store, "a", "main").await.record.is_none());
        assert!(texts(&backend.store, "a", "main").await.is_empty());
        assert_eq!(texts(&backend.store, "a.b", "main").await, numbered(0..2), "{}", backend.name);
        let error = backend.store.delete("a").await.unwrap_err();
        assert!(matches!(error, SessionError::NotFound { .. }), "{}: {error}", backend.name);
        let mut record = AgentRecord::new("main");
        record.state.insert("k".to_owned(), json!(1));
        let error = left_open.session.save(&record).await.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains("is gone"), "{}: {error}", backend.name);
    }
}

#[tokio::test]
async fn rejects_hostile_ids_before_any_access() {
    let long = "x".repeat(10_240);
    for backend in backends().await {
        for id in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", ".x", "\u{202e}", &long] {
            for (session_id, agent_id) in [(id, "main"), ("s", id)] {
                let error = try_open(&backend.store, session_id, agent_id).await.unwrap_err();
                assert!(matches!(error, SessionError::InvalidId { .. }), "{}: {error}", backend.name);
            }
            let error = backend.store.delete(id).await.unwrap_err();
            assert!(matches!(error, SessionError::InvalidId { .. }), "{}: {error}", backend.name);
        }
        assert!(backend.store.list().await.unwrap().is_empty());
    }
}

/// A dropped future leaves a write with an unknown outcome; the next write of the same worker must not take it for another
/// worker's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_no_conflict_after_a_dropped_append() {
    for backend in backends().await {
        let mut opened = open(&backend.store, "s", "main").await;
        opened.session.write(&MessageBatch::append([Message::user("start")])).await.unwrap();
        let mut expected = BTreeSet::from(["start".to_owned()]);
        for round in 0..50 {
            let abandoned = MessageBatch::append([Message::user(format!("abandoned {round}"))]);
            {
                let append = opened.session.write(&abandoned);
                // After one poll, files are written on another thread.
                tokio::select! { biased; _ = append => {}, () = std::future::ready(()) => {} }
            }
            let stored = format!("stored {round}");
            opened.session.write(&MessageBatch::append([Message::user(&*stored)])).await.unwrap();
            expected.insert(stored);
        }
        let found: BTreeSet<String> = texts(&backend.store, "s", "main").await.into_iter().collect();
        assert!(found.is_superset(&expected), "{}: {found:?}", backend.name);
    }
}
