//! What every store owes an agent, whatever it keeps its documents in.

use std::collections::BTreeSet;

use crate::support::{append_all, open, places, read_texts, texts, try_open};
use serde_json::json;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError};

fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("message {number}")).collect()
}

#[tokio::test]
async fn what_was_appended_is_read_back_in_order() {
    for place in places().await {
        let mut first = open(&place.store, "s", "main").await;
        assert!(first.record.is_none(), "{}", place.name);
        assert!(read_texts(&mut *first.session).await.is_empty());
        // More than ten, so that an order by name would show.
        append_all(&mut *first.session, 0..13).await;

        let again = open(&place.store, "s", "main").await;
        // What Strands needs to go on with an agent that has kept nothing.
        let record = again.record.unwrap();
        assert_eq!(record.agent_id, "main", "{}", place.name);
        assert_eq!(record.conversation_manager_state["__name__"], "SlidingWindowConversationManager");
        assert_eq!(
            json!(record.internal_state.interrupt_state),
            json!({"interrupts": {}, "context": {}, "activated": false})
        );
        assert_eq!(texts(&place.store, "s", "main").await, numbered(0..13), "{}", place.name);
        assert_eq!(texts(&place.store, "s", "other").await, numbered(0..0), "{}", place.name);
    }
}

#[tokio::test]
async fn opening_writes_nothing() {
    for place in places().await {
        let mut opened = open(&place.store, "s", "main").await;
        assert!(read_texts(&mut *opened.session).await.is_empty());
        assert!(place.store.list().await.unwrap().is_empty(), "{}", place.name);
    }
}

#[tokio::test]
async fn a_range_is_read_without_the_rest() {
    for place in places().await {
        append_all(&mut *open(&place.store, "s", "main").await.session, 0..12).await;
        let mut opened = open(&place.store, "s", "main").await;
        let read = opened.session.read(&MessageRange::new(9, vec![4, 2])).await.unwrap();
        let read: Vec<String> = read.iter().map(|message| message.text()).collect();
        assert_eq!(read, numbered([2, 4, 9, 10, 11]), "{}", place.name);
        let missing = opened.session.read(&MessageRange::new(9, vec![2, 77])).await.unwrap_err();
        assert!(matches!(missing, SessionError::NotFound { .. }), "{}: {missing}", place.name);
        assert!(missing.to_string().contains("position 77 of 12"), "{missing}");
        // What follows comes after the newest message, not after what was read.
        opened.session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap();
        append_all(&mut *opened.session, 12..13).await;
        assert_eq!(texts(&place.store, "s", "main").await, numbered(0..13), "{}", place.name);
    }
}

#[tokio::test]
async fn appending_without_reading_goes_on_after_the_newest() {
    for place in places().await {
        append_all(&mut *open(&place.store, "s", "main").await.session, 0..3).await;
        append_all(&mut *open(&place.store, "s", "main").await.session, 3..5).await;
        assert_eq!(texts(&place.store, "s", "main").await, numbered(0..5), "{}", place.name);
    }
}

#[tokio::test]
async fn the_second_of_two_writers_gets_a_conflict_and_overwrites_nothing() {
    for place in places().await {
        append_all(&mut *open(&place.store, "s", "main").await.session, 0..2).await;
        let mut slow = open(&place.store, "s", "main").await;
        read_texts(&mut *slow.session).await;
        append_all(&mut *open(&place.store, "s", "main").await.session, 2..3).await;

        for _ in 0..2 {
            let error = slow.session.write(&MessageBatch::append([Message::user("mine")])).await.unwrap_err();
            assert!(error.is_conflict(), "{}: {error}", place.name);
            let text = error.to_string();
            assert!(text.contains("session `s`"), "{text}");
            assert!(text.contains("message 2 was expected to be absent and is a user message of 20"), "{text}");
        }
        assert_eq!(texts(&place.store, "s", "main").await, numbered(0..3), "{}", place.name);

        // Having seen what the other wrote, it may go on.
        read_texts(&mut *slow.session).await;
        append_all(&mut *slow.session, 3..4).await;
        assert_eq!(texts(&place.store, "s", "main").await, numbered(0..4), "{}", place.name);
    }
}

