//! Session store: the sessions in a document store.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use strands_core::session::{MultiAgentSession, OpenedSession, SessionError};

use crate::document_store::DocumentStore;
use crate::multi_agents::{Layout, StoredRun};
use crate::session::StoredSession;
use crate::storage::Storage;
use crate::stores::{FileStore, ObjectDocumentStore};
use crate::{id_validation, key_layout};

/// The sessions in a [`DocumentStore`]: a folder, a prefix in an object store, or a database. Clones are the same store.
///
/// ```
/// use std::sync::Arc;
/// use strands::session::SessionStore;
/// use strands::session::object_store::memory::InMemory;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = SessionStore::objects(Arc::new(InMemory::new()), "agent_sessions")?;
/// assert_eq!(store.list().await?, Vec::<String>::new());
/// # Ok::<(), strands::session::SessionError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SessionStore {
    storage: Storage,
}

impl SessionStore {
    /// Creates a session store over any document store.
    pub fn new(documents: impl DocumentStore + 'static) -> Self {
        Self { storage: Storage::new(Arc::new(documents)) }
    }

    /// Creates a store of sessions in a local folder, with a [`FileStore`]. The folder is created with the first session.
    pub fn files(folder: impl AsRef<Path>) -> Self {
        Self::new(FileStore::new(folder))
    }

    /// Creates a store of sessions in an object store, below a prefix that may be empty, with an [`ObjectDocumentStore`].
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Storage`] if the prefix is not a valid path in an object store.
    pub fn objects(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, SessionError> {
        let documents = ObjectDocumentStore::new(store, prefix).map_err(|error| SessionError::Storage {
            action: "use",
            key: format!("prefix `{}`", prefix.escape_debug()),
            source: error.into(),
        })?;
        Ok(Self::new(documents))
    }

    /// Returns the ids of the sessions, in alphabetical order.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Storage`] if the store can't be read.
    pub async fn list(&self) -> Result<Vec<String>, SessionError> {
        let folders = self.storage.folders().await?;
        let mut ids: Vec<String> = folders
            .iter()
            .filter_map(|folder| key_layout::session_id(folder))
            .filter(|session_id| id_validation::validate("session id", session_id).is_ok())
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Deletes a session with all its agents, graphs and swarms. Call it when no worker has the session open: a worker
    /// that is in an invocation keeps appending, to a session without its earlier messages.
    ///
    /// If it returns an error or its future is dropped, the session may be deleted in part: call it again. The session's
    /// own document is deleted last, so that [`list`](Self::list) returns the session until all of it is deleted. A
    /// [`FileStore`] renames the session's folder first, so that it is no longer listed; the next `delete` or `list` on
    /// the same folder deletes the files that are left.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::NotFound`] if there is no such session, [`SessionError::InvalidId`] if the id is invalid,
    /// and [`SessionError::Storage`] if the store fails to delete it. A second attempt after a failure succeeds if it finds
    /// the rest of the session.
    pub async fn delete(&self, session_id: &str) -> Result<(), SessionError> {
        id_validation::validate("session id", session_id)?;
        let folder = key_layout::session_folder(session_id);
        if self.storage.delete_folder(&folder, &key_layout::session_document(session_id)).await? {
            Ok(())
        } else {
            Err(SessionError::NotFound { what: "the session", key: self.storage.locate(&folder) })
        }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Opens an agent's part of a session.
    pub(crate) async fn open(&self, session_id: &str, agent_id: &str) -> Result<OpenedSession, SessionError> {
        id_validation::validate("session id", session_id)?;
        id_validation::validate("agent id", agent_id)?;
        let (session, record) = StoredSession::open(self.storage.clone(), session_id, agent_id).await?;
        Ok(OpenedSession::new(Box::new(session), record))
    }

    /// Opens the storage of a graph or swarm in a session.
    pub(crate) fn open_multi_agent(
        &self,
        session_id: &str,
        multi_agent_id: &str,
    ) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        let run = StoredRun::open(self.storage.clone(), Layout::Messages, session_id, multi_agent_id)?;
        Ok(Box::new(run))
    }
}
