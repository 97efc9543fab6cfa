//! Documents in a folder. Updates are conditional on the file's content, compared under a lock that all workers take.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;

use super::folder::{Folder, Locked};
use super::waiting::Waiting;
use crate::document_store::{Document, DocumentStore, IN_FLIGHT, StoreError, Written};
use crate::key;

/// Fewer files than this are not worth another thread.
const FILES_PER_READER: usize = 64;
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`DocumentStore`] in a folder of this machine. Clones are the same folder.
///
/// Writes are durable (`fsync`), and for this user alone. Updates of one session's documents take turns by a lock on the
/// file `.strands.lock` in the session's folder. A document whose key has no `/` is locked by such a file at the root.
/// It needs a Tokio runtime, with or without timers.
///
/// Files have no versions: an update is done if the file still has the content that the caller knows. A document that was
/// deleted and created again with the same bytes counts as unchanged. The documents of this crate carry the time of their
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
    /// Creates a store of the documents in a folder. The folder is made with the first of them.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self { folder: Folder::new(folder.as_ref()), lock_timeout: LOCK_TIMEOUT }
    }

    /// Sets how long to wait for the lock while somebody else has it, in this process or another one. Default: 10 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Does work that waits for the disk on a thread that may.
    async fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Folder, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        key::validate(key)?;
        let (folder, key) = (self.folder.clone(), key.to_owned());
        Handle::try_current()?.spawn_blocking(move || work(&folder, &key)).await?
    }

    /// Does work under the lock, for which this future waits in short steps.
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
            let waiting = waiting.get_or_insert_with(Waiting::begin);
            if waiting.elapsed() >= self.lock_timeout {
                let reason = format!(
                    "no lock on {} within {:?}: another task of this process or another process has it; try again \
                     later, or end a process that hangs with it",
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

    async fn create(&self, key: &str, content: Bytes) -> Result<Written, StoreError> {
        self.run(key, move |folder, key| folder.create(key, &content)).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<Written, StoreError> {
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
            key::validate(key)?;
        }
        let chunk = keys.len().div_ceil(IN_FLIGHT).max(FILES_PER_READER);
        let chunks: Vec<Vec<String>> = keys.chunks(chunk).map(<[String]>::to_vec).collect();
        let read = |chunk: Vec<String>| self.run("", move |folder, _| folder.read_chunk(&chunk));
        let chunks: Vec<_> = stream::iter(chunks).map(read).buffered(IN_FLIGHT).try_collect().await?;
        Ok(chunks.into_iter().flatten().collect())
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.run(key, Folder::exists).await
    }

    async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.run(folder, Folder::folders).await
    }

    /// Takes the folder away at once, and then deletes what was in it. If that breaks off, the next deletion in the same
    /// folder or the next listing of it goes on.
    async fn delete_all(&self, folder: &str, _last: &str) -> Result<bool, StoreError> {
        if folder.is_empty() {
            return Err(StoreError::new("the folder of all documents can't be deleted; delete its folders"));
        }
        self.run(folder, Folder::delete_folder).await
    }

    fn locate(&self, key: &str) -> String {
        self.folder.path(key).display().to_string()
    }

    /// A file system loses no answers: there, a document that is the same is another worker's.
    fn may_lose_answers(&self) -> bool {
        false
    }
}
