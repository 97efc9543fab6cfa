//! A task store of tests: the one in memory, with a watch on what is read and written.

use std::ops::Deref;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use strands::a2a::{
    MemoryTaskStore, PutOutcome, RecordKey, RecordKind, RecordStream, StoredRecord, TaskStore, TaskStoreError,
};
use strands::async_trait;

/// Sees the calls of a store. Default: does nothing.
#[async_trait]
pub(crate) trait Watch: Send + Sync {
    /// Before a record is read.
    fn read(&self, _key: &RecordKey) {}

    /// Before a record is written.
    fn write(&self, _key: &RecordKey) {}

    /// After a record was written, before the server knows.
    async fn written(&self, _key: &RecordKey) {}

    /// Changes a record of a list.
    fn listed(&self, record: StoredRecord) -> StoredRecord {
        record
    }
}

/// A store with a watch, to which it dereferences.
#[derive(Default)]
pub(crate) struct Watched<W> {
    pub(crate) records: MemoryTaskStore,
    watch: W,
}

impl<W> Deref for Watched<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.watch
    }
}

#[async_trait]
impl<W: Watch> TaskStore for Watched<W> {
    async fn get(&self, key: &RecordKey) -> Result<Option<StoredRecord>, TaskStoreError> {
        self.watch.read(key);
        self.records.get(key).await
    }

    async fn put(
        &self,
        key: &RecordKey,
        content: Bytes,
        known: Option<&StoredRecord>,
    ) -> Result<PutOutcome, TaskStoreError> {
        self.watch.write(key);
        let outcome = self.records.put(key, content, known).await;
        self.watch.written(key).await;
        outcome
    }

    fn list<'a>(&'a self, caller: &'a str, kind: RecordKind) -> RecordStream<'a> {
        self.records.list(caller, kind).map_ok(|record| self.watch.listed(record)).boxed()
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), TaskStoreError> {
        self.records.delete(key).await
    }
}
