//! Document store: the trait under all sessions, so that they can be kept in any database or service.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Concurrent requests of the provided methods.
pub(crate) const IN_FLIGHT: usize = 15;

/// A store of documents under keys, created only where there is none and updated only where nobody else has.
///
/// Everything that this crate keeps goes through this trait: [`FileStore`](crate::FileStore) and
/// [`ObjectDocumentStore`](crate::ObjectDocumentStore) are two implementations, and a database with transactions or
/// conditional writes makes another in a few lines. Give it to [`SessionStore::new`](crate::SessionStore::new). With the
/// feature `contract`, `strands::session::contract` tests an implementation.
///
/// An implementation stands under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - A key is one or more segments joined by `/`. A segment has 1 to 200 of `A-Z a-z 0-9 . _ -` and does not start with a
///   dot; a key has at most 512 bytes. No key is another key's folder.
/// - `create` and `update` are atomic: of several writers at once, exactly one gets [`Written::Done`].
/// - An `update` of a document that has changed or is gone is [`Written::Refused`], not an error.
/// - A version never returns for a key, not even after the document was deleted and created again: a worker that still
///   knows the deleted one would write over the new one. Take it from a counter of the whole store or from a random
///   number of 64 bits or more, not from a counter that begins anew with each row. Only a version made of the content,
///   such as an ETag, may return: with the same content.
/// - What a write has returned `Ok` for survives a crash, and every `get` and `list` that begins afterwards sees it. Both
///   are strongly consistent: no replica that lags behind, no cache, and no index that is updated later, such as a global
///   secondary index of DynamoDB.
/// - A document is read as it was written, or not at all.
/// - A future that is dropped may leave its request done, not done, or done later, after other requests.
///
/// A document has no limit of size here. The first document of a batch of messages holds the whole batch, and a snapshot
/// the whole conversation with its images and documents: expect megabytes. A service with less, such as the 400 KB of an
/// item of DynamoDB, needs the content elsewhere or in parts, written so that a document is still read whole or not at
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
/// use strands::session::{Document, DocumentStore, SessionStore, StoreError, Version, Written};
///
/// #[derive(Default)]
/// struct Memory(Mutex<Table>);
///
/// #[derive(Default)]
/// struct Table {
///     documents: BTreeMap<String, Document>,
///     /// Never goes back, so that no version returns.
///     revision: u64,
/// }
///
/// impl Memory {
///     fn table(&self) -> MutexGuard<'_, Table> {
///         self.0.lock().unwrap_or_else(PoisonError::into_inner)
///     }
///
///     fn put(&self, key: &str, content: Bytes, known: Option<&Version>) -> Result<Written, StoreError> {
///         let mut table = self.table();
///         if table.documents.get(key).map(|document| &document.version) != known {
///             return Ok(Written::Refused);
///         }
///         table.revision += 1;
///         let version = Version::new(table.revision.to_string());
///         table.documents.insert(key.to_owned(), Document::new(content, version.clone()));
///         Ok(Written::Done(version))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl DocumentStore for Memory {
///     async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
///         Ok(self.table().documents.get(key).cloned())
///     }
///
///     async fn create(&self, key: &str, content: Bytes) -> Result<Written, StoreError> {
///         self.put(key, content, None)
///     }
///
///     async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<Written, StoreError> {
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

    /// Writes a document under a key that has none. Refused if there is one.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be written.
    async fn create(&self, key: &str, content: Bytes) -> Result<Written, StoreError>;

    /// Writes a document over the one that the caller knows. Refused if it has changed or is gone: that is no error, also
    /// where the service reports it as one.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be written.
    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<Written, StoreError>;

    /// Returns the keys of all documents below a folder, at any depth and in any order. The folder `""` has all of them;
    /// the folder `a` has `a/b`, and not `ab`. It sees every write that has returned before, and no key that was deleted
    /// before.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be read.
    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Deletes a document. Deleting one that is not there succeeds.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store can't be written.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Returns the documents under several keys, in the order of the keys. The default gets up to 15 at once.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get). [`StoreError::at`] says which key it is about.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Document>>, StoreError> {
        let get = |key: String| async move { self.get(&key).await.map_err(|error| error.or_at(&key)) };
        stream::iter(keys).map(get).buffered(IN_FLIGHT).try_collect().await
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

    /// Deletes all documents below a folder; returns false if there were none. The document under `last` goes last, so
    /// that a deletion that breaks off can be noticed and repeated. A document that somebody else deletes meanwhile is no
    /// error, and does not end the deletion of the others. The default lists them and deletes up to 15 at once.
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

    /// Returns true if a write may have been done although it is refused, as where a request over a network is repeated
    /// after its response was lost. A refused write that finds its own content counts as done then. Default: true.
    ///
    /// Return false only if `Refused` always means that this very call has written nothing: the store runs in the process,
    /// or the statement is sent once and a lost connection is an error. With a client, driver or proxy that repeats
    /// requests by itself, keep true. With false, a worker that finds the content that it wanted to write takes it for
    /// another worker's, and reports a conflict.
    fn may_lose_answers(&self) -> bool {
        true
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: DocumentStore + ?Sized> DocumentStore for Arc<S> {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        (**self).get(key).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<Written, StoreError> {
        (**self).create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<Written, StoreError> {
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

    fn may_lose_answers(&self) -> bool {
        (**self).may_lose_answers()
    }
}

/// The rest of a key behind a folder, if the key is in it.
pub(crate) fn inside<'a>(key: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(key) } else { key.strip_prefix(folder)?.strip_prefix('/') }
}

/// A document as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The content.
    pub content: Bytes,
    /// The version that an update is conditional on.
    pub version: Version,
}

impl Document {
    /// Creates a document of this content and version.
    pub fn new(content: impl Into<Bytes>, version: Version) -> Self {
        Self { content: content.into(), version }
    }
}

/// A store's own mark of a document's version, such as an ETag or a row's revision. Only the store that made it reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// Creates a version from the store's mark.
    pub fn new(mark: impl Into<String>) -> Self {
        Self(mark.into())
    }

    /// Returns the version of a store that has no marks, and compares the content that an update is conditional on.
    ///
    /// Such a store can't tell a document from one with the same bytes that was written after others, or after a deletion.
    /// The documents of this crate carry the time of their write, to the microsecond or finer.
    pub fn content() -> Self {
        Self::default()
    }

    /// Returns the store's mark.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a conditional write is done or not: stores match both")]
pub enum Written {
    /// The document is in the store, in this version.
    Done(Version),
    /// The condition did not hold: nothing was written.
    Refused,
}

/// An error of a [`DocumentStore`].
///
/// It is made from any error by `?`, and is no [`std::error::Error`] itself for that reason: sessions report it as
/// [`SessionError::Storage`](strands_core::session::SessionError::Storage), with what was done and where.
pub struct StoreError {
    pub(crate) key: Option<String>,
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    /// Creates an error from its cause, or from a text.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { key: None, source: source.into() }
    }

    /// Creates an error about one of several keys.
    pub fn at(key: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { key: Some(key.into()), source: source.into() }
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
