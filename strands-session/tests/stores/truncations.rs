//! Truncations concurrent with appends, reads and other truncations: at most one of two workers succeeds, removed messages
//! do not return, and no reader sees a partial truncation.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use crate::support::stepping::Stepping;
use crate::support::writes::record;
use crate::support::{batch, open, read_texts, texts};
use serde_json::{Value, json};
use strands_core::session::{MessageRange, Session};
use strands_session::bytes::Bytes;
use strands_session::{Document, DocumentStore, SessionStore, StoreError, WriteOutcome};

const AGENT: &str = "session_s/agents/agent_main/agent.json";

fn key(number: usize) -> String {
    format!("session_s/agents/agent_main/messages/message_{number}.json")
}

fn calm() -> (Stepping, SessionStore) {
    let store = Stepping::new(None, true);
    (store.clone(), SessionStore::new(store))
}

fn json_at(store: &Stepping, key: &str) -> Value {
    serde_json::from_slice(&store.content(key).unwrap()).unwrap()
}

/// Returns the number of messages that a worker reads, or `None` for a conflict.
async fn read_or_conflict(session: &mut dyn Session) -> Option<usize> {
    match session.read(&MessageRange::default()).await {
        Ok(messages) => Some(messages.len()),
        Err(error) => {
            assert!(error.is_conflict(), "{error}");
            None
        }
    }
}

type Hook = Box<dyn FnOnce() -> futures_util::future::BoxFuture<'static, ()> + Send>;
type TrackedDocument = Arc<Mutex<Option<(String, Hook)>>>;

/// Runs a hook before the first request of a kind for a key.
#[derive(Clone)]
struct Hooked {
    inner: Stepping,
    before_get: TrackedDocument,
    before_update: TrackedDocument,
    before_create: TrackedDocument,
}

impl Hooked {
    fn new(inner: Stepping) -> Self {
        Self { inner, before_get: Arc::default(), before_update: Arc::default(), before_create: Arc::default() }
    }
    async fn run(slot: &Mutex<Option<(String, Hook)>>, key: &str) {
        let hook = {
            let mut s = slot.lock().unwrap();
            if s.as_ref().is_some_and(|(k, _)| k == key) { s.take() } else { None }
        };
        if let Some((_, hook)) = hook {
            hook().await;
        }
    }
}
#[async_trait::async_trait]
impl DocumentStore for Hooked {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        Self::run(&self.before_get, key).await;
        self.inner.get(key).await
    }
    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        Self::run(&self.before_create, key).await;
        self.inner.create(key, content).await
    }
    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        Self::run(&self.before_update, key).await;
        self.inner.update(key, content, known).await
    }
    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.inner.list(folder).await
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }
}

/// Contract of `Session::write`: a conflict if another worker has removed messages since this one last read or wrote.
#[tokio::test]
async fn does_not_append_to_removed_messages() {
    let (_store, sessions) = calm();
    let mut c = open(&sessions, "s", "main").await.session;
    c.write(&batch(&["q1", "a1"])).await.unwrap();
    c.invocation_ended().await.unwrap();
    c.write(&batch(&["q2", "tool call"])).await.unwrap();
    // While C's tool runs, A rewinds to q2, which is acknowledged.
    let mut a = open(&sessions, "s", "main").await;
    read_texts(&mut *a.session).await;
    a.session.truncate(2, &record("rewound")).await.unwrap();
    assert_eq!(texts(&sessions, "s", "main").await, ["q1", "a1"]);
    let written = c.write(&batch(&["tool result", "a2"])).await;
    assert!(written.is_err_and(|e| e.is_conflict()), "{:?}", texts(&sessions, "s", "main").await);
}

/// The truncation comes between the check of the marker and the create, in the first write of an invocation.
#[tokio::test]
async fn reports_a_conflict_for_a_truncation_just_before_an_append() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let hooked = Hooked::new(store.clone());
    let mut c = open(&SessionStore::new(hooked.clone()), "s", "main").await.session;
    c.write(&batch(&["q1", "a1"])).await.unwrap();
    c.write(&batch(&["q2", "a2"])).await.unwrap();
    c.invocation_ended().await.unwrap();
    let s2 = sessions.clone();
    *hooked.before_create.lock().unwrap() = Some((
        key(4),
        Box::new(move || {
            Box::pin(async move {
                let mut a = open(&s2, "s", "main").await;
                read_texts(&mut *a.session).await;
                a.session.truncate(2, &record("rewound")).await.unwrap();
            })
        }),
    ));
    let written = c.write(&batch(&["q3 about a2", "a3"])).await;
    let seen = texts(&sessions, "s", "main").await;
    assert!(written.is_err(), "both acknowledged, {seen:?}");
}

