//! Document store: the trait under all sessions, so that any database or service can store them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Concurrent requests of the provided methods.
pub(crate) const IN_FLIGHT: usize = 15;

/// A key-value store of documents with conditional writes.
///
/// This crate stores everything through this trait. [`FileStore`](crate::FileStore) and
/// [`ObjectDocumentStore`](crate::ObjectDocumentStore) implement it; an implementation for a database with transactions or
/// conditional writes takes a few lines. Pass it to [`SessionStore::new`](crate::SessionStore::new). With the feature
/// `contract`, `strands::session::contract` tests an implementation.
///
/// Implementations need the attribute `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - A key is one or more segments joined by `/`. A segment has 1 to 200 of `A-Z a-z 0-9 . _ -` and does not start with a
///   dot; a key has at most 512 bytes. No key is another key's folder.
/// - `create` and `update` are atomic: of several concurrent writers, exactly one gets [`WriteOutcome::Done`].
/// - An `update` of a document that has changed or was deleted returns [`WriteOutcome::Conflict`], not an error.
/// - A version is never reused for a key, not even after the document was deleted and created again: a worker that still
///   knows the deleted document would overwrite the new one. Take it from a counter of the whole store or from a random
///   number of 64 bits or more, not from a counter that restarts with each row. Only a version derived from the content,
///   such as an ETag, may return: with the same content.
/// - A write that has returned `Ok` survives a crash, and every `get` and `list` that starts afterwards sees it. Both
///   are strongly consistent: no replica with a lag, no cache, and no index that is updated later, such as a global
///   secondary index of DynamoDB.
/// - A document is read as it was written, or not at all.
/// - The request of a dropped future may be done, not done, or done later, after other requests.
///
/// Documents have no size limit. The first document of a batch of messages contains the whole batch, and a snapshot the
/// whole conversation with its images and documents: expect megabytes. A service with a lower limit, such as the 400 KB of
/// a DynamoDB item, needs the content elsewhere or in parts, written so that a document is still read as a whole or not at
/// all.
///
/// A `list` by a pattern, as `LIKE` in SQL, must escape the folder: `_` is a wildcard there, and occurs in most keys.
/// `LIKE` also ignores case in some databases, and keys do not. Comparing the start of the key is simpler.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Mutex, MutexGuard, PoisonError};
///
/// use strands::session::bytes::Bytes;
/// use strands::session::{Document, DocumentStore, SessionStore, StoreError, Version, WriteOutcome};
///
/// #[derive(Default)]
/// struct Memory(Mutex<Table>);
///
/// #[derive(Default)]
/// struct Table {
///     documents: BTreeMap<String, Document>,
///     /// Never decreases, so that no version is reused.
///     revision: u64,
/// }
///
/// impl Memory {
///     fn table(&self) -> MutexGuard<'_, Table> {
///         self.0.lock().unwrap_or_else(PoisonError::into_inner)
///     }
///
///     fn put(&self, key: &str, content: Bytes, known: Option<&Version>) -> Result<WriteOutcome, StoreError> {
///         let mut table = self.table();
///         if table.documents.get(key).map(|document| &document.version) != known {
///             return Ok(WriteOutcome::Conflict);
///         }
///         table.revision += 1;
///         let version = Version::new(table.revision.to_string());
///         table.documents.insert(key.to_owned(), Document::new(content, version.clone()));
///         Ok(WriteOutcome::Done(version))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl DocumentStore for Memory {
///     async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
///         Ok(self.table().documents.get(key).cloned())
///     }
///
///     async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
///         self.put(key, content, None)
///     }
///
///     async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
///         self.put(key, content, Some(&known.version))
///     }
///
///     async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
///         let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
///         Ok(self.table().documents.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
///     }
///
///     async fn delete(&self, key: &str) -> Result<(), StoreError> {
///         self.table().documents.remove(key);
///         Ok(())
///     }
/// }
///
/// let store = SessionStore::new(Memory::default());
/// ```
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Returns the document under a key, or `None`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be read.
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError>;

    /// Creates a document. Returns [`WriteOutcome::Conflict`] if there is a document under the key.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be written.
    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError>;

    /// Replaces the document that the caller knows. Returns [`WriteOutcome::Conflict`] if it has changed or was deleted,
    /// also if the service reports that as an error.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be written.
    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError>;

    /// Returns the keys of all documents below a folder, at any depth and in any order. The folder `""` contains all of
    /// them; the folder `a` contains `a/b`, and not `ab`. The list includes every write that has returned before, and no
    /// key that was deleted before.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be read.
    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Deletes a document. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be written.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Returns the documents under several keys, in the order of the keys. The default gets up to 15 at once.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get). [`StoreError::at`] names the key.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Document>>, StoreError> {
        let get = |key: String| async move { self.get(&key).await.map_err(|error| error.or_at(&key)) };
        stream::iter(keys).map(get).buffered(IN_FLIGHT).try_collect().await
    }

    /// Creates the documents of a batch of messages, and then gets the document under `read`, which tells whether another
    /// worker has truncated the conversation meanwhile.
    ///
    /// The first document commits the batch. The others follow in their order: each is visible only if all before it are.
    /// The creation ends at the first document that is there already. `read` is read after the first was created, and only
    /// if it was. When this returns, all created documents survive a crash.
    ///
    /// The default makes one request for each document. Override it if the store can do this in less, such as in one
    /// transaction.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create) and [`get`](Self::get). [`StoreError::at`] names the key. Some of the documents may
    /// have been created.
    async fn create_batch(&self, batch: Vec<NewDocument>, read: &str) -> Result<CreatedBatch, StoreError> {
        let mut batch = batch.into_iter();
        let mut created = CreatedBatch::default();
        if !created.create_next(self, &mut batch).await? {
            return Ok(created);
        }
        let follow = async {
            while created.create_next(self, &mut batch).await? {}
            Ok::<_, StoreError>(created)
        };
        let (found, created) = join(self.get(read), follow).await;
        let found = found.map_err(|error| error.or_at(read))?;
        created.map(|created| CreatedBatch { found, ..created })
    }

    /// Returns true if there is a document under the key. The default gets it.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.get(key).await?.is_some())
    }

    /// Returns the names of the folders directly in a folder, in any order. The default lists everything in it.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let keys = self.list(folder).await?;
        let inside = keys.iter().filter_map(|key| Some(inside(key, folder)?.split_once('/')?.0));
        let mut names: Vec<String> = inside.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Deletes all documents below a folder; returns false if there were none. The document under `last` is deleted last,
    /// so that an interrupted deletion can be detected and repeated. A document that another worker deletes meanwhile is
    /// not an error, and does not stop the deletion of the others. The default lists them and deletes up to 15 at once.
    ///
    /// # Errors
    ///
    /// As for [`delete`](Self::delete).
    async fn delete_all(&self, folder: &str, last: &str) -> Result<bool, StoreError> {
        let keys = self.list(folder).await?;
        let found = !keys.is_empty();
        let (last, others): (Vec<String>, Vec<String>) = keys.into_iter().partition(|key| key == last);
        for keys in [others, last] {
            let delete = |key: String| async move { self.delete(&key).await.map_err(|error| error.or_at(&key)) };
            stream::iter(keys).map(delete).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
        }
        Ok(found)
    }

    /// Returns the location of a document, for error messages. The default is its key.
    fn locate(&self, key: &str) -> String {
        key.to_owned()
    }

    /// Returns true if a write may have been done although it returns [`WriteOutcome::Conflict`], for example because a
    /// client repeats a request after its response was lost. Such a write counts as done if the store has its content.
    /// Default: true.
    ///
    /// Return false only if `Conflict` always means that this call has written nothing: the store runs in the process,
    /// or the statement is sent once and a lost connection is an error. Leave it true with a client, driver or proxy that
    /// repeats requests. With false, a worker that finds its own content in the store assumes that another worker wrote
    /// it, and reports a conflict.
    fn may_lose_responses(&self) -> bool {
        true
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: DocumentStore + ?Sized> DocumentStore for Arc<S> {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        (**self).get(key).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        (**self).create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        (**self).update(key, content, known).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        (**self).list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        (**self).delete(key).await
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Document>>, StoreError> {
        (**self).get_many(keys).await
    }

    async fn create_batch(&self, batch: Vec<NewDocument>, read: &str) -> Result<CreatedBatch, StoreError> {
        (**self).create_batch(batch, read).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        (**self).exists(key).await
    }

    async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        (**self).folders(folder).await
    }

    async fn delete_all(&self, folder: &str, last: &str) -> Result<bool, StoreError> {
        (**self).delete_all(folder, last).await
    }

    fn locate(&self, key: &str) -> String {
        (**self).locate(key)
    }

    fn may_lose_responses(&self) -> bool {
        (**self).may_lose_responses()
    }
}