#[tokio::test]
async fn two_workers_that_start_one_session_do_not_share_it() {
    for place in places().await {
        let mut one = open(&place.store, "s", "main").await;
        let mut other = open(&place.store, "s", "main").await;
        read_texts(&mut *one.session).await;
        read_texts(&mut *other.session).await;
        one.session.write(&MessageBatch::append([Message::user("one")])).await.unwrap();
        let error = other.session.write(&MessageBatch::append([Message::user("other")])).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", place.name);
        assert_eq!(texts(&place.store, "s", "main").await, ["one"], "{}", place.name);
    }
}

#[tokio::test]
async fn a_record_comes_back_and_is_written_over_by_nobody_who_has_not_seen_it() {
    for place in places().await {
        let mut opened = open(&place.store, "s", "main").await;
        let mut record = AgentRecord::new("main");
        record.state.insert("seats".to_owned(), json!({"row": 12, "naïve": "日本"}));
        record.conversation_manager_state.insert("__name__".to_owned(), json!("NullConversationManager"));
        record.internal_state.interrupt_state.insert("activated".to_owned(), json!(false));
        opened.session.save(&record).await.unwrap();

        let mut slow = open(&place.store, "s", "main").await;
        assert_eq!(slow.record.as_ref(), Some(&record), "{}", place.name);

        record.state.insert("seats".to_owned(), json!(13));
        opened.session.save(&record).await.unwrap();
        record.state.insert("seats".to_owned(), json!(14));
        let error = slow.session.save(&record).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", place.name);
        assert!(error.to_string().contains("the record of agent `main`"), "{error}");
        let kept = open(&place.store, "s", "main").await.record.unwrap();
        assert_eq!(kept.state["seats"], json!(13), "{}", place.name);
    }
}

#[tokio::test]
async fn an_unchanged_record_is_no_news_to_others() {
    for place in places().await {
        let mut opened = open(&place.store, "s", "main").await;
        let mut record = AgentRecord::new("main");
        opened.session.save(&record).await.unwrap();
        let mut other = open(&place.store, "s", "main").await;
        opened.session.save(&record).await.unwrap();
        record.state.insert("k".to_owned(), json!(1));
        other.session.save(&record).await.unwrap();
    }
}

#[tokio::test]
async fn the_newest_message_is_replaced_only_by_who_knows_it() {
    for place in places().await {
        let mut first = open(&place.store, "s", "main").await;
        append_all(&mut *first.session, 0..2).await;
        let mut second = open(&place.store, "s", "main").await;
        read_texts(&mut *second.session).await;

        first.session.write(&MessageBatch::replace(Message::assistant("redacted"))).await.unwrap();
        assert_eq!(texts(&place.store, "s", "main").await, ["message 0", "redacted"], "{}", place.name);
        first.session.write(&MessageBatch::replace(Message::assistant("twice"))).await.unwrap();
        assert_eq!(texts(&place.store, "s", "main").await, ["message 0", "twice"], "{}", place.name);

        let error = second.session.write(&MessageBatch::replace(Message::assistant("mine"))).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", place.name);
        assert!(error.to_string().contains("message 1 was expected to be an assistant message of"), "{error}");

        // Nor where another worker has gone on.
        read_texts(&mut *second.session).await;
        append_all(&mut *first.session, 2..3).await;
        let error = second.session.write(&MessageBatch::replace(Message::assistant("mine"))).await.unwrap_err();
        assert!(error.is_conflict(), "{}: {error}", place.name);
        assert_eq!(texts(&place.store, "s", "main").await, ["message 0", "twice", "message 2"], "{}", place.name);
    }
}

