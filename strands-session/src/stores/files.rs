//! Document store in a local folder. Updates compare the file's content under a lock that all workers take.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;

use super::folder::{Folder, Locked};
use super::lock_wait::LockWait;
use crate::document_store::{CreatedBatch, Document, DocumentStore, IN_FLIGHT, NewDocument, StoreError, WriteOutcome};
use crate::key_validation;

/// Minimum number of files for each reader thread.
const FILES_PER_READER: usize = 64;
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`DocumentStore`] in a local folder. Clones share the folder.
///
/// Writes are durable (`fsync`), and files are accessible to this user only. Updates and deletions of one session's
/// documents hold a lock on the file `.strands.lock` in the session's folder. For a document whose key has no `/`, the lock
/// file is at the root. The store needs a Tokio runtime, with or without timers.
///
/// Files have no versions: an update succeeds if the file still has the content that the caller knows. A document that was
/// deleted and created again with the same bytes counts as unchanged. The documents of this crate contain the time of their
/// write, to the microsecond or finer, so that this takes two writes of the same content at the same instant.
///
/// ```
/// use strands::session::{FileStore, SessionStore};
///
/// let store = SessionStore::new(FileStore::new("/var/lib/travel/sessions"));
/// ```
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: Folder,
    lock_timeout: Duration,
}

impl FileStore {
    /// Creates a store in a folder. The folder is created with the first document.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self { folder: Folder::new(folder.as_ref()), lock_timeout: LOCK_TIMEOUT }
    }

    /// Sets the longest wait for a lock that another task or process holds. Default: 10 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Runs blocking work on a thread for it.
    async fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Folder, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        key_validation::validate(key)?;
        let (folder, key) = (self.folder.clone(), key.to_owned());
        Handle::try_current()?.spawn_blocking(move || work(&folder, &key)).await?
    }

    /// Runs blocking work under the lock. The future waits for the lock in short steps.
    async fn run_locked<T: Send + 'static>(
        &self,
        key: &str,
        work: impl Fn(&Folder, &str) -> Result<Locked<T>, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut waiting = None;
        loop {
            let lock = match self.run(key, work.clone()).await? {
                Locked::Done(done) => return Ok(done),
                Locked::Busy(lock) => lock,
            };
            let waiting = waiting.get_or_insert_with(LockWait::begin);
            if waiting.elapsed() >= self.lock_timeout {
                let reason = format!(
                    "no lock on {} within {:?}: another task of this process or another process holds it; try again \
                     later, or end a process that hangs while it holds it",
                    lock.display(),
                    self.lock_timeout
                );
                return Err(io::Error::new(ErrorKind::TimedOut, reason).into());
            }
            waiting.pause().await?;
        }
    }
}

#[async_trait]
impl DocumentStore for FileStore {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        self.run(key, Folder::read).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.run(key, move |folder, key| folder.create(key, &content)).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        let known = known.content.clone();
        self.run_locked(key, move |folder, key| folder.update(key, &content, &known)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.run(folder, Folder::list).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.run_locked(key, Folder::delete).await
    }

    /// Reads the files in chunks, on a few threads.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Document>>, StoreError> {
        for key in &keys {
            key_validation::validate(key)?;
        }
        let chunk = keys.len().div_ceil(IN_FLIGHT).max(FILES_PER_READER);
        let chunks: Vec<Vec<String>> = keys.chunks(chunk).map(<[String]>::to_vec).collect();
        let read = |chunk: Vec<String>| self.run("", move |folder, _| folder.read_chunk(&chunk));
        let chunks: Vec<_> = stream::iter(chunks).map(read).buffered(IN_FLIGHT).try_collect().await?;
        Ok(chunks.into_iter().flatten().collect())
    }

    /// Creates the files on one thread, with one `fsync` of their folder.
    async fn create_batch(&self, batch: Vec<NewDocument>, read: &str) -> Result<CreatedBatch, StoreError> {
        for document in &batch {
            key_validation::validate(&document.key)?;
        }
        self.run(read, move |folder, read| folder.create_batch(&batch, read)).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.run(key, Folder::exists).await
    }

    async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.run(folder, Folder::folders).await
    }

    /// Renames the folder and then deletes its content. If that is interrupted, the next deletion in the same folder or
    /// the next listing of it completes it.
    async fn delete_all(&self, folder: &str, _last: &str) -> Result<bool, StoreError> {
        if folder.is_empty() {
            return Err(StoreError::new("the folder of all documents can't be deleted; delete its folders"));
        }
        self.run(folder, Folder::delete_folder).await
    }

    fn locate(&self, key: &str) -> String {
        self.folder.path(key).display().to_string()
    }

    /// Returns false: a file system loses no responses, so that equal content was written by another worker.
    fn may_lose_responses(&self) -> bool {
        false
    }
}
