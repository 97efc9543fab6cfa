//! Two workers that write to one session, in every order of their requests: each write is done as a whole or gets a
//! conflict, and confirmed writes are not lost.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::support::stepping::Stepping;
use crate::support::writes::Write::{Batch, Save, Truncate};
use crate::support::writes::{FIRST, SECOND, Write, documents, strings};
use crate::support::{open, read_texts, texts};
use strands_core::session::SessionError;
use strands_session::SessionStore;

fn is_done(written: Result<(), SessionError>, case: &str) -> bool {
    match written {
        Ok(()) => true,
        Err(error) if error.is_conflict() => false,
        Err(error) => panic!("{case}: {}", crate::support::chain(&error)),
    }
}

/// Returns the valid conversations, by the confirmed writes.
fn valid(base: &[String], first: (&Write, bool), second: (&Write, bool)) -> Vec<Vec<String>> {
    let (one, other) = (first.0.after(base), second.0.after(base));
    match (first.1, second.1) {
        (true, false) => vec![one],
        (false, true) => vec![other],
        (false, false) => vec![base.to_vec(), one, other],
        (true, true) => vec![second.0.after(&one), first.0.after(&other)],
    }
}

/// Another worker writes twice during a read.
#[tokio::test]
async fn reads_a_concurrent_write_as_a_whole_or_not_at_all() {
    let base = strings(&["one", "two"]);
    for (first, second) in FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))) {
        for polls in 0.. {
            let sessions = SessionStore::new(Stepping::new(None, false));
            let case = format!("{first:?}, then {second:?}, read after {polls} polls");
            let mut writer = open(&sessions, "s", "main").await.session;
            Batch(None, &["one", "two"]).apply(&mut *writer).await.unwrap();
            let mut reader = open(&sessions, "s", "main").await.session;
            read_texts(&mut *reader).await;

            let after = first.after(&base);
            let read = {
                let mut future = pin!(read_texts(&mut *reader));
                let mut context = Context::from_waker(Waker::noop());
                if (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready()) {
                    break;
                }
                first.apply(&mut *writer).await.unwrap();
                second.apply(&mut *writer).await.unwrap();
                future.await
            };
            let valid = [&base, &after, &second.after(&after)];
            assert!(valid.contains(&&read), "{case}: {read:?}");
        }
    }
}

/// One worker performs its whole write during a write of another.
async fn interleave(knows_base: bool) {
    let base = strings(&["one", "two"]);
    for (first, second) in FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))) {
        for polls in 0.. {
            let store = Stepping::new(None, false);
            let sessions = SessionStore::new(store.clone());
            let mut case = format!("{first:?}, {second:?} after {polls} polls");
            let mut session = open(&sessions, "s", "main").await.session;
            Batch(None, &["one", "two"]).apply(&mut *session).await.unwrap();
            let mut known = open(&sessions, "s", "main").await.session;
            read_texts(&mut *known).await;

            let mut future = pin!(first.apply(&mut *session));
            let mut context = Context::from_waker(Waker::noop());
            if (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready()) {
                break;
            }
            let mut before = base.clone();
            let mut other = known;
            if !knows_base {
                other = open(&sessions, "s", "main").await.session;
                before = read_texts(&mut *other).await;
                assert!(before == base || before == first.after(&base), "{case}: half a batch: {before:?}");
            }
            let second_done = is_done(second.apply(&mut *other).await, &case);
            let first_done = is_done(future.await, &case);
            case = format!("{case}: {first_done}, {second_done}");

            let seen = texts(&sessions, "s", "main").await;
            let mut expected = valid(&base, (first, first_done), (second, second_done));
            if before != base && second_done {
                // The second write follows the first, which was committed but not confirmed yet.
                expected = vec![second.after(&before)];
            }
            let independent = [first, second].iter().any(|write| matches!(write, Save));
            if first_done && second_done && before == base && !independent && !replaces_only(first, second) {
                panic!("{case}: both were confirmed, and the conversation is {seen:?}");
            }
            assert!(expected.contains(&seen), "{case}: {seen:?}");

            let mut third = open(&sessions, "s", "main").await.session;
            let before = read_texts(&mut *third).await;
            assert_eq!(before, seen, "{case}");
            Batch(None, &["last"]).apply(&mut *third).await.unwrap();
            assert_eq!(documents(&store), Batch(None, &["last"]).after(&seen), "{case}, as Strands reads it");
        }
    }
}

