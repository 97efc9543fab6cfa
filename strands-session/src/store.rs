//! A place that keeps sessions: which there are, and how one goes away.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use strands_core::session::{OpenedSession, SessionError};

use crate::session::StoredSession;
use crate::storage::{Files, Objects, Storage};
use crate::{id, layout};

/// A place that keeps sessions: a folder, or a prefix in an object store. Clones are the same place.
///
/// ```
/// use std::sync::Arc;
/// use strands_session::SessionStore;
/// use strands_session::object_store::memory::InMemory;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = SessionStore::objects(Arc::new(InMemory::new()), "agent_sessions")?;
/// assert_eq!(store.list().await?, Vec::<String>::new());
/// # Ok::<(), strands_core::session::SessionError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SessionStore {
    storage: Arc<Storage>,
}

impl SessionStore {
    /// Sessions in a folder of this machine. The folder is made with the first session.
    pub fn files(folder: impl AsRef<Path>) -> Self {
        Self { storage: Arc::new(Storage::Files(Files::new(folder.as_ref()))) }
    }

    /// Sessions in an object store, below a prefix (which may be empty).
    ///
    /// The store must be able to create and update objects conditionally, as S3, Google Cloud Storage, Azure and
    /// [`InMemory`](object_store::memory::InMemory) do. Its `LocalFileSystem` does not: use [`files`](Self::files).
    ///
    /// # Errors
    ///
    /// [`SessionError::Storage`] when the prefix is no path in an object store.
    pub fn objects(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, SessionError> {
        let prefix =
            object_store::path::Path::parse(prefix.trim_matches('/')).map_err(|error| SessionError::Storage {
                action: "use",
                key: format!("prefix `{}`", prefix.escape_debug()),
                source: error.into(),
            })?;
        Ok(Self { storage: Arc::new(Storage::Objects(Objects::new(store, prefix))) })
    }

    /// The ids of the sessions, in alphabetical order.
    ///
    /// # Errors
    ///
    /// [`SessionError::Storage`] when the store can't be read.
    pub async fn list(&self) -> Result<Vec<String>, SessionError> {
        let folders = self.storage.folders().await?;
        let mut ids: Vec<String> = folders
            .iter()
            .filter_map(|folder| layout::session_id(folder))
            .filter(|session_id| id::validate("session id", session_id).is_ok())
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Deletes a session with all its agents and orchestrators. Do so when no worker has it open: one that has would go on
    /// appending, to a session without a beginning.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFound`] when there is no such session, [`SessionError::InvalidId`] when there can't be, and
    /// [`SessionError::Storage`] when the store does not delete it; then it can be tried again.
    pub async fn delete(&self, session_id: &str) -> Result<(), SessionError> {
        id::validate("session id", session_id)?;
        let folder = layout::session_folder(session_id);
        if self.storage.delete_folder(&folder, &layout::session_document(session_id)).await? {
            Ok(())
        } else {
            Err(SessionError::NotFound { what: "the session", key: self.storage.locate(&folder) })
        }
    }

    /// What keeps the documents.
    pub(crate) fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// Opens an agent's part of a session.
    pub(crate) async fn open(&self, session_id: &str, agent_id: &str) -> Result<OpenedSession, SessionError> {
        id::validate("session id", session_id)?;
        id::validate("agent id", agent_id)?;
        let (session, record) = StoredSession::open(Arc::clone(&self.storage), session_id, agent_id).await?;
        Ok(OpenedSession::new(Box::new(session), record))
    }
}
