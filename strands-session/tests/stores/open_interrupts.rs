//! Listing of the interrupts that wait for responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt as _;
use serde_json::json;
use strands_core::session::{SessionError, SessionManager};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, Prompt, Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec, async_trait};
use strands_session::bytes::Bytes;
use strands_session::object_store::memory::InMemory;
use strands_session::{
    Document, DocumentStore, ObjectDocumentStore, OpenInterrupts, SessionStore, SnapshotSessionManager, StoreError,
    StoreSessionManager, WriteOutcome,
};

use strands_testkit::recording::shared_path;

use crate::support::backends;

/// A tool that needs an approval.
struct Pay(ToolSpec);

#[async_trait]
impl Tool for Pay {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn policy(&self) -> ToolPolicy {
        ToolPolicy::new().with_approval(true)
    }

    async fn call(&self, _: &ToolContext, _: serde_json::Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("paid"))
    }
}

/// Builds an agent that pays twice at once.
async fn agent(sessions: impl SessionManager + 'static, agent_id: &str) -> Agent {
    let calls = [("pay", json!({"n": 1})), ("pay", json!({"n": 2}))];
    let model = ScriptedModel::new([ScriptedTurn::tool_uses(calls), ScriptedTurn::text("paid")]);
    let pay = Pay(ToolSpec::new("pay", "Pays.", json!({"type": "object"})));
    let builder = Agent::builder().model(model).tool(pay).agent_id(agent_id);
    builder.session_manager(sessions).build().await.unwrap()
}

async fn open(store: &SessionStore) -> Vec<OpenInterrupts> {
    store.open_interrupts().try_collect().await.unwrap()
}

/// Returns the sessions, agents and arguments with an open interrupt.
fn names(open: &[OpenInterrupts]) -> Vec<String> {
    let of = |agent: &OpenInterrupts| {
        let inputs: Vec<String> = agent.calls.iter().map(|call| call.tool_use.input["n"].to_string()).collect();
        format!("{}/{} {}", agent.session_id, agent.agent_id, inputs.join(","))
    };
    open.iter().map(of).collect()
}

#[tokio::test]
async fn lists_the_open_interrupts_of_all_sessions() {
    for backend in backends().await {
        let store = &backend.store;
        assert!(open(store).await.is_empty(), "{}", backend.name);
        let session = |id: &str| StoreSessionManager::new(id, store.clone()).unwrap();
        let mut one = agent(session("s-1"), "main").await;
        one.prompt("go").await.unwrap();
        agent(session("s-1"), "other").await.prompt("go").await.unwrap();
        agent(session("s-2"), "main").await;
        agent(SnapshotSessionManager::new("a-3", store.clone()).unwrap(), "main").await.prompt("go").await.unwrap();
        let listed = open(store).await;
        assert_eq!(names(&listed), ["s-1/main 1,2", "s-1/other 1,2", "a-3/main 1,2"], "{}", backend.name);
        let wanted: Vec<OpenInterrupts> = store.open_interrupts_in(|id| id != "s-1").try_collect().await.unwrap();
        assert_eq!(wanted, listed[2..], "{}", backend.name);
        assert_eq!(
            listed[0].calls.iter().flat_map(|call| call.interrupts.clone()).collect::<Vec<_>>(),
            one.interrupts()
        );
        assert_eq!(*listed[0].calls[0].tool_use, *one.messages()[1].tool_uses().next().unwrap());

        let first = one.interrupts()[0].respond(true);
        one.prompt(Prompt::none()).resume([first]).await.unwrap();
        assert_eq!(names(&open(store).await)[0], "s-1/main 2", "{}", backend.name);
        let second = one.interrupts()[0].respond(false);
        one.prompt(Prompt::none()).resume([second]).await.unwrap();
        assert_eq!(names(&open(store).await), ["s-1/other 1,2", "a-3/main 1,2"], "{}", backend.name);
        agent(session("s-1"), "other").await.discard_interrupts().await.unwrap();
        assert_eq!(names(&open(store).await), ["a-3/main 1,2"], "{}", backend.name);
    }
}

