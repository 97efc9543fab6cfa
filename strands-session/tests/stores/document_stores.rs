//! The contract suite of document stores: the stores of this crate pass it, and broken stores fail it.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use strands_session::bytes::Bytes;
use strands_session::contract::check_document_store;
use strands_session::object_store::memory::InMemory;
use strands_session::{Document, DocumentStore, FileStore, ObjectDocumentStore, StoreError, WriteOutcome};
use strands_testkit::s3::S3Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_store_satisfies_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    check_document_store(FileStore::new(folder.path())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_store_satisfies_the_contract() {
    for prefix in ["", "some/prefix"] {
        check_document_store(ObjectDocumentStore::new(Arc::new(InMemory::new()), prefix).unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_satisfies_the_contract() {
    let server = S3Server::start("bucket").await;
    check_document_store(crate::support::s3_documents(&server.url(), "agent_sessions")).await.unwrap();
    if let Some(foreign) = crate::support::foreign_s3() {
        check_document_store(crate::support::s3_documents(&foreign, &crate::support::unused_prefix())).await.unwrap();
    }
}

/// A store that violates one promise.
struct Broken {
    inner: ObjectDocumentStore,
    promise: &'static str,
    calls: AtomicUsize,
}

#[async_trait::async_trait]
impl DocumentStore for Broken {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let found = self.inner.get(key).await?;
        Ok(found.map(|document| match self.promise {
            "whole documents" => {
                Document::new(document.content.slice(..document.content.len().min(1_000)), document.version)
            }
            _ => document,
        }))
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        if self.promise == "create" && self.inner.exists(key).await? {
            // Not atomic: another worker may write between the check and the write.
            return Ok(WriteOutcome::Conflict);
        }
        if self.promise == "create" {
            tokio::task::yield_now().await;
            if let Some(known) = self.inner.get(key).await? {
                return self.inner.update(key, content, &known).await;
            }
        }
        self.inner.create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        match self.inner.get(key).await? {
            Some(found) if self.promise == "update" => self.inner.update(key, content, &found).await,
            None if self.promise == "no update of nothing" => self.inner.create(key, content).await,
            _ => self.inner.update(key, content, known).await,
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = match self.promise {
            "folders" => {
                let mut all = self.inner.list("").await?;
                all.retain(|key| key.starts_with(folder));
                all
            }
            _ => self.inner.list(folder).await?,
        };
        if self.promise == "pages" {
            keys.truncate(1_000);
        }
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        if self.promise == "delete" && self.calls.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        if self.promise == "delete of nothing" && !self.inner.exists(key).await? {
            return Err(StoreError::new("no such document"));
        }
        self.inner.delete(key).await
    }
}

#[tokio::test]
async fn detects_every_violation() {
    for (promise, reported) in [
        ("whole documents", "read as it was written"),
        ("create", "exactly one is done"),
        ("update", "`Conflict` once the document has changed"),
        ("no update of nothing", "does not create it"),
        ("folders", "and no others"),
        ("pages", "every key once"),
        ("delete", "`delete` removes"),
        ("delete of nothing", "deleting a missing document"),
    ] {
        let inner = ObjectDocumentStore::new(Arc::new(InMemory::new()), "").unwrap();
        let store = Broken { inner, promise, calls: AtomicUsize::new(0) };
        let violation = check_document_store(store).await.expect_err(promise);
        assert!(violation.promise.contains(reported), "{promise}: {violation}");
    }
}

#[tokio::test]
async fn rejects_hostile_keys() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::write(outer.path().join("secret"), "secret").unwrap();
    let root = outer.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let files = FileStore::new(&root);
    let objects = ObjectDocumentStore::new(Arc::new(InMemory::new()), "").unwrap();
    let absolute = outer.path().join("secret").display().to_string();
    for store in [&files as &dyn DocumentStore, &objects] {
        for key in ["../secret", "a/../../secret", &absolute, "/", "a//b", ".strands.lock", "a\0", "a\\b"] {
            store.get(key).await.unwrap_err();
            store.create(key, "x".into()).await.unwrap_err();
            store.update(key, "x".into(), &Document::new("secret", Default::default())).await.unwrap_err();
            store.delete(key).await.unwrap_err();
            store.exists(key).await.unwrap_err();
            store.list(key).await.unwrap_err();
            store.get_many(vec![key.to_owned()]).await.unwrap_err();
            store.delete_all(key, "").await.unwrap_err();
        }
    }
    assert_eq!(std::fs::read(outer.path().join("secret")).unwrap(), b"secret");
}

/// A process that hangs while it holds the lock blocks others for no longer than the timeout.
#[tokio::test(start_paused = true)]
async fn waits_for_a_held_lock_and_then_returns_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    store.create("session_s/a.json", "1".into()).await.unwrap();
    let known = store.get("session_s/a.json").await.unwrap().unwrap();
    let path = folder.path().join("session_s/.strands.lock");
    let held = File::create(&path).unwrap();
    held.lock().unwrap();

    let begun = tokio::time::Instant::now();
    let error = store.update("session_s/a.json", "2".into(), &known).await.unwrap_err();
    assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("another process"), "{text}");
    // Reading and creating need no lock, and another session has a lock of its own.
    assert_eq!(store.get("session_s/a.json").await.unwrap().unwrap().content, "1");
    store.create("session_s/b.json", "1".into()).await.unwrap();

    // A dropped update stops waiting at once, and a waiting one continues once the lock is released.
    let waiting = store.update("session_s/a.json", "2".into(), &known);
    let stopped = tokio::time::timeout(Duration::from_millis(100), waiting).await;
    assert!(stopped.is_err(), "{stopped:?}");
    let waiting = store.update("session_s/a.json", "3".into(), &known);
    let release = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(held);
    };
    let (written, ()) = tokio::join!(waiting, release);
    assert!(matches!(written.unwrap(), WriteOutcome::Done(_)));
    assert_eq!(store.get("session_s/a.json").await.unwrap().unwrap().content, "3");
}
