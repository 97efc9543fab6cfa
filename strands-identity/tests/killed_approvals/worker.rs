//! The worker process: it prompts an agent, approves and denies its calls, and is killed at any instant or at a write.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use strands::conversation::NullConversationManager;
use strands::identity::{ApprovalHook, ApprovalRequest, Approver, Audit, Identity, JsonLinesAudit};
use strands::serde_json::{Value, json};
use strands::session::bytes::Bytes;
use strands::session::{
    CreatedBatch, Document, DocumentStore, FileStore, NewDocument, SessionStore, SnapshotSessionManager, StoreError,
    StoreSessionManager, WriteOutcome,
};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, Prompt, StreamExt as _, Tool, ToolAnnotations, ToolContext, ToolError, ToolOutput, ToolSpec,
    async_trait,
};

/// A write at which the process kills itself.
#[derive(Clone, Copy)]
pub(crate) struct Death {
    pub(crate) write: usize,
    /// True if the write is done.
    pub(crate) after: bool,
}

/// A folder whose process is killed at a write.
struct Deadly {
    store: FileStore,
    death: Option<Death>,
    writes: AtomicUsize,
}

impl Deadly {
    async fn write<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let death = self.death.filter(|death| death.write == number);
        if death.is_some_and(|death| !death.after) {
            kill().await;
        }
        let written = write.await;
        if death.is_some() {
            kill().await;
        }
        written
    }
}

/// Kills this process, and never returns.
async fn kill() {
    std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
    std::future::pending::<()>().await;
}

#[async_trait]
impl DocumentStore for Deadly {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        self.store.get(key).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.write(self.store.create(key, content)).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        self.write(self.store.update(key, content, known)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.write(self.store.delete(key)).await
    }

    fn may_lose_responses(&self) -> bool {
        self.store.may_lose_responses()
    }

    async fn create_batch(&self, batch: Vec<NewDocument>, read: &str) -> Result<CreatedBatch, StoreError> {
        self.write(self.store.create_batch(batch, read)).await
    }
}

/// A tool that writes each run to the ledger.
struct Records {
    spec: ToolSpec,
    ledger: PathBuf,
}

#[async_trait]
impl Tool for Records {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let mut ledger = OpenOptions::new().append(true).create(true).open(&self.ledger).unwrap();
        ledger.write_all(format!("{} {}\n", ctx.tool_name(), ctx.tool_use_id()).as_bytes()).unwrap();
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..2_000))).await;
        Ok(ToolOutput::text("done"))
    }
}

/// A model that calls tools in most of its turns.
fn model() -> ScriptedModel {
    ScriptedModel::from_fn(|_| match fastrand::u8(0..10) {
        0..4 => ScriptedTurn::tool_use("pay", json!({"amount": 7})),
        4 => ScriptedTurn::tool_uses([("pay", json!({})), ("touch", json!({})), ("look", json!({}))]),
        5 => ScriptedTurn::tool_use("touch", json!({})),
        _ => ScriptedTurn::text("so be it"),
    })
}

/// A session of one layout in a folder.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) session: String,
    pub(crate) as_snapshots: bool,
}

impl Place {
    pub(crate) fn store(&self, death: Option<Death>) -> SessionStore {
        let store = FileStore::new(&self.folder);
        SessionStore::new(Arc::new(Deadly { store, death, writes: AtomicUsize::new(0) }))
    }

    /// Returns the folder of the audits. A file has one writer, so that each agent has its own.
    pub(crate) fn audits(&self) -> PathBuf {
        self.folder.with_extension("audits")
    }

    /// Builds Alice's agent.
    pub(crate) async fn agent(&self, store: SessionStore, ledger: &Path) -> Agent {
        let tool = |name: &str, idempotent| Records {
            spec: ToolSpec::new(name, "Does it.", json!({"type": "object"}))
                .with_annotations(ToolAnnotations::new().with_idempotent(idempotent)),
            ledger: ledger.to_owned(),
        };
        let tools = [tool("pay", false), tool("touch", true), tool("look", false)];
        std::fs::create_dir_all(self.audits()).unwrap();
        let file = self.audits().join(format!("{}.jsonl", fastrand::u64(..)));
        let audit = Audit::new(JsonLinesAudit::open(file).unwrap());
        let approval =
            ApprovalHook::builder().tools(["pay", "touch"]).by_role("manager").by_another().audit(audit).build();
        let builder = Agent::builder().model(model()).agent_id("main").tools(tools).hook(approval);
        let builder = builder.conversation_manager(NullConversationManager::new());
        self.with_session(builder, store).build().await.unwrap()
    }

    fn with_session(&self, builder: AgentBuilder, store: SessionStore) -> AgentBuilder {
        if self.as_snapshots {
            builder.session_manager(SnapshotSessionManager::new(&self.session, store).unwrap())
        } else {
            builder.session_manager(StoreSessionManager::new(&self.session, store).unwrap())
        }
    }

    /// Returns the requests of the session that the manager may approve, as its own process finds them.
    pub(crate) async fn requests(&self, store: &SessionStore) -> Vec<ApprovalRequest> {
        let mut open = std::pin::pin!(store.open_interrupts());
        let mut requests = Vec::new();
        while let Some(agent) = open.next().await {
            let agent = agent.unwrap();
            let of = |call| ApprovalRequest::from_stored(&agent.session_id, &agent.agent_id, call);
            requests.extend(agent.calls.iter().flat_map(of).filter(|request| request.may_be_approved_by(&manager())));
        }
        requests.retain(|request| request.session_id.as_deref() == Some(&*self.session));
        requests
    }
}

pub(crate) fn manager() -> Identity {
    Identity::new("bob").with_role("manager")
}

pub(crate) fn alice() -> Identity {
    Identity::new("alice").with_role("traveler")
}

/// Reports a line to the test. A kill may truncate a line, so its end is marked.
fn report(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "report {line} .").and_then(|()| out.flush()).unwrap();
}

/// Prompts, approves and denies until the worker is killed.
pub(crate) async fn work(place: &Place, ledger: &Path, death: Option<Death>) {
    let store = place.store(death);
    let mut agent = place.agent(store.clone(), ledger).await;
    loop {
        let requests = place.requests(&store).await;
        assert_eq!(requests.len(), agent.interrupts().len());
        if requests.is_empty() {
            agent.prompt(format!("prompt {}", fastrand::u32(..))).inject(alice()).await.unwrap();
        } else {
            let some = fastrand::usize(1..=requests.len());
            let mut responses = Vec::new();
            for request in &requests[..some] {
                let approves = fastrand::u8(0..5) > 0;
                report(&format!("{} {}", if approves { "approving" } else { "denying" }, request.tool_use_id));
                responses.push(if approves { request.approve() } else { request.deny() });
            }
            let resumed = agent.prompt(Prompt::none()).resume(responses);
            resumed.inject(alice()).inject(Approver::new(manager())).await.unwrap();
        }
        report("stored");
    }
}