/// As above, but the other worker has also appended: the document at the number is deleted again.
#[tokio::test]
async fn reports_a_conflict_for_a_truncation_of_a_longer_conversation_just_before_an_append() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let hooked = Hooked::new(store.clone());
    let mut c = open(&SessionStore::new(hooked.clone()), "s", "main").await.session;
    c.write(&batch(&["q1", "a1"])).await.unwrap();
    c.invocation_ended().await.unwrap();
    let s2 = sessions.clone();
    *hooked.before_create.lock().unwrap() = Some((
        key(2),
        Box::new(move || {
            Box::pin(async move {
                let mut a = open(&s2, "s", "main").await;
                read_texts(&mut *a.session).await;
                a.session.write(&batch(&["A: q2", "A: a2"])).await.unwrap();
                a.session.truncate(2, &record("rewound")).await.unwrap();
            })
        }),
    ));
    let written = c.write(&batch(&["C: q2", "C: a2"])).await;
    let seen = texts(&sessions, "s", "main").await;
    let mut c2 = open(&sessions, "s", "main").await.session;
    read_texts(&mut *c2).await;
    c2.write(&batch(&["on"])).await.unwrap();
    assert!(written.is_err() || seen == ["q1", "a1", "C: q2", "C: a2"], "{written:?}: {seen:?}");
}

/// A read that is concurrent with a truncation must not mix both conversations.
#[tokio::test]
async fn reads_consistently_during_a_truncation() {
    for at in 0..8 {
        let store = Stepping::new(None, true);
        let sessions = SessionStore::new(store.clone());
        let mut a = open(&sessions, "s", "main").await.session;
        for i in 0..8 {
            a.write(&batch(&[&format!("m{i}")])).await.unwrap();
        }
        let hooked = Hooked::new(store.clone());
        *hooked.before_get.lock().unwrap() = Some((
            key(at),
            Box::new(move || {
                Box::pin(async move {
                    a.truncate(2, &record("rewound")).await.unwrap();
                })
            }),
        ));
        let mut b = open(&SessionStore::new(hooked), "s", "main").await.session;
        let seen = read_or_conflict(&mut *b).await;
        assert!(seen.is_none_or(|seen| seen == 8 || seen == 2), "at {at}: {seen:?}");
    }
}

/// As above, with a truncation while the newest message is read.
#[tokio::test]
async fn reads_consistently_during_a_truncation_of_the_newest_message() {
    // Deletions are newest first. The reader's record is read before the marker is written, its newest message after.
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Slow {
        inner: Stepping,
        gate: Arc<AtomicBool>,
        a: Arc<tokio::sync::Mutex<Option<Box<dyn Session>>>>,
    }
    #[async_trait::async_trait]
    impl DocumentStore for Slow {
        async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
            if key.ends_with("message_7.json") && !self.gate.swap(true, Ordering::SeqCst) {
                // The truncation happens after the record was read.
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                let mut a = self.a.lock().await.take().unwrap();
                let r = record("rewound");
                let mut truncate = pin!(a.truncate(2, &r));
                let mut context = Context::from_waker(Waker::noop());
                let last = "session_s/agents/agent_main/messages/message_6.json";
                while self.inner.content(last).is_some() {
                    let _ = truncate.as_mut().poll(&mut context);
                }
            }
            self.inner.get(key).await
        }
        async fn create(&self, k: &str, c: Bytes) -> Result<WriteOutcome, StoreError> {
            self.inner.create(k, c).await
        }
        async fn update(&self, k: &str, c: Bytes, d: &Document) -> Result<WriteOutcome, StoreError> {
            self.inner.update(k, c, d).await
        }
        async fn list(&self, f: &str) -> Result<Vec<String>, StoreError> {
            self.inner.list(f).await
        }
        async fn delete(&self, k: &str) -> Result<(), StoreError> {
            self.inner.delete(k).await
        }
    }
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let mut a = open(&sessions, "s", "main").await.session;
    for i in 0..8 {
        a.write(&batch(&[&format!("m{i}")])).await.unwrap();
    }
    let slow = Slow { inner: store.clone(), gate: Arc::default(), a: Arc::new(tokio::sync::Mutex::new(Some(a))) };
    let mut b = open(&SessionStore::new(slow), "s", "main").await.session;
    let seen = read_or_conflict(&mut *b).await;
    assert!(seen.is_none_or(|seen| seen == 8 || seen == 2), "{seen:?}");
}

