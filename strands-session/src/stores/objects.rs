//! Document store in an object store. Updates are conditional on the object's `ETag` and version.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use crate::document_store::{Document, DocumentStore, IN_FLIGHT, StoreError, Version, WriteOutcome};
use crate::key_validation;

/// Separator of an object's `ETag` and version. Both are values of HTTP headers, which have no line breaks.
const SEPARATOR: char = '\n';

/// A [`DocumentStore`] below a prefix in an object store. Clones share the store.
///
/// The object store must be able to create and update objects conditionally, as S3, Google Cloud Storage, Azure and
/// [`InMemory`](object_store::memory::InMemory) do. Its `LocalFileSystem` does not: use [`FileStore`](crate::FileStore).
///
/// ```
/// use std::sync::Arc;
/// use strands::session::object_store::memory::InMemory;
/// use strands::session::{ObjectDocumentStore, SessionStore};
///
/// let documents = ObjectDocumentStore::new(Arc::new(InMemory::new()), "agent_sessions")?;
/// let store = SessionStore::new(documents);
/// # Ok::<(), strands::session::object_store::path::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ObjectDocumentStore {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl ObjectDocumentStore {
    /// Creates a store below a prefix, which may be empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the prefix is not a valid path in an object store.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, object_store::path::Error> {
        Ok(Self { store, prefix: Path::parse(prefix.trim_matches('/'))? })
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<WriteOutcome, StoreError> {
        key_validation::validate(key)?;
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, "application/json".into());
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let error = match self.store.put_opts(&self.path(key), PutPayload::from(content.clone()), options).await {
            Ok(put) => return Ok(WriteOutcome::Done(version(put.e_tag, put.version))),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => return Ok(WriteOutcome::Conflict),
            // For an update, `NotFound` means that the document was deleted.
            Err(error) if is_absent(&error) => return Ok(WriteOutcome::Conflict),
            Err(error) => error,
        };
        // The response may have been lost after the document was written.
        match self.get(key).await {
            Ok(Some(document)) if document.content == content => Ok(WriteOutcome::Done(document.version)),
            _ => Err(error.into()),
        }
    }

    /// Deletes objects with the bulk requests of the store.
    async fn delete_objects(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let mut left: BTreeMap<Path, String> = keys.into_iter().map(|key| (self.path(&key), key)).collect();
        let paths: Vec<_> = left.keys().cloned().map(Ok).collect();
        let mut deleted = self.store.delete_stream(stream::iter(paths).boxed());
        while let Some(deleted) = deleted.next().await {
            match deleted {
                Ok(path) => drop(left.remove(&path)),
                // Another worker deletes them too.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The error may not name the absent object, and the request may have skipped others because of it.
        let delete = |key: String| async move { self.delete(&key).await };
        stream::iter(left.into_values()).map(delete).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    fn path(&self, key: &str) -> Path {
        self.prefix.parts().chain(key.split('/').filter(|part| !part.is_empty()).map(Into::into)).collect()
    }
}

#[async_trait]
impl DocumentStore for ObjectDocumentStore {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        key_validation::validate(key)?;
        let result = match self.store.get(&self.path(key)).await {
            Ok(result) => result,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let version = version(result.meta.e_tag.clone(), result.meta.version.clone());
        Ok(Some(Document::new(result.bytes().await?, version)))
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.put(key, content, PutMode::Create).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        self.put(key, content, PutMode::Update(update_version(&known.version))).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        key_validation::validate(folder)?;
        let path = self.path(folder);
        let key = |object: object_store::ObjectMeta| {
            let parts = object.location.prefix_match(&self.prefix)?;
            Some(parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
        };
        let prefix = (!path.is_root()).then_some(&path);
        let listed = self.store.list(prefix).try_filter_map(|object| std::future::ready(Ok(key(object))));
        Ok(listed.try_collect().await?)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        key_validation::validate(key)?;
        match self.store.delete(&self.path(key)).await {
            Err(error) if !is_absent(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        key_validation::validate(key)?;
        match self.store.head(&self.path(key)).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        key_validation::validate(folder)?;
        let path = self.path(folder);
        let listed = self.store.list_with_delimiter((!path.is_root()).then_some(&path)).await?;
        Ok(listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    async fn delete_all(&self, folder: &str, last: &str) -> Result<bool, StoreError> {
        let keys = self.list(folder).await?;
        let found = !keys.is_empty();
        let (last, others): (Vec<String>, Vec<String>) = keys.into_iter().partition(|key| key == last);
        for keys in [others, last] {
            self.delete_objects(keys).await?;
        }
        Ok(found)
    }

    fn locate(&self, key: &str) -> String {
        format!("{} in {}", self.path(key), self.store)
    }
}

fn version(e_tag: Option<String>, version: Option<String>) -> Version {
    Version::new(format!("{}{SEPARATOR}{}", e_tag.unwrap_or_default(), version.unwrap_or_default()))
}

fn update_version(known: &Version) -> UpdateVersion {
    let (e_tag, version) = known.as_str().split_once(SEPARATOR).unwrap_or((known.as_str(), ""));
    let present = |mark: &str| (!mark.is_empty()).then(|| mark.to_owned());
    UpdateVersion { e_tag: present(e_tag), version: present(version) }
}

/// Returns true if there is no such document. A missing bucket is an error instead.
fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { source, .. } if !source.to_string().contains("NoSuchBucket"))
}
