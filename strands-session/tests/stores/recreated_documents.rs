//! Documents that are deleted and created again: a worker that knows the deleted one does not overwrite the new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::{batch, open, texts};
use serde_json::json;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch};
use strands_session::bytes::Bytes;
use strands_session::contract::check_document_store;
use strands_session::{Document, DocumentStore, FileStore, SessionStore, StoreError, Version, WriteOutcome};

/// A store whose revisions are counted for the whole store, or for each row from 1.
#[derive(Clone)]
struct Counting(Arc<Mutex<(BTreeMap<String, Document>, u64)>>, PerRow);

#[derive(Clone, Copy)]
struct PerRow(bool);

impl Counting {
    fn new(per_row: PerRow) -> Self {
        Self(Arc::default(), per_row)
    }

    fn put(&self, key: &str, content: Bytes, known: Option<&Version>) -> WriteOutcome {
        let (documents, count) = &mut *self.0.lock().unwrap();
        if documents.get(key).map(|document| &document.version) != known {
            return WriteOutcome::Conflict;
        }
        *count += 1;
        let known: u64 = known.map_or(0, |known| known.as_str().parse().unwrap());
        let version = Version::new(if self.1.0 { known + 1 } else { *count }.to_string());
        documents.insert(key.to_owned(), Document::new(content, version.clone()));
        WriteOutcome::Done(version)
    }
}

#[async_trait::async_trait]
impl DocumentStore for Counting {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.0.lock().unwrap().0.get(key).cloned())
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        Ok(self.put(key, content, None))
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        Ok(self.put(key, content, Some(&known.version)))
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let inside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(self.0.lock().unwrap().0.keys().filter(|key| key.starts_with(&inside)).cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap().0.remove(key);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detects_reused_revisions() {
    check_document_store(Counting::new(PerRow(false))).await.unwrap();
    let violation = check_document_store(Counting::new(PerRow(true))).await.unwrap_err();
    assert!(violation.promise.contains("a version is never reused"), "{violation}");
}

/// A store that violates its contract for keys without a `/`, because it needs a folder before it.
struct FoldersOnly(Counting);

#[async_trait::async_trait]
impl DocumentStore for FoldersOnly {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        self.0.get(key).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.0.create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        if key.contains('/') { self.0.update(key, content, known).await } else { Err(StoreError::new("no folder")) }
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.0.list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detects_stores_whose_keys_need_a_folder() {
    let violation = check_document_store(FoldersOnly(Counting::new(PerRow(false)))).await.unwrap_err();
    assert!(violation.promise.contains("one segment"), "{violation}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_a_conflict_to_a_worker_of_a_deleted_session() {
    let folder = tempfile::tempdir().unwrap();
    for sessions in [SessionStore::new(Counting::new(PerRow(false))), SessionStore::new(FileStore::new(folder.path()))]
    {
        let mut stale = open(&sessions, "s", "main").await.session;
        stale.write(&batch(&["the same"])).await.unwrap();
        sessions.delete("s").await.unwrap();
        let mut new = open(&sessions, "s", "main").await.session;
        new.write(&batch(&["the same"])).await.unwrap();
        let mut record = AgentRecord::new("main");
        record.state.insert("k".to_owned(), json!("stale"));
        stale.write(&MessageBatch::replace(Message::user("stale"))).await.unwrap_err();
        stale.save(&record).await.unwrap_err();
        assert_eq!(texts(&sessions, "s", "main").await, ["the same"]);
    }
}