/// A worker stops between its commit and the rest of its batch; others complete, truncate, append and truncate again.
#[tokio::test]
async fn reports_a_conflict_to_a_worker_that_resumes_after_two_truncations() {
    let (store, sessions) = calm();
    let mut c = open(&sessions, "s", "main").await.session;
    c.write(&batch(&["0", "1"])).await.unwrap();
    let b = batch(&["2", "3"]);
    let mut write = pin!(c.write(&b));
    let mut context = Context::from_waker(Waker::noop());
    // Poll until the commit is in the store and the rest is not.
    while store.content(&key(2)).is_none() {
        assert!(write.as_mut().poll(&mut context).is_pending());
    }
    assert!(store.content(&key(3)).is_none());
    let mut a = open(&sessions, "s", "main").await.session;
    assert_eq!(read_texts(&mut *a).await, ["0", "1", "2", "3"]);
    a.truncate(2, &record("1")).await.unwrap();
    a.write(&batch(&["4", "5"])).await.unwrap();
    a.write(&batch(&["6", "7"])).await.unwrap();
    a.truncate(4, &record("2")).await.unwrap();
    let before = texts(&sessions, "s", "main").await;
    assert_eq!(before, ["0", "1", "4", "5"]);
    assert_eq!(texts(&sessions, "s", "main").await, before);
}

/// A truncation in the middle of a batch, then Strands writes the agent's document.
#[tokio::test]
async fn stays_truncated_after_strands_drops_the_marker() {
    let (store, sessions) = calm();
    let mut a = open(&sessions, "s", "main").await.session;
    a.write(&batch(&["0", "1", "2"])).await.unwrap();
    a.truncate(1, &record("rewound")).await.unwrap();
    assert_eq!(texts(&sessions, "s", "main").await, ["0"]);
    let mut agent = json_at(&store, AGENT);
    agent["_internal_state"].as_object_mut().unwrap().remove("truncated_messages");
    store.put(AGENT, serde_json::to_vec(&agent).unwrap());
    assert_eq!(texts(&sessions, "s", "main").await, ["0"]);
}

#[tokio::test]
async fn deletes_all_copies_of_removed_messages() {
    let (store, sessions) = calm();
    let mut a = open(&sessions, "s", "main").await.session;
    a.write(&batch(&["0", "secret", "2"])).await.unwrap();
    a.truncate(1, &record("rewound")).await.unwrap();
    for key in store.keys() {
        assert!(!String::from_utf8_lossy(&store.content(&key).unwrap()).contains("secret"), "{key}");
    }
}

/// A worker repeats a dropped write with a longer batch while another appends to the dropped one.
#[tokio::test]
async fn detects_an_append_to_a_repeated_attempt() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let hooked = Hooked::new(store.clone());
    let mut a = open(&SessionStore::new(hooked.clone()), "s", "main").await.session;
    a.write(&batch(&["0"])).await.unwrap();
    {
        let b = batch(&["q", "a"]);
        let mut write = pin!(a.write(&b));
        let mut context = Context::from_waker(Waker::noop());
        while store.content(&key(2)).is_none() {
            assert!(write.as_mut().poll(&mut context).is_pending());
        }
    }
    // B reads 0, q, a and appends at 3, between A's check and A's update of 1.
    let s2 = sessions.clone();
    *hooked.before_update.lock().unwrap() = Some((
        key(1),
        Box::new(move || {
            Box::pin(async move {
                let mut b = open(&s2, "s", "main").await.session;
                assert_eq!(read_texts(&mut *b).await, ["0", "q", "a"]);
                b.write(&batch(&["from B"])).await.unwrap();
            })
        }),
    ));
    let written = a.write(&batch(&["x", "y", "z", "w"])).await;
    let seen = texts(&sessions, "s", "main").await;
    assert!(
        written.is_err() || (seen.contains(&"z".to_owned()) && seen.contains(&"from B".to_owned())),
        "acknowledged, and lost: {seen:?}"
    );
}

