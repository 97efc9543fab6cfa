//! Task stores: the trait, and the records of the server in one.

mod memory;
mod records;

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

pub use memory::MemoryTaskStore;
pub(super) use records::{ContextRecord, ListedTask, PushConfig, Records, RunLease, TaskRecord, Versioned};

/// Records of a [`TaskStore`], which are read as the stream is polled.
pub type RecordStream<'a> = Pin<Box<dyn Stream<Item = Result<StoredRecord, TaskStoreError>> + Send + 'a>>;

/// A store of the server's tasks and contexts, with conditional writes.
///
/// Records are JSON documents. They have conversations and credentials of push notifications: store them where only the server
/// can read them.
///
/// [`MemoryTaskStore`] is the default. `strands::serve::a2a::DocumentTaskStore` stores records in files, S3, and any other document
/// store, so that tasks survive a restart, and several processes share them.
///
/// # Contract
///
/// - `put` is atomic: of several concurrent writers that know the same record, exactly one gets [`PutOutcome::Done`].
/// - A version is never reused for a key, not even after the record was deleted and created again, but for the same content.
/// - A `put` that has returned is seen by every `get` and `list` that starts afterwards.
/// - A store may forget records at any time; the server treats them as expired.
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Returns a record, or `None`.
    ///
    /// # Errors
    ///
    /// Returns [`TaskStoreError`] if the store can't be read.
    async fn get(&self, key: &RecordKey) -> Result<Option<StoredRecord>, TaskStoreError>;

    /// Writes a record: a new one if `known` is `None`, or else in place of that one. Returns [`PutOutcome::Conflict`] if the store
    /// has another record, or none in place of the known one.
    ///
    /// # Errors
    ///
    /// Returns [`TaskStoreError`] if the store can't be written.
    async fn put(
        &self,
        key: &RecordKey,
        content: Bytes,
        known: Option<&StoredRecord>,
    ) -> Result<PutOutcome, TaskStoreError>;

    /// Returns all records of one kind of a caller, in any order, as a stream.
    ///
    /// A caller may have a thousand records of many megabytes each: read them one after another, or a few at once, as the stream is
    /// polled. The server drops each before it polls for the next one. A record that is deleted meanwhile may be missing.
    ///
    /// # Errors
    ///
    /// The stream ends with [`TaskStoreError`] if the store can't be read.
    fn list<'a>(&'a self, caller: &'a str, kind: RecordKind) -> RecordStream<'a>;

    /// Deletes a record. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`TaskStoreError`] if the store can't be written.
    async fn delete(&self, key: &RecordKey) -> Result<(), TaskStoreError>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: TaskStore + ?Sized> TaskStore for Arc<S> {
    async fn get(&self, key: &RecordKey) -> Result<Option<StoredRecord>, TaskStoreError> {
        (**self).get(key).await
    }

    async fn put(
        &self,
        key: &RecordKey,
        content: Bytes,
        known: Option<&StoredRecord>,
    ) -> Result<PutOutcome, TaskStoreError> {
        (**self).put(key, content, known).await
    }

    fn list<'a>(&'a self, caller: &'a str, kind: RecordKind) -> RecordStream<'a> {
        (**self).list(caller, kind)
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), TaskStoreError> {
        (**self).delete(key).await
    }
}

/// Kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RecordKind {
    /// A task.
    Task,
    /// A context, with its conversation.
    Context,
}

/// Key of a record. Only requests of its caller reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RecordKey {
    /// Key of the caller: any text of up to some hundred bytes.
    pub caller: String,
    /// Kind of the record.
    pub kind: RecordKind,
    /// Id of the record. The id of a task is a UUID; the id of a context is any text of up to 256 bytes from a client.
    pub id: String,
}

impl RecordKey {
    /// Creates a key.
    pub fn new(caller: impl Into<String>, kind: RecordKind, id: impl Into<String>) -> Self {
        Self { caller: caller.into(), kind, id: id.into() }
    }
}

/// Version of a record, in a format of the store's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordVersion(String);

impl RecordVersion {
    /// Creates a version.
    pub fn new(version: impl Into<String>) -> Self {
        Self(version.into())
    }

    /// Returns the version as it was created.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A record as a store has it. `Debug` does not print the content.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Content: a JSON document.
    pub content: Bytes,
    /// Version, for the next write.
    pub version: RecordVersion,
}

impl StoredRecord {
    /// Creates a record.
    pub fn new(content: Bytes, version: RecordVersion) -> Self {
        Self { content, version }
    }
}

impl fmt::Debug for StoredRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredRecord")
            .field("bytes", &self.content.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a conditional write has two outcomes")]
pub enum PutOutcome {
    /// The record was written, and has this version.
    Done(RecordVersion),
    /// There is another record, or none under a known version.
    Conflict,
}

/// A failure of a task store.
#[derive(thiserror::Error)]
#[error("the task store failed: {}", strands_core::ErrorChain::new(&**source))]
pub struct TaskStoreError {
    source: Box<dyn StdError + Send + Sync>,
}

strands_core::__debug_with_sources!(TaskStoreError);

impl TaskStoreError {
    /// Wraps the error of a store.
    pub fn new(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}
