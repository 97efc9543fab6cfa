//! Document store operations with [`SessionError`]s: each error has the action that failed and the location.

use std::sync::Arc;

use bytes::Bytes;
use strands_core::session::SessionError;

use crate::document_store::{CreatedBatch, Document, DocumentStore, NewDocument, StoreError, WriteOutcome, inside};

/// Maximum number of documents in memory at once while many are read.
const CHUNK: usize = 512;

/// A document store whose errors are those of sessions. Clones are the same store.
#[derive(Clone)]
pub(crate) struct Storage(Arc<dyn DocumentStore>);

impl Storage {
    pub(crate) fn new(store: Arc<dyn DocumentStore>) -> Self {
        Self(store)
    }

    /// Human-readable location of a document.
    pub(crate) fn locate(&self, key: &str) -> String {
        self.0.locate(key)
    }

    pub(crate) fn may_lose_responses(&self) -> bool {
        self.0.may_lose_responses()
    }

    pub(crate) async fn read(&self, key: &str) -> Result<Option<Document>, SessionError> {
        self.0.get(key).await.map_err(|error| self.failed("read", key, error))
    }

    /// Reads documents and parses them, in the order of the keys. Missing documents are left out.
    pub(crate) async fn read_all<T>(
        &self,
        keys: &[String],
        parse: impl Fn(usize, &str, Document) -> Result<T, SessionError>,
    ) -> Result<Vec<T>, SessionError> {
        let mut parsed = Vec::with_capacity(keys.len());
        for (chunk, keys) in keys.chunks(CHUNK).enumerate() {
            let first = keys.first().map_or("", String::as_str);
            let documents = self.0.get_many(keys.to_vec()).await.map_err(|error| self.failed("read", first, error))?;
            for (index, (key, document)) in keys.iter().zip(documents).enumerate() {
                if let Some(document) = document {
                    parsed.push(parse(chunk * CHUNK + index, &self.locate(key), document)?);
                }
            }
        }
        Ok(parsed)
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, SessionError> {
        self.0.exists(key).await.map_err(|error| self.failed("read", key, error))
    }

    pub(crate) async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, SessionError> {
        self.0.create(key, content).await.map_err(|error| self.failed("write", key, error))
    }

    /// Creates the documents of a batch, and then reads the document under `read`.
    pub(crate) async fn create_batch(&self, batch: Vec<NewDocument>, read: &str) -> Result<CreatedBatch, SessionError> {
        let first = batch.first().map_or_else(String::new, |document| document.key.clone());
        self.0.create_batch(batch, read).await.map_err(|error| {
            let action = if error.key.as_deref() == Some(read) { "read" } else { "write" };
            self.failed(action, &first, error)
        })
    }

    pub(crate) async fn update(
        &self,
        key: &str,
        content: Bytes,
        known: &Document,
    ) -> Result<WriteOutcome, SessionError> {
        self.0.update(key, content, known).await.map_err(|error| self.failed("write", key, error))
    }

    /// Returns the names of the documents directly in a folder.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>, SessionError> {
        let keys = self.0.list(folder).await.map_err(|error| self.failed("list", folder, error))?;
        let names = keys.iter().filter_map(|key| inside(key, folder)).filter(|name| !name.contains('/'));
        Ok(names.map(str::to_owned).collect())
    }

    /// Returns the names of the top-level folders.
    pub(crate) async fn folders(&self) -> Result<Vec<String>, SessionError> {
        self.folders_in("").await
    }

    /// Returns the names of the folders directly in a folder.
    pub(crate) async fn folders_in(&self, folder: &str) -> Result<Vec<String>, SessionError> {
        self.0.folders(folder).await.map_err(|error| self.failed("list", folder, error))
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), SessionError> {
        self.0.delete(key).await.map_err(|error| self.failed("delete", key, error))
    }

    /// Deletes a folder with everything in it, `last` last. Returns false if it was empty.
    pub(crate) async fn delete_folder(&self, folder: &str, last: &str) -> Result<bool, SessionError> {
        self.0.delete_all(folder, last).await.map_err(|error| self.failed("delete", folder, error))
    }

    fn failed(&self, action: &'static str, key: &str, error: StoreError) -> SessionError {
        let key = error.key.as_deref().unwrap_or(key);
        SessionError::Storage { action, key: self.locate(key), source: error.source }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Storage").field(&self.locate("")).finish()
    }
}

/// Creates a storage error about a key.
pub(crate) fn failed(
    action: &'static str,
    key: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SessionError {
    SessionError::Storage { action, key: key.to_owned(), source: source.into() }
}
