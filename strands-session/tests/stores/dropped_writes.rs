//! Writes whose futures are dropped at every point, and then repeated or followed by another write: a worker has no conflict
//! with itself, loses no message, duplicates none, and leaves no partial batch.

use crate::support::stepping::Stepping;
use crate::support::writes::Write::{Batch, Save, Truncate};
use crate::support::writes::{FIRST, SECOND, documents, poll, record, strings};
use crate::support::{open, read_texts, texts};
use strands_core::message::Message;
use strands_core::session::{MessageBatch, MessageRange, SessionManager as _};
use strands_session::{SessionStore, SnapshotSessionManager};

/// Returns the delays of dropped requests to test: all in the full suite, otherwise a few.
fn delays() -> Vec<Option<usize>> {
    let all = [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(6), Some(7)];
    if strands_testkit::is_thorough() { all.to_vec() } else { vec![None, Some(0), Some(2)] }
}

#[tokio::test]
async fn accepts_any_write_after_a_dropped_one() {
    let base = strings(&["one", "two"]);
    let mut cases = 0;
    for late in delays() {
        for loses_responses in [true, false] {
            for (first, second) in FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))) {
                for polls in 0.. {
                    let store = Stepping::new(late, loses_responses);
                    let sessions = SessionStore::new(store.clone());
                    let case = format!("{first:?}, {second:?}, {polls} polls, late {late:?}, {loses_responses}");
                    let mut session = open(&sessions, "s", "main").await.session;
                    Batch(None, &["one", "two"]).apply(&mut *session).await.unwrap();
                    let ended = poll(first.apply(&mut *session), polls);
                    if ended {
                        break;
                    }
                    cases += 1;

                    let done = first.after(&base);
                    let seen = texts(&SessionStore::new(store.calm()), "s", "main").await;
                    assert!(seen == base || seen == done, "{case}: a reader sees {seen:?}");

                    second.apply(&mut *session).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                    let seen = texts(&SessionStore::new(store.calm()), "s", "main").await;
                    // The second write replaces a dropped batch. A dropped truncation may or may not be committed.
                    let expected = match (first, second) {
                        (_, Save) | (Truncate(_), _) => vec![second.after(&base), second.after(&done)],
                        _ => vec![second.after(&base)],
                    };
                    assert!(expected.contains(&seen), "{case}: {seen:?}");
                    store.settle();
                    let settled = texts(&SessionStore::new(store.calm()), "s", "main").await;
                    if !matches!(second, Save) {
                        assert_eq!(settled, seen, "{case}, after all requests");
                    }

                    // The worker continues, and then another one.
                    if matches!(second, Save) {
                        continue;
                    }
                    let third = Batch(None, &["later", "last"]);
                    third.apply(&mut *session).await.unwrap_or_else(|error| panic!("{case}, then: {error}"));
                    let seen = texts(&sessions, "s", "main").await;
                    let expected = expected.iter().map(|before| third.after(before)).find(|after| *after == seen);
                    let expected = expected.unwrap_or_else(|| panic!("{case}, then: {seen:?}"));
                    let mut other = open(&sessions, "s", "main").await.session;
                    assert_eq!(read_texts(&mut *other).await, expected, "{case}, then");
                    other.write(&MessageBatch::append([Message::user("other")])).await.unwrap();
                    let expected = [expected, strings(&["other"])].concat();
                    assert_eq!(texts(&sessions, "s", "main").await, expected, "{case}, then another");
                    assert_eq!(documents(&store), expected, "{case}, as Strands reads it");
                }
            }
        }
    }
    assert!(cases > 3_000, "{cases}");
}