/// Returns the part of a key after a folder, if the key is in the folder.
pub(crate) fn inside<'a>(key: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(key) } else { key.strip_prefix(folder)?.strip_prefix('/') }
}

/// A document and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The content.
    pub content: Bytes,
    /// The version, for a conditional update.
    pub version: Version,
}

impl Document {
    /// Creates a document with this content and version.
    pub fn new(content: impl Into<Bytes>, version: Version) -> Self {
        Self { content: content.into(), version }
    }
}

/// A document to create.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDocument {
    /// The key.
    pub key: String,
    /// The content.
    pub content: Bytes,
}

impl NewDocument {
    /// Creates a document to store under this key.
    pub fn new(key: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self { key: key.into(), content: content.into() }
    }
}

/// The outcome of [`DocumentStore::create_batch`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedBatch {
    /// The outcomes of the documents, in their order. [`WriteOutcome::Conflict`] is the last one: no later document was
    /// written.
    pub outcomes: Vec<WriteOutcome>,
    /// The document that was read after the first was created.
    pub found: Option<Document>,
}

impl CreatedBatch {
    /// Creates the next document of a batch, and adds its outcome. Returns false if there is no next document, or if it is
    /// there already.
    async fn create_next<S: DocumentStore + ?Sized>(
        &mut self,
        store: &S,
        batch: &mut std::vec::IntoIter<NewDocument>,
    ) -> Result<bool, StoreError> {
        let Some(NewDocument { key, content }) = batch.next() else { return Ok(false) };
        let outcome = store.create(&key, content).await.map_err(|error| error.or_at(&key))?;
        let is_done = outcome != WriteOutcome::Conflict;
        self.outcomes.push(outcome);
        Ok(is_done)
    }
}

