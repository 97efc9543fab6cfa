//! Agents with rewound conversations: concurrent, sequential, failed and dropped rewinds.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use crate::support::stepping::Stepping;
use crate::support::texts;
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait};
use strands_session::bytes::Bytes;
use strands_session::{Document, DocumentStore, SessionStore, StoreError, StoreSessionManager, WriteOutcome};
use tokio::sync::Notify;

#[derive(Clone)]
struct Fails {
    inner: Stepping,
    deletes: Arc<AtomicBool>,
}
#[async_trait]
impl DocumentStore for Fails {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
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
        if self.deletes.load(Ordering::SeqCst) {
            return Err(StoreError::new("503"));
        }
        self.inner.delete(k).await
    }
}
async fn agent(s: &SessionStore) -> Agent {
    Agent::builder()
        .agent_id("main")
        .model(ScriptedModel::from_fn(|_| ScriptedTurn::text("a")))
        .session_manager(StoreSessionManager::new("s", s.clone()).unwrap())
        .build()
        .await
        .unwrap()
}
fn message_texts(a: &Agent) -> Vec<String> {
    a.messages().iter().map(|m| m.text()).collect()
}

struct Waits {
    spec: ToolSpec,
    started: Arc<Notify>,
    go: Arc<Notify>,
}
#[async_trait]
impl Tool for Waits {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }
    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        self.started.notify_one();
        self.go.notified().await;
        Ok(ToolOutput::text("done"))
    }
}

/// One agent rewinds while the other's tool runs; the other must not store a result without its call.
#[tokio::test]
async fn reports_a_conflict_after_a_rewind_during_another_agents_tool() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let manager = || StoreSessionManager::new("s", sessions.clone()).unwrap();
    let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let tool = Waits {
        spec: ToolSpec::new("slow", "Does it.", json!({"type": "object"})),
        started: Arc::clone(&started),
        go: Arc::clone(&go),
    };
    let turns = AtomicUsize::new(0);
    let model = ScriptedModel::from_fn(move |_| match turns.fetch_add(1, Ordering::SeqCst) {
        0 => ScriptedTurn::text("a1"),
        1 => ScriptedTurn::tool_use("slow", json!({})),
        _ => ScriptedTurn::text("a2"),
    });
    let mut c =
        Agent::builder().agent_id("main").model(model).tools([tool]).session_manager(manager()).build().await.unwrap();
    c.prompt("q1").await.unwrap();
    let task = tokio::spawn(async move { c.prompt("q2").await });
    started.notified().await;
    let mut a = Agent::builder()
        .agent_id("main")
        .model(ScriptedModel::responding("x"))
        .session_manager(manager())
        .build()
        .await
        .unwrap();
    let at = a.messages().iter().position(|m| m.text() == "q2").unwrap();
    let dropped = a.rewind(at).await;
    dropped.unwrap();
    go.notify_one();
    let prompted = task.await.unwrap();
    let read = texts(&sessions, "s", "main").await;
    assert!(prompted.is_err(), "C and A both got Ok; {read:?}");
}

/// A prompt of several messages is rewound in its middle.
#[tokio::test]
async fn rewinds_into_the_middle_of_a_prompt() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let mut a = Agent::builder()
        .agent_id("main")
        .model(ScriptedModel::responding("x"))
        .session_manager(StoreSessionManager::new("s", sessions.clone()).unwrap())
        .build()
        .await
        .unwrap();
    a.prompt(vec![Message::user("one"), Message::assistant("two"), Message::user("my secret")]).await.unwrap();
    a.rewind(2).await.unwrap();
    assert_eq!(texts(&sessions, "s", "main").await, ["one", "two"]);
    for key in store.keys() {
        let c = String::from_utf8_lossy(&store.content(&key).unwrap()).into_owned();
        assert!(!c.contains("my secret"), "{key} {c}");
    }
}