/// Returns true if one write only replaces a message: it is then ordered before the other's append.
fn replaces_only(first: &Write, second: &Write) -> bool {
    matches!(first, Batch(_, [])) != matches!(second, Batch(_, []))
}

#[tokio::test]
async fn orders_writes_of_a_worker_that_has_read_the_conversation_before() {
    interleave(true).await;
}

#[tokio::test]
async fn orders_writes_of_a_worker_that_opens_the_session_during_a_write() {
    interleave(false).await;
}

/// Several concurrent workers write three batches each, polled in an order from a seed.
#[tokio::test]
async fn orders_writes_of_many_workers() {
    let rounds = if strands_testkit::is_thorough() { 3_000 } else { 300 };
    for seed in 0..rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let store = Stepping::new(None, random.bool());
        let sessions = SessionStore::new(store.clone());
        let worker = |name: usize| {
            let sessions = sessions.clone();
            async move {
                let mut confirmed = Vec::new();
                let mut session = open(&sessions, "s", "main").await.session;
                for number in 0..3 {
                    let texts = [0, 1, 2].map(|part| format!("{name} {number} {part}"));
                    let messages = texts.iter().map(|text| strands_core::message::Message::user(&**text));
                    let batch = strands_core::session::MessageBatch::append(messages);
                    loop {
                        read_texts(&mut *session).await;
                        if is_done(session.write(&batch).await, "a batch") {
                            break;
                        }
                        session = open(&sessions, "s", "main").await.session;
                    }
                    confirmed.push(texts);
                }
                confirmed
            }
        };
        let mut workers: Vec<_> = (0..4).map(|name| Some(Box::pin(worker(name)))).collect();
        let mut confirmed = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while workers.iter().any(Option::is_some) {
            let turn = random.usize(0..workers.len());
            for _ in 0..random.usize(1..6) {
                let Some(worker) = &mut workers[turn] else { break };
                if let Poll::Ready(done) = worker.as_mut().poll(&mut context) {
                    confirmed.extend(done);
                    workers[turn] = None;
                }
            }
        }
        let seen = texts(&sessions, "s", "main").await;
        assert_eq!(seen.len(), confirmed.len() * 3, "seed {seed}: {seen:?}");
        for batch in confirmed {
            assert!(seen.chunks(3).any(|chunk| chunk == batch), "seed {seed}: {batch:?} in {seen:?}");
        }
        let last = Batch(None, &["last"]);
        let mut session = open(&sessions, "s", "main").await.session;
        last.apply(&mut *session).await.unwrap();
        assert_eq!(documents(&store), last.after(&seen), "seed {seed}, as Strands reads it");
    }
}

#[tokio::test]
async fn reports_a_conflict_to_a_worker_that_has_not_read_a_truncation() {
    for stale_at in 0..=4 {
        for keep in 0..4 {
            for appends in [false, true] {
                for write in &FIRST {
                    let case = format!("stale at {stale_at}, {keep} remaining, appends {appends}, {write:?}");
                    let sessions = SessionStore::new(Stepping::new(None, true));
                    let mut worker = open(&sessions, "s", "main").await.session;
                    worker.save(&strands_core::session::AgentRecord::new("main")).await.unwrap();
                    let mut stale = None;
                    for (number, text) in ["one", "two", "three", "four"].iter().enumerate() {
                        if number == stale_at {
                            stale = Some(open(&sessions, "s", "main").await.session);
                            read_texts(&mut **stale.as_mut().unwrap()).await;
                        }
                        worker.write(&crate::support::batch(&[text])).await.unwrap();
                    }
                    let mut stale = match stale {
                        Some(stale) => stale,
                        None => open(&sessions, "s", "main").await.session,
                    };
                    if stale_at == 4 {
                        read_texts(&mut *stale).await;
                    }
                    Truncate(keep).apply(&mut *worker).await.unwrap();
                    if appends {
                        worker.write(&crate::support::batch(&["more"])).await.unwrap();
                    }
                    let before = texts(&sessions, "s", "main").await;
                    let error = write.apply(&mut *stale).await.expect_err(&case);
                    assert!(error.is_conflict(), "{case}: {error}");
                    assert_eq!(texts(&sessions, "s", "main").await, before, "{case}");
                    // After a read it can append.
                    let mut again = open(&sessions, "s", "main").await.session;
                    read_texts(&mut *again).await;
                    Batch(None, &["on"]).apply(&mut *again).await.unwrap();
                    assert_eq!(texts(&sessions, "s", "main").await, Batch(None, &["on"]).after(&before), "{case}");
                }
            }
        }
    }
}