#[tokio::test]
async fn a_corrupt_record_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    for id in ["a", "b", "c", "d"] {
        agent(StoreSessionManager::new(id, store.clone()).unwrap(), "main").await.prompt("go").await.unwrap();
    }
    let record = |id: &str| folder.path().join(format!("session_{id}/agents/agent_main/agent.json"));
    std::fs::write(record("b"), "{").unwrap();
    let text = std::fs::read_to_string(record("c")).unwrap();
    std::fs::write(record("c"), text.replace("\"version\": 1,", "\"version\": 99,")).unwrap();
    std::fs::create_dir_all(folder.path().join("session_d/agents/agent_..")).unwrap_or_default();
    std::fs::create_dir_all(folder.path().join("session_e/agents/agent_main")).unwrap();
    let listed: Vec<Result<OpenInterrupts, SessionError>> =
        futures_util::StreamExt::collect(store.open_interrupts()).await;
    let listed: Vec<String> = listed
        .iter()
        .map(|item| match item {
            Ok(agent) => agent.session_id.clone(),
            Err(SessionError::Corrupt { key, .. }) => format!("corrupt {}", key.contains("session_")),
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(listed, ["a", "corrupt true", "corrupt true", "d"]);
}

#[tokio::test]
async fn lists_an_interrupt_that_strands_wrote() {
    let Some(folder) = shared_path("sessions/09_interrupt_hitl") else { return };
    let listed = open(&SessionStore::files(folder)).await;
    assert_eq!((listed.len(), listed[0].session_id.as_str()), (1, "09_interrupt_hitl"));
    let call = &listed[0].calls[0];
    assert_eq!((call.tool_use.name.as_str(), &call.interrupts[0].reason), ("approve", &json!({"what": "rm -rf"})));
}

/// A store that counts its requests.
#[derive(Clone)]
struct Counting {
    store: Arc<ObjectDocumentStore>,
    reads: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

#[async_trait]
impl DocumentStore for Counting {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        self.most.fetch_max(self.reads.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let found = self.store.get(key).await;
        self.reads.fetch_sub(1, Ordering::SeqCst);
        found
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.update(key, content, known).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.delete(key).await
    }
}

#[tokio::test]
async fn reads_at_most_15_records_at_once_and_writes_nothing() {
    let store = Arc::new(ObjectDocumentStore::new(Arc::new(InMemory::new()), "").unwrap());
    let count = Arc::<AtomicUsize>::default;
    let counting = Counting { store, reads: count(), most: count(), writes: count() };
    let store = SessionStore::new(counting.clone());
    for number in 0..60 {
        let session = StoreSessionManager::new(format!("s-{number:02}"), store.clone()).unwrap();
        agent(session, "main").await.prompt("go").await.unwrap();
    }
    let writes = counting.writes.load(Ordering::SeqCst);
    counting.most.store(0, Ordering::SeqCst);
    let listed = open(&store).await;
    let ids: Vec<&str> = listed.iter().map(|agent| agent.session_id.as_str()).collect();
    assert!(ids.len() == 60 && ids.is_sorted(), "{ids:?}");
    assert_eq!(counting.most.load(Ordering::SeqCst), 15);
    assert_eq!(counting.writes.load(Ordering::SeqCst), writes);
}

#[tokio::test]
async fn a_call_with_a_response_that_did_not_run_is_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    let mut paying = agent(StoreSessionManager::new("s", store.clone()).unwrap(), "main").await;
    paying.prompt("go").await.unwrap();
    let record = folder.path().join("session_s/agents/agent_main/agent.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let state = &mut json["_internal_state"];
    state.as_object_mut().unwrap().remove("run");
    state["interrupt_state"]["interrupts"][&paying.interrupts()[0].id]["response"] = json!("y");
    std::fs::write(record, serde_json::to_vec(&json).unwrap()).unwrap();
    assert_eq!(names(&open(&store).await), ["s/main 2"]);
}
