//! The contract of task stores, with files and objects.

use std::sync::Arc;

use bytes::Bytes;
use strands_a2a::{PutOutcome, RecordKey, RecordKind, StoredRecord, TaskStore};
use strands_serve::a2a::DocumentTaskStore;
use strands_session::object_store::memory::InMemory;
use strands_session::{FileStore, ObjectDocumentStore};

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
        let mut listed = store.list(&key.caller, RecordKind::Context).await.unwrap();
        listed.sort_by(|a, b| a.content.cmp(&b.content));
        assert_eq!(listed.iter().map(|record| record.content.as_ref()).collect::<Vec<_>>(), [&b"2"[..], b"x"]);
        store.delete(&key).await.unwrap();
        store.delete(&key).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap(), None);
        assert_eq!(put(&store, &key, "4", Some(&second)).await, None);
    }
}