/// After a failed rewind the conversation is unchanged.
#[tokio::test]
async fn prompts_after_a_failed_rewind() {
    let store = Stepping::new(None, true);
    let fails = Fails { inner: store.clone(), deletes: Arc::default() };
    let sessions = SessionStore::new(fails.clone());
    let mut a = agent(&sessions).await;
    for q in ["q1", "q2", "q3"] {
        a.prompt(q).await.unwrap();
    }
    fails.deletes.store(true, Ordering::SeqCst);
    a.rewind(2).await.unwrap();
    fails.deletes.store(false, Ordering::SeqCst);
    let prompted = a.prompt("q4").await;
    let other = agent(&sessions).await;
    assert!(
        prompted.is_err() || message_texts(&other) == message_texts(&a),
        "in memory {:?}; in the store {:?}",
        message_texts(&a),
        message_texts(&other)
    );
}

#[tokio::test]
async fn prompts_after_a_dropped_rewind() {
    let mut bad = vec![];
    for polls in 1..200 {
        let store = Stepping::new(None, true);
        let sessions = SessionStore::new(store.clone());
        let mut a = agent(&sessions).await;
        for q in ["q1", "q2", "q3"] {
            a.prompt(q).await.unwrap();
        }
        let ended = {
            let mut f = pin!(a.rewind(2));
            let mut cx = Context::from_waker(Waker::noop());
            (0..polls).any(|_| f.as_mut().poll(&mut cx).is_ready())
        };
        if ended {
            break;
        }
        let prompted = a.prompt("q4").await;
        let other = agent(&sessions).await;
        if prompted.is_ok() && message_texts(&other) != message_texts(&a) {
            bad.push((polls, message_texts(&a), message_texts(&other)));
        }
    }
    assert!(bad.is_empty(), "{} of them, as {:?}", bad.len(), bad[0]);
}

/// Sequentially: A rewinds, B rewinds further, A prompts.
#[tokio::test]
async fn rewinds_from_two_agents_sequentially() {
    let store = Stepping::new(None, true);
    let sessions = SessionStore::new(store.clone());
    let mut a = agent(&sessions).await;
    for q in ["q1", "q2", "q3"] {
        a.prompt(q).await.unwrap();
    }
    a.rewind(4).await.unwrap();
    let mut b = agent(&sessions).await;
    b.rewind(2).await.unwrap();
    let prompted = a.prompt("about q2").await;
    let other = agent(&sessions).await;
    assert!(prompted.is_err(), "A knows {:?}, and the session has {:?}", message_texts(&a), message_texts(&other));
}

/// A prompt is dropped at any point, then the conversation is rewound and prompted again.
#[tokio::test]
async fn rewinds_after_a_dropped_prompt() {
    let mut bad = vec![];
    for late in [None, Some(0), Some(1), Some(3), Some(1000)] {
        for polls in 1..200 {
            let store = Stepping::new(late, true);
            let sessions = SessionStore::new(store.clone());
            let build = || {
                let s = sessions.clone();
                async move {
                    Agent::builder()
                        .agent_id("main")
                        .model(ScriptedModel::from_fn(|_| ScriptedTurn::text("a")))
                        .session_manager(StoreSessionManager::new("s", s).unwrap())
                        .build()
                        .await
                        .unwrap()
                }
            };
            let mut a = build().await;
            for q in ["q1", "q2"] {
                a.prompt(q).await.unwrap();
            }
            let ended = {
                let mut f = pin!(async { a.prompt("q3").await });
                let mut cx = Context::from_waker(Waker::noop());
                (0..polls).any(|_| f.as_mut().poll(&mut cx).is_ready())
            };
            let rewound = a.rewind(2).await;
            store.settle();
            let other = build().await;
            if rewound.is_ok() && message_texts(&other) != message_texts(&a) {
                bad.push((late, polls, message_texts(&a), message_texts(&other)));
            }
            drop(other);
            let prompted = a.prompt("q4").await;
            let other = build().await;
            if prompted.is_ok() && message_texts(&other) != message_texts(&a) {
                bad.push((late, polls, message_texts(&a), message_texts(&other)));
            }
            if prompted.is_err() {
                bad.push((late, polls, vec![format!("{prompted:?}")], vec![]));
            }
            if ended {
                break;
            }
        }
    }
    assert!(bad.is_empty(), "{} {:?}", bad.len(), bad[0]);
}