/// Strands appends to an incomplete batch; its writer must not succeed.
#[tokio::test]
async fn reports_a_conflict_when_strands_appends_to_an_incomplete_batch() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let mut c = open(&sessions, "s", "main").await.session;
    c.write(&batch(&["0"])).await.unwrap();
    let b = batch(&["q", "a"]);
    let mut write = pin!(c.write(&b));
    let mut context = Context::from_waker(Waker::noop());
    while store.content(&key(1)).is_none() {
        assert!(write.as_mut().poll(&mut context).is_pending());
    }
    store.put(&key(2), serde_json::to_vec(&json!({"message": {"role":"user","content":[{"text": "from Strands"}]}, "message_id": 2, "redact_message": null, "created_at": "x", "updated_at": "x"})).unwrap());
    let written = write.await;
    let seen = texts(&sessions, "s", "main").await;
    assert!(written.is_err() || seen.contains(&"a".to_owned()), "{written:?}: {seen:?}");
}

/// A dropped append is done after an acknowledged truncation.
#[tokio::test]
async fn ignores_a_late_append_after_a_truncation() {
    let store = Stepping::new(Some(1000), true);
    let sessions = SessionStore::new(store.clone());
    let mut a = open(&sessions, "s", "main").await.session;
    a.write(&batch(&["q1", "a1"])).await.unwrap();
    a.write(&batch(&["q2", "a2"])).await.unwrap();
    crate::support::writes::poll(a.write(&batch(&["tool result", "a3"])), 2);
    a.truncate(2, &record("rewound")).await.unwrap();
    drop(a);
    assert_eq!(texts(&SessionStore::new(store.calm()), "s", "main").await, ["q1", "a1"]);
    store.settle();
    assert_eq!(texts(&SessionStore::new(store.calm()), "s", "main").await, ["q1", "a1"]);
}

/// Three workers: A's truncation gets a conflict because C has appended, while B finds its marker. C's acknowledged
/// messages must stay.
#[tokio::test]
async fn removes_nothing_after_a_conflict() {
    let mut bad = vec![];
    for a_polls in 1..60 {
        let store = Stepping::new(None, true);
        let sessions = SessionStore::new(store.clone());
        let mut c = open(&sessions, "s", "main").await.session;
        c.write(&batch(&["q1", "a1"])).await.unwrap();
        c.write(&batch(&["q2", "a2"])).await.unwrap();
        let mut a = open(&sessions, "s", "main").await.session;
        read_texts(&mut *a).await;
        let r = record("rewound");
        let mut truncate = pin!(a.truncate(2, &r));
        let mut context = Context::from_waker(Waker::noop());
        let mut done = false;
        for _ in 0..a_polls {
            if truncate.as_mut().poll(&mut context).is_ready() {
                done = true;
                break;
            }
        }
        if done {
            break;
        }
        // C continues its invocation.
        let c_written = c.write(&batch(&["q3", "a3"])).await;
        let mut b = open(&sessions, "s", "main").await;
        read_texts(&mut *b.session).await;
        let mut record_b = b.record.unwrap();
        record_b.state.insert("k".into(), json!(1));
        let _ = b.session.save(&record_b).await;
        let a_done = truncate.await;
        let seen = texts(&sessions, "s", "main").await;
        if a_done.is_err() && c_written.is_ok() && seen != ["q1", "a1", "q2", "a2", "q3", "a3"] {
            bad.push(a_polls);
        }
    }
    assert!(bad.is_empty(), "A got a conflict, but C's conversation was truncated: {bad:?}");
}

/// A record is read before a truncation, and its messages after.
#[tokio::test]
async fn reports_a_conflict_for_a_record_from_before_a_truncation() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let mut c = open(&sessions, "s", "main").await.session;
    for i in 0..8 {
        c.write(&batch(&[&format!("m{i}")])).await.unwrap();
    }
    let mut b = open(&sessions, "s", "main").await;

    let mut a = open(&sessions, "s", "main").await;
    read_texts(&mut *a.session).await;
    a.session.truncate(2, &record("rewound")).await.unwrap();
    // B reads messages with the range of the record that it was opened with.
    assert!(b.session.read(&MessageRange::new(4, vec![])).await.is_err_and(|error| error.is_conflict()));
    let written = b.session.write(&batch(&["on"])).await;
    assert!(written.is_err(), "the record is from before, the messages are from after, and the write succeeds");
}
