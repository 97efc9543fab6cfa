//! Tasks in a document store, so that they survive a restart and several processes share them.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use strands_a2a::{
    PutOutcome, RecordKey, RecordKind, RecordStream, RecordVersion, StoredRecord, TaskStore, TaskStoreError,
};
use strands_identity::Fingerprint;
use strands_session::{Document, DocumentStore, StoreError, Version, WriteOutcome};

/// Folder of all records.
const FOLDER: &str = "a2a";

/// Number of documents of a list that are read at once. Each may have many megabytes.
const READ_AT_ONCE: usize = 8;

/// A [`TaskStore`] in a document store: files, S3, or a database of the program.
///
/// Its documents are below `a2a/`, in a folder for each caller, whose name is a hash. Use a folder or prefix of its own, or that of
/// the sessions.
pub struct DocumentTaskStore {
    documents: Arc<dyn DocumentStore>,
}

impl DocumentTaskStore {
    /// Creates a store of tasks in a document store.
    pub fn new(documents: impl DocumentStore + 'static) -> Self {
        Self { documents: Arc::new(documents) }
    }
}

impl fmt::Debug for DocumentTaskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentTaskStore").finish_non_exhaustive()
    }
}

fn folder(caller: &str, kind: RecordKind) -> Result<String, TaskStoreError> {
    let kind = match kind {
        RecordKind::Task => "tasks",
        RecordKind::Context => "contexts",
        _ => return Err(TaskStoreError::new("unknown kind of record: use releases of the same version")),
    };
    Ok(format!("{FOLDER}/{}/{kind}", hash(caller)))
}

/// Returns the key of a document. Ids of contexts are texts of clients, which a key can't have.
fn document(key: &RecordKey) -> Result<String, TaskStoreError> {
    Ok(format!("{}/{}.json", folder(&key.caller, key.kind)?, hash(&key.id)))
}

fn hash(text: &str) -> String {
    Fingerprint::of(&json!(text)).as_str().to_owned()
}

fn failed(error: StoreError) -> TaskStoreError {
    TaskStoreError::new(error.into_source())
}

fn record(Document { content, version, .. }: Document) -> StoredRecord {
    StoredRecord::new(content, RecordVersion::new(version.as_str()))
}

#[async_trait]
impl TaskStore for DocumentTaskStore {
    async fn get(&self, key: &RecordKey) -> Result<Option<StoredRecord>, TaskStoreError> {
        let found = self.documents.get(&document(key)?).await.map_err(failed)?;
        Ok(found.map(record))
    }

    async fn put(
        &self,
        key: &RecordKey,
        content: Bytes,
        known: Option<&StoredRecord>,
    ) -> Result<PutOutcome, TaskStoreError> {
        let key = document(key)?;
        let written = match known {
            None => self.documents.create(&key, content).await,
            Some(known) => {
                let known = Document::new(known.content.clone(), Version::new(known.version.as_str()));
                self.documents.update(&key, content, &known).await
            }
        };
        Ok(match written.map_err(failed)? {
            WriteOutcome::Done(version) => PutOutcome::Done(RecordVersion::new(version.as_str())),
            WriteOutcome::Conflict => PutOutcome::Conflict,
        })
    }

    fn list<'a>(&'a self, caller: &'a str, kind: RecordKind) -> RecordStream<'a> {
        let keys = async move { self.documents.list(&folder(caller, kind)?).await.map_err(failed) };
        let keys = stream::once(keys).map_ok(|keys| stream::iter(keys).map(Ok)).try_flatten();
        let read = keys.map(move |key| async move { self.documents.get(&key?).await.map_err(failed) });
        // One that was deleted meanwhile is none.
        read.buffer_unordered(READ_AT_ONCE).try_filter_map(|found| ready(Ok(found.map(record)))).boxed()
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), TaskStoreError> {
        self.documents.delete(&document(key)?).await.map_err(failed)
    }
}