#[tokio::test]
async fn replacing_in_an_empty_session_is_an_error() {
    for place in places().await {
        let mut opened = open(&place.store, "s", "main").await;
        let error = opened.session.write(&MessageBatch::replace(Message::user("?"))).await.unwrap_err();
        assert!(matches!(error, SessionError::NotFound { .. }), "{}: {error}", place.name);
        assert!(place.store.list().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn agents_of_a_session_are_apart() {
    for place in places().await {
        append_all(&mut *open(&place.store, "s", "x").await.session, 0..2).await;
        append_all(&mut *open(&place.store, "s", "y").await.session, 0..5).await;
        assert_eq!(texts(&place.store, "s", "x").await, numbered(0..2), "{}", place.name);
        assert_eq!(texts(&place.store, "s", "y").await, numbered(0..5), "{}", place.name);
    }
}

#[tokio::test]
async fn sessions_are_listed_and_deleted() {
    for place in places().await {
        for id in ["b", "a", "a.b"] {
            append_all(&mut *open(&place.store, id, "main").await.session, 0..2).await;
        }
        assert_eq!(place.store.list().await.unwrap(), ["a", "a.b", "b"], "{}", place.name);
        let mut left_open = open(&place.store, "a", "main").await;
        read_texts(&mut *left_open.session).await;

        place.store.delete("a").await.unwrap();
        assert_eq!(place.store.list().await.unwrap(), ["a.b", "b"], "{}", place.name);
        assert!(open(&place.store, "a", "main").await.record.is_none());
        assert!(texts(&place.store, "a", "main").await.is_empty());
        assert_eq!(texts(&place.store, "a.b", "main").await, numbered(0..2), "{}", place.name);
        let error = place.store.delete("a").await.unwrap_err();
        assert!(matches!(error, SessionError::NotFound { .. }), "{}: {error}", place.name);
        let mut record = AgentRecord::new("main");
        record.state.insert("k".to_owned(), json!(1));
        let error = left_open.session.save(&record).await.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains("is gone"), "{}: {error}", place.name);
    }
}

#[tokio::test]
async fn hostile_ids_are_refused_before_anything_is_touched() {
    let long = "x".repeat(10_240);
    for place in places().await {
        for id in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", ".x", "\u{202e}", &long] {
            for (session_id, agent_id) in [(id, "main"), ("s", id)] {
                let error = try_open(&place.store, session_id, agent_id).await.unwrap_err();
                assert!(matches!(error, SessionError::InvalidId { .. }), "{}: {error}", place.name);
            }
            let error = place.store.delete(id).await.unwrap_err();
            assert!(matches!(error, SessionError::InvalidId { .. }), "{}: {error}", place.name);
        }
        assert!(place.store.list().await.unwrap().is_empty());
    }
}

/// A future that is dropped leaves a write of which nobody knows how it ended; the next write of the same worker must not
/// take it for another worker's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_append_is_no_conflict() {
    for place in places().await {
        let mut opened = open(&place.store, "s", "main").await;
        opened.session.write(&MessageBatch::append([Message::user("start")])).await.unwrap();
        let mut expected = BTreeSet::from(["start".to_owned()]);
        for round in 0..50 {
            let abandoned = MessageBatch::append([Message::user(format!("abandoned {round}"))]);
            {
                let append = opened.session.write(&abandoned);
                // Polled once: files are then being written on another thread.
                tokio::select! { biased; _ = append => {}, () = std::future::ready(()) => {} }
            }
            let kept = format!("kept {round}");
            opened.session.write(&MessageBatch::append([Message::user(&*kept)])).await.unwrap();
            expected.insert(kept);
        }
        let found: BTreeSet<String> = texts(&place.store, "s", "main").await.into_iter().collect();
        assert!(found.is_superset(&expected), "{}: {found:?}", place.name);
    }
}
