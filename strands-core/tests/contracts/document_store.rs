//! A session manager with a different design: one document for each agent, replaced by compare and swap in a task that
//! continues after the caller's future is dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strands_core::async_trait;
use strands_core::message::Message;
use strands_core::session::{
    AgentRecord, MessageBatch, MessageRange, OpenedSession, Session, SessionError, SessionManager,
};
use strands_core::testing::contract::{Promise, check_session_manager};
use tokio::task::JoinHandle;

/// A store with conditional writes: documents by key, each with a version.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<HashMap<String, (u64, String)>>>);

impl Store {
    fn get(&self, key: &str) -> (u64, Document) {
        let documents = self.0.lock().unwrap();
        documents.get(key).map_or_else(Default::default, |(version, json)| (*version, Document::from_json(json)))
    }

    /// Returns the new version, or `None` if the document has a different version than the given one.
    async fn swap(self, key: String, version: u64, document: Document) -> Option<u64> {
        tokio::task::yield_now().await;
        let swapped = {
            let mut documents = self.0.lock().unwrap();
            let (stored, json) = documents.entry(key).or_default();
            (*stored == version).then(|| {
                (*stored, *json) = (version + 1, document.to_json());
                version + 1
            })
        };
        tokio::task::yield_now().await;
        swapped
    }
}

#[derive(Clone, Default)]
struct Document {
    record: Option<AgentRecord>,
    messages: Vec<Arc<Message>>,
}

impl Document {
    fn from_json(json: &str) -> Self {
        let mut document: Value = serde_json::from_str(json).unwrap();
        let mut take = |name: &str| document[name].take();
        Self {
            record: serde_json::from_value(take("record")).unwrap(),
            messages: serde_json::from_value(take("messages")).unwrap(),
        }
    }

    fn to_json(&self) -> String {
        json!({"record": self.record, "messages": self.messages}).to_string()
    }
}

struct Documents {
    id: String,
    store: Store,
    /// False to simulate the flaw of forgetting a write whose future was dropped.
    settles: bool,
}

impl Documents {
    fn new(id: &str, store: &Store) -> Self {
        Self { id: id.to_owned(), store: store.clone(), settles: true }
    }
}

#[async_trait]
impl SessionManager for Documents {
    fn session_id(&self) -> &str {
        &self.id
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        let key = format!("{}/{agent_id}", self.id);
        let (version, document) = self.store.get(&key);
        let record = document.record.clone();
        let session =
            DocumentSession { store: self.store.clone(), key, version, document, running: None, settles: self.settles };
        Ok(OpenedSession::new(Box::new(session), record))
    }
}

struct DocumentSession {
    store: Store,
    key: String,
    version: u64,
    /// The document in this worker's view.
    document: Document,
    /// A write that has not returned.
    running: Option<JoinHandle<Option<u64>>>,
    settles: bool,
}

impl DocumentSession {
    /// Waits for a write whose future was dropped, before a later call replaces it.
    async fn settle(&mut self) {
        if let Some(running) = self.running.as_mut().filter(|_| self.settles) {
            let version = running.await.unwrap();
            self.version = version.unwrap_or(self.version);
            self.running = None;
        }
    }

    async fn replace(&mut self, document: Document) -> Result<(), SessionError> {
        self.settle().await;
        let write = self.store.clone().swap(self.key.clone(), self.version, document.clone());
        let running = self.running.insert(tokio::spawn(write));
        let version = running.await.unwrap();
        self.running = None;
        self.version = version.ok_or_else(|| SessionError::Conflict {
            session_id: self.key.clone(),
            what: "the document".to_owned(),
            expected: self.version.to_string(),
            found: "another version".to_owned(),
        })?;
        self.document = document;
        Ok(())
    }
}

#[async_trait]
impl Session for DocumentSession {
    async fn read(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        self.settle().await;
        (self.version, self.document) = self.store.get(&self.key);
        let wanted = |at: u64| at >= range.from || range.earlier.contains(&at);
        let messages = (0..).zip(&self.document.messages).filter(|(at, _)| wanted(*at));
        Ok(messages.map(|(_, message)| Arc::clone(message)).collect())
    }

    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError> {
        let mut document = self.document.clone();
        if let Some(replaced) = &batch.replaced {
            document.messages.pop();
            document.messages.push(Arc::clone(replaced));
        }
        document.messages.extend(batch.appended.iter().cloned());
        self.replace(document).await
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        if self.running.is_none() && self.document.record.as_ref() == Some(record) {
            return Ok(());
        }
        self.replace(Document { record: Some(record.clone()), ..self.document.clone() }).await
    }

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        let mut document = Document { record: Some(record.clone()), ..self.document.clone() };
        document.messages.truncate(keep.try_into().unwrap());
        self.replace(document).await
    }
}

#[tokio::test]
async fn accepts_writes_that_continue_after_a_drop() {
    let store = Store::default();
    check_session_manager(async |id: &str| Documents::new(id, &store)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepts_writes_on_other_threads() {
    let store = Store::default();
    check_session_manager(async |id: &str| Documents::new(id, &store)).await.unwrap();
}

#[tokio::test]
async fn detects_forgotten_writes_that_continue_after_a_drop() {
    let store = Store::default();
    let make = async |id: &str| Documents { settles: false, ..Documents::new(id, &store) };
    assert_eq!(check_session_manager(make).await.unwrap_err().promise, Promise::SessionDroppedWrite);
}