/// The version of a document, such as an ETag or a row's revision. It is opaque to all but the store that created it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// Creates a version from the store's value, such as an ETag.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the version of a store without versions, which compares the content for a conditional update.
    ///
    /// Such a store can't tell a document from a later one with the same bytes. The documents of this crate contain the
    /// time of their write, to the microsecond or finer.
    pub fn content() -> Self {
        Self::default()
    }

    /// Returns the store's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a conditional write is done or not: callers match both")]
pub enum WriteOutcome {
    /// The document was written, with this version.
    Done(Version),
    /// The condition did not hold: nothing was written.
    Conflict,
}

/// An error of a [`DocumentStore`].
///
/// Any error converts to it with `?`, so that it does not implement [`std::error::Error`] itself. Sessions report it as
/// [`SessionError::Storage`](strands_core::session::SessionError::Storage), with the action and the location.
pub struct StoreError {
    pub(crate) key: Option<String>,
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    /// Creates an error from another error, or from a message.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { key: None, source: source.into() }
    }

    /// Creates an error about one of several keys.
    pub fn at(key: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { key: Some(key.into()), source: source.into() }
    }

    /// Returns the error of the store, for an error type that has it as its source.
    pub fn into_source(self) -> Box<dyn std::error::Error + Send + Sync> {
        self.source
    }

    fn or_at(mut self, key: &str) -> Self {
        self.key.get_or_insert_with(|| key.to_owned());
        self
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for StoreError {
    fn from(source: E) -> Self {
        Self::new(source)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError").field("key", &self.key).field("source", &self.source).finish()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
