//! The contract of task stores, with files and objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _};
use strands_a2a::{PutOutcome, RecordKey, RecordKind, StoredRecord, TaskStore};
use strands_serve::a2a::DocumentTaskStore;
use strands_session::object_store::memory::InMemory;
use strands_session::{Document, DocumentStore, FileStore, ObjectDocumentStore, StoreError, Version, WriteOutcome};
use tokio::sync::{Barrier, Notify};

async fn put(
    store: &DocumentTaskStore,
    key: &RecordKey,
    content: &'static str,
    known: Option<&StoredRecord>,
) -> Option<StoredRecord> {
    let content = Bytes::from_static(content.as_bytes());
    match store.put(key, content.clone(), known).await.unwrap() {
        PutOutcome::Done(version) => Some(StoredRecord::new(content, version)),
        PutOutcome::Conflict => None,
    }
}

#[tokio::test]
async fn writes_are_conditional_and_callers_apart() {
    let folder = tempfile::tempdir().unwrap();
    let files = DocumentTaskStore::new(FileStore::new(folder.path()));
    let objects = DocumentTaskStore::new(ObjectDocumentStore::new(Arc::new(InMemory::new()), "p").unwrap());
    for store in [files, objects] {
        // Texts of clients and of identity providers, which no key of a document can have.
        let key = RecordKey::new("id:https://issuer/ü|\n", RecordKind::Context, "../../etc/passwd \0 ☀");
        let first = put(&store, &key, "1", None).await.unwrap();
        assert_eq!(put(&store, &key, "2", None).await, None);
        let second = put(&store, &key, "2", Some(&first)).await.unwrap();
        assert_eq!(put(&store, &key, "3", Some(&first)).await, None);
        assert_eq!(store.get(&key).await.unwrap().unwrap(), second);

        let others = [
            RecordKey::new("id:other", RecordKind::Context, key.id.as_str()),
            RecordKey::new(key.caller.as_str(), RecordKind::Task, key.id.as_str()),
            RecordKey::new(key.caller.as_str(), RecordKind::Context, "other"),
        ];
        for other in &others {
            assert_eq!(store.get(other).await.unwrap(), None);
            put(&store, other, "x", None).await.unwrap();
        }
        let listed = store.list(&key.caller, RecordKind::Context).try_collect::<Vec<_>>();
        let mut listed = listed.await.unwrap();
        listed.sort_by(|a, b| a.content.cmp(&b.content));
        assert_eq!(listed.iter().map(|record| record.content.as_ref()).collect::<Vec<_>>(), [&b"2"[..], b"x"]);
        store.delete(&key).await.unwrap();
        store.delete(&key).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap(), None);
        assert_eq!(put(&store, &key, "4", Some(&second)).await, None);
    }
}

/// A store that counts the contents that are in memory, and whose reads wait for the future of their zero-based number.
struct Counting {
    documents: ObjectDocumentStore,
    counts: Arc<Counts>,
    wait: Box<dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync>,
}

#[derive(Default)]
struct Counts {
    now: AtomicUsize,
    most: AtomicUsize,
    reads: AtomicUsize,
}

/// A content that is counted while it exists.
struct Counted(Bytes, Arc<Counts>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl DocumentStore for Counting {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let Some(found) = self.documents.get(key).await? else { return Ok(None) };
        let now = self.counts.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.counts.most.fetch_max(now, Ordering::Relaxed);
        let content = Bytes::from_owner(Counted(found.content, Arc::clone(&self.counts)));
        (self.wait)(self.counts.reads.fetch_add(1, Ordering::Relaxed)).await;
        Ok(Some(Document::new(content, Version::new(found.version.as_str()))))
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.documents.create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        self.documents.update(key, content, known).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.documents.list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.documents.delete(key).await
    }
}

/// A store with the documents of 32 tasks.
async fn listed(
    wait: impl Fn(usize) -> BoxFuture<'static, ()> + Send + Sync + 'static,
) -> (DocumentTaskStore, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let documents = ObjectDocumentStore::new(Arc::new(InMemory::new()), "p").unwrap();
    let store = DocumentTaskStore::new(Counting { documents, counts: Arc::clone(&counts), wait: Box::new(wait) });
    for id in 0..32 {
        put(&store, &RecordKey::new("c", RecordKind::Task, id.to_string()), "x", None).await.unwrap();
    }
    (store, counts)
}

/// Longer than anything that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_list_has_few_documents_in_memory() {
    // Each read waits for seven others.
    let together = Arc::new(Barrier::new(8));
    let (store, counts) = listed(move |_| {
        let together = Arc::clone(&together);
        Box::pin(async move {
            together.wait().await;
        })
    })
    .await;
    let listed = tokio::time::timeout(PATIENCE, store.list("c", RecordKind::Task).count());
    assert_eq!(listed.await.expect("eight reads at once"), 32);
    assert_eq!(counts.most.load(Ordering::Relaxed), 8);
}

#[tokio::test]
async fn a_slow_document_of_a_list_delays_no_other() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let (store, _) = listed(move |number| {
        let held = Arc::clone(&held);
        Box::pin(async move {
            if number == 0 {
                held.notified().await;
            }
        })
    })
    .await;
    let mut records = store.list("c", RecordKind::Task);
    let others = tokio::time::timeout(PATIENCE, records.by_ref().take(31).count());
    assert_eq!(others.await.expect("no wait for the first one"), 31);
    gate.notify_one();
    assert_eq!(records.count().await, 1);
}
