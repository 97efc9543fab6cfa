//! Documents in an object store. Updates are conditional on the store's own mark of the version.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use strands_core::session::SessionError;

use super::{READS_IN_FLIGHT, Stored, Version, Written, failed};

/// A prefix in an object store. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Objects {
    /// Documents below this prefix.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self { store, prefix }
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Stored>, SessionError> {
        let result = match self.store.get(&self.path(key)).await {
            Ok(result) => result,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.failed("read", key, error)),
        };
        let version = UpdateVersion { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
        let bytes = result.bytes().await.map_err(|error| self.failed("read", key, error))?;
        Ok(Some(Stored { bytes, version: Version::Object(version) }))
    }

    pub(super) async fn read_all<T: Send + 'static>(
        &self,
        keys: Vec<String>,
        parse: fn(&str, &[u8]) -> Result<T, SessionError>,
    ) -> Result<Vec<T>, SessionError> {
        let read = |key: String| async move {
            match self.read(&key).await? {
                Some(stored) => parse(&self.locate(&key), &stored.bytes).map(Some),
                None => Ok(None),
            }
        };
        let parsed: Vec<Option<T>> = stream::iter(keys).map(read).buffered(READS_IN_FLIGHT).try_collect().await?;
        Ok(parsed.into_iter().flatten().collect())
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, SessionError> {
        match self.store.head(&self.path(key)).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(self.failed("read", key, error)),
        }
    }

    pub(super) async fn create(&self, key: &str, bytes: Bytes) -> Result<Written, SessionError> {
        self.put(key, bytes, PutMode::Create).await
    }

    pub(super) async fn update(
        &self,
        key: &str,
        bytes: Bytes,
        version: UpdateVersion,
    ) -> Result<Written, SessionError> {
        self.put(key, bytes, PutMode::Update(version)).await
    }

    pub(super) async fn documents_in(&self, folder: &str) -> Result<Vec<String>, SessionError> {
        let prefix = self.path(folder);
        let name = |object: &object_store::ObjectMeta| {
            let mut parts = object.location.prefix_match(&prefix)?;
            let name = parts.next()?.as_ref().to_owned();
            parts.next().is_none().then_some(name)
        };
        self.store
            .list(Some(&prefix))
            .try_filter_map(|object| std::future::ready(Ok(name(&object))))
            .try_collect()
            .await
            .map_err(|error| self.failed("list", folder, error))
    }

    pub(super) async fn folders(&self) -> Result<Vec<String>, SessionError> {
        let prefix = (!self.prefix.is_root()).then_some(&self.prefix);
        let listed = self.store.list_with_delimiter(prefix).await.map_err(|error| self.failed("list", "", error))?;
        Ok(listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    pub(super) async fn delete_folder(&self, folder: &str, last: &str) -> Result<bool, SessionError> {
        let prefix = self.path(folder);
        let last = self.path(last);
        let objects: Vec<Path> = self
            .store
            .list(Some(&prefix))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .map_err(|error| self.failed("list", folder, error))?;
        let found = !objects.is_empty();
        let (last, others): (Vec<Path>, Vec<Path>) = objects.into_iter().partition(|path| *path == last);
        for paths in [others, last] {
            let paths = stream::iter(paths.into_iter().map(Ok)).boxed();
            let deleted = self.store.delete_stream(paths).try_for_each(|_| std::future::ready(Ok(()))).await;
            match deleted {
                Err(error) if !is_absent(&error) => return Err(self.failed("delete", folder, error)),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Where a document is, for people.
    pub(super) fn locate(&self, key: &str) -> String {
        format!("{} in {}", self.path(key), self.store)
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Written, SessionError> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, "application/json".into());
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let error = match self.store.put_opts(&self.path(key), PutPayload::from(bytes.clone()), options).await {
            Ok(put) => return Ok(Written::Done(Version::Object(put.into()))),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => return Ok(Written::Refused),
            // To an update this means that the document is gone.
            Err(error) if is_absent(&error) => return Ok(Written::Refused),
            Err(error) => error,
        };
        // The answer may have been lost after the document was written: then there is nothing to complain about.
        match self.read(key).await {
            Ok(Some(stored)) if stored.bytes == bytes => Ok(Written::Done(stored.version)),
            _ => Err(self.failed("write", key, error)),
        }
    }

    fn path(&self, key: &str) -> Path {
        self.prefix.parts().chain(key.split('/').filter(|part| !part.is_empty()).map(Into::into)).collect()
    }

    fn failed(&self, action: &'static str, key: &str, error: Error) -> SessionError {
        failed(action, &self.locate(key), error)
    }
}

/// True when there is no such document; a store without the bucket has none either, but that is no answer.
fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { source, .. } if !source.to_string().contains("NoSuchBucket"))
}
