//! A session store that can't be reached: requests can be sent again, and nothing of the store is shown.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::json;
use strands_core::AgentBuilder;
use strands_identity::Identity;
use strands_serve::{AgentService, AgentTemplate, ServiceLimits};
use strands_session::bytes::Bytes;
use strands_session::object_store::memory::InMemory;
use strands_session::{Document, DocumentStore, ObjectDocumentStore, SessionStore, StoreError, WriteOutcome};

use crate::support::{Gate, Outgoing, Reply, Rig, agent, get, post, request, sse};

const ALICE: &str = "session_for_user_alice";

/// A store in memory whose reads and writes can be made to fail.
#[derive(Clone)]
struct Failing {
    inner: Arc<ObjectDocumentStore>,
    reads: Arc<AtomicBool>,
    writes: Arc<AtomicBool>,
}

impl Failing {
    fn new() -> Self {
        let inner = Arc::new(ObjectDocumentStore::new(Arc::new(InMemory::new()), "").unwrap());
        Self { inner, reads: Arc::default(), writes: Arc::default() }
    }

    fn rig(&self) -> Rig {
        let gate = Gate::new();
        Rig::new(agent(&gate), SessionStore::new(self.clone()), ServiceLimits::new(), gate)
    }

    fn cut_off(&self, is_away: bool) {
        self.reads.store(is_away, Ordering::SeqCst);
        self.writes.store(is_away, Ordering::SeqCst);
    }

    fn check(flag: &AtomicBool) -> Result<(), StoreError> {
        if flag.load(Ordering::SeqCst) { Err(StoreError::new("internals of the store")) } else { Ok(()) }
    }
}

#[async_trait]
impl DocumentStore for Failing {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        Self::check(&self.reads)?;
        self.inner.get(key).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        Self::check(&self.writes)?;
        self.inner.create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        Self::check(&self.writes)?;
        self.inner.update(key, content, known).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        Self::check(&self.reads)?;
        self.inner.list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Self::check(&self.writes)?;
        self.inner.delete(key).await
    }
}

/// A template that reads the settings of the user.
struct ReadsFirst {
    agent: AgentBuilder,
    store: SessionStore,
}

#[async_trait]
impl AgentTemplate for ReadsFirst {
    async fn agent(&self, _: &Identity) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>> {
        self.store.stored_agent("settings", "main").await?;
        Ok(self.agent.clone())
    }
}

#[track_caller]
fn assert_unavailable(reply: &Reply, what: &str) {
    assert_eq!(reply.problem(), (503, "unavailable".to_owned()), "{what}");
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{what}: {reply:?}");
}

#[tokio::test]
async fn every_request_can_be_sent_again_later() {
    let store = Failing::new();
    let rig = store.rig();
    let first = rig.prompt("alice", "call ask").await.ok();
    let message = rig.send(get(format!("/sessions/{ALICE}")).user("alice")).await.ok()["messages"][0].clone();
    let (run, interrupt) = (first["run_id"].as_str().unwrap(), first["interrupts"][0]["id"].clone());
    let answers = json!({"answers": [{"interrupt_id": interrupt, "response": true}]});
    let session = format!("/sessions/{ALICE}");
    let requests: Vec<Outgoing> = vec![
        get("/sessions"),
        get("/approvals"),
        get(&*session),
        request("PATCH", &*session).json(json!({"title": "Oslo"})),
        request("DELETE", &*session),
        post(format!("{session}/rewind"), json!({"message_id": message["tracking_id"]})),
        post("/prompt", json!({"prompt": "hello"})),
        post("/prompt", json!({"prompt": "hello", "new_session": true})),
        post("/prompt/stream", json!({"prompt": "hello"})),
        post(format!("/runs/{run}/answers"), answers.clone()),
        get("/runs/another/events"),
    ];
    let restarted = store.rig();
    store.cut_off(true);
    for request in &requests {
        let what = format!("{request:?}");
        assert_unavailable(&rig.send(request.clone().user("alice")).await, &what);
        assert_unavailable(&restarted.send(request.clone().user("alice")).await, &what);
    }
    store.cut_off(false);
    let resumed = restarted.send(post(format!("/runs/{run}/answers"), answers).user("alice")).await.ok();
    assert_eq!(resumed["text"], "asked: true");
}

#[tokio::test]
async fn a_run_whose_messages_cannot_be_stored_ends_as_unavailable() {
    let store = Failing::new();
    let rig = store.rig();
    for (path, user) in [("/prompt", "alice"), ("/prompt/stream", "bob")] {
        store.cut_off(false);
        let reply = rig.clone();
        let prompt = post(path, json!({"prompt": "call wait"})).user(user);
        let reply = tokio::spawn(async move { reply.send(prompt).await });
        rig.gate.arrived().await;
        store.writes.store(true, Ordering::SeqCst);
        rig.gate.open();
        let reply = reply.await.unwrap();
        if path == "/prompt" {
            assert_unavailable(&reply, path);
        } else {
            let error = sse(reply.text()).pop().unwrap();
            assert_eq!((&*error.event, &error.data["status"]), ("failure", &json!(503)), "{error:?}");
            assert!(!reply.text().contains("internals"), "{reply:?}");
        }
    }
    // The next prompt continues with what was stored: the call, without its result.
    store.cut_off(false);
    assert_eq!(rig.prompt("alice", "hello").await.ok()["text"], "Tool was interrupted.");
}

#[tokio::test]
async fn an_agent_whose_template_reads_the_store_is_unavailable() {
    let store = Failing::new();
    let sessions = SessionStore::new(store.clone());
    let gate = Gate::new();
    let template = ReadsFirst { agent: agent(&gate), store: sessions.clone() };
    let rig = Rig::of(AgentService::builder(template, sessions).build(), gate);
    assert_eq!(rig.prompt("alice", "hello").await.ok()["text"], "hello");
    store.cut_off(true);
    assert_unavailable(&rig.prompt("alice", "hello").await, "template");
}