/// As above, with a read of the conversation between the two writes.
#[tokio::test]
async fn reads_and_continues_after_a_dropped_write() {
    let base = strings(&["one", "two"]);
    for late in delays() {
        for (first, second) in FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))) {
            for polls in 0.. {
                let store = Stepping::new(late, true);
                let sessions = SessionStore::new(store.clone());
                let case = format!("{first:?}, {second:?}, {polls} polls, late {late:?}");
                let mut session = open(&sessions, "s", "main").await.session;
                Batch(None, &["one", "two"]).apply(&mut *session).await.unwrap();
                if poll(first.apply(&mut *session), polls) {
                    break;
                }
                let read = read_texts(&mut *session).await;
                assert!(read == base || read == first.after(&base), "{case}: {read:?}");
                second.apply(&mut *session).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                store.settle();
                let expected = second.after(&read);
                if !matches!(second, Save) {
                    let seen = texts(&sessions, "s", "main").await;
                    // A delayed request must not append any more.
                    assert_eq!(seen, expected, "{case}");
                    Batch(None, &["later"]).apply(&mut *session).await.unwrap();
                    assert_eq!(texts(&sessions, "s", "main").await, [expected, strings(&["later"])].concat(), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn accepts_a_write_after_two_dropped_ones() {
    let base = strings(&["one", "two"]);
    let third = Batch(None, &["V", "W"]);
    let delays = if strands_testkit::is_thorough() { vec![None, Some(0), Some(3)] } else { vec![None] };
    for late in delays {
        for (first, second) in FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))) {
            'first: for polls in 0.. {
                for more in 0.. {
                    let store = Stepping::new(late, true);
                    let sessions = SessionStore::new(store.clone());
                    let case = format!("{first:?} {polls} polls, {second:?} {more} polls, late {late:?}");
                    let mut session = open(&sessions, "s", "main").await.session;
                    Batch(None, &["one", "two"]).apply(&mut *session).await.unwrap();
                    if poll(first.apply(&mut *session), polls) {
                        break 'first;
                    }
                    if poll(second.apply(&mut *session), more) {
                        break;
                    }
                    third.apply(&mut *session).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                    store.settle();
                    let seen = texts(&sessions, "s", "main").await;
                    let truncations =
                        [first, second].map(|write| matches!(write, Truncate(_)).then(|| write.after(&base)));
                    let mut expected = truncations.iter().flatten().chain([&base]).map(|before| third.after(before));
                    assert!(expected.any(|expected| seen == expected), "{case}: {seen:?}");
                    third.apply(&mut *session).await.unwrap();
                    assert_eq!(documents(&store), third.after(&seen), "{case}, as Strands reads it");
                }
            }
        }
    }
}

/// A process that ends at any point leaves a complete batch or none for the next worker.
#[tokio::test]
async fn completes_batches_of_a_crashed_worker() {
    let base = strings(&["one", "two"]);
    for first in &FIRST {
        for second in &SECOND {
            for polls in 0.. {
                let store = Stepping::new(None, true);
                let sessions = SessionStore::new(store.clone());
                let case = format!("{first:?}, {second:?}, {polls} polls");
                let mut session = open(&sessions, "s", "main").await.session;
                Batch(None, &["one", "two"]).apply(&mut *session).await.unwrap();
                if poll(first.apply(&mut *session), polls) {
                    break;
                }
                drop(session);
                let mut opened = open(&sessions, "s", "main").await;
                let read = read_texts(&mut *opened.session).await;
                assert!(read == base || read == first.after(&base), "{case}: {read:?}");
                second.apply(&mut *opened.session).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(texts(&sessions, "s", "main").await, second.after(&read), "{case}");
                if !matches!(second, Save) {
                    assert_eq!(documents(&store), second.after(&read), "{case}, as Strands reads it");
                }
                let last = Batch(None, &["last"]);
                last.apply(&mut *opened.session).await.unwrap();
                assert_eq!(documents(&store), last.after(&second.after(&read)), "{case}, as Strands reads it");
            }
        }
    }
}

/// A record is saved after a dropped write of another one, although it equals the last confirmed record.
#[tokio::test]
async fn does_not_skip_a_save_after_a_dropped_one() {
    for late in [None, Some(0), Some(1), Some(2)] {
        for polls in 0.. {
            let store = Stepping::new(late, true);
            let sessions = SessionStore::new(store.clone());
            let mut session = open(&sessions, "s", "main").await.session;
            session.save(&record("first")).await.unwrap();
            if poll(session.save(&record("dropped")), polls) {
                break;
            }
            session.save(&record("first")).await.unwrap();
            store.settle();
            let state = open(&sessions, "s", "main").await.record.unwrap().state;
            assert_eq!(state["state"], "first", "{polls} polls, late {late:?}");
        }
    }
}

#[tokio::test]
async fn writes_snapshots_after_a_dropped_write() {
    for late in [None, Some(0), Some(1), Some(2)] {
        for (first, second) in FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))) {
            for polls in 0.. {
                let case = format!("{first:?}, {second:?}, {polls} polls, late {late:?}");
                let store = Stepping::new(late, true);
                let sessions = SnapshotSessionManager::new("s", SessionStore::new(store.clone())).unwrap();
                let mut session = sessions.open("main").await.unwrap().session;
                Batch(None, &["one", "two"]).apply(&mut *session).await.unwrap();
                session.save(&record("saved")).await.unwrap();
                if poll(first.apply(&mut *session), polls) {
                    break;
                }
                second.apply(&mut *session).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                store.settle();
                let mut opened = sessions.open("main").await.unwrap();
                let messages = opened.session.read(&MessageRange::default()).await.unwrap();
                let seen: Vec<String> = messages.iter().map(|message| message.text()).collect();
                assert_eq!(seen, second.after(&strings(&["one", "two"])), "{case}");
                let state = if matches!(second, Truncate(_)) { "truncated" } else { "saved" };
                assert_eq!(opened.record.unwrap().state["state"], state, "{case}");
            }
        }
    }
}
