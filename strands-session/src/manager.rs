//! Session managers of local files and of any store: an agent is built with one of them.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use strands_core::session::{MultiAgentSession, OpenedSession, SessionError, SessionManager};

use crate::SessionStore;
use crate::id_validation;

/// A [`SessionManager`] of a session in any store: an object store, or a custom one.
///
/// ```
/// use std::sync::Arc;
/// use strands::session::object_store::memory::InMemory;
/// use strands::session::{SessionStore, StoreSessionManager};
///
/// let store = SessionStore::objects(Arc::new(InMemory::new()), "agent_sessions")?;
/// let manager = StoreSessionManager::new("user-42", store)?;
/// # Ok::<(), strands::session::SessionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StoreSessionManager {
    session_id: String,
    store: SessionStore,
}

impl StoreSessionManager {
    /// Creates a manager of the session with this id in a store.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn new(session_id: impl Into<String>, store: SessionStore) -> Result<Self, SessionError> {
        let session_id = session_id.into();
        id_validation::validate("session id", &session_id)?;
        Ok(Self { session_id, store })
    }

    /// Creates a manager of another session in the same store, as a server with many sessions does for each request.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn for_session(&self, session_id: impl Into<String>) -> Result<Self, SessionError> {
        Self::new(session_id, self.store.clone())
    }

    /// Returns the store of this session and others.
    pub fn store(&self) -> &SessionStore {
        &self.store
    }
}

#[async_trait]
impl SessionManager for StoreSessionManager {
    fn session_id(&self) -> &str {
        &self.session_id
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        self.store.open(&self.session_id, agent_id).await
    }

    async fn open_multi_agent(&self, multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        self.store.open_multi_agent(&self.session_id, multi_agent_id)
    }
}

/// A [`SessionManager`] of a session in local files.
///
/// ```
/// use strands::session::FileSessionManager;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let manager = FileSessionManager::builder("user-42").dir("/var/lib/travel/sessions").build().await?;
/// # Ok::<(), strands::session::SessionError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct FileSessionManager {
    session_id: String,
    store: SessionStore,
}

/// Builder for [`FileSessionManager`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct FileSessionManagerBuilder {
    session_id: String,
    dir: Option<PathBuf>,
}

impl FileSessionManager {
    /// Creates a builder for the session with this id.
    pub fn builder(session_id: impl Into<String>) -> FileSessionManagerBuilder {
        FileSessionManagerBuilder { session_id: session_id.into(), dir: None }
    }

    /// Creates a manager of another session in the same folder, as a server with many sessions does for each request.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn for_session(&self, session_id: impl Into<String>) -> Result<Self, SessionError> {
        let session_id = session_id.into();
        id_validation::validate("session id", &session_id)?;
        Ok(Self { session_id, store: self.store.clone() })
    }

    /// Returns the store of this session and others.
    pub fn store(&self) -> &SessionStore {
        &self.store
    }
}

impl FileSessionManagerBuilder {
    /// Sets the folder of the sessions. It is created when the first session is written. Default: `~/.strands/sessions`.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Validates the id and builds the manager. The folder is not accessed before an agent is built with the manager.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored, and [`SessionError::Storage`] if no folder was set
    /// and the user has no home folder.
    #[expect(clippy::unused_async, reason = "async like the builders of managers that load credentials")]
    pub async fn build(self) -> Result<FileSessionManager, SessionError> {
        id_validation::validate("session id", &self.session_id)?;
        let dir = match self.dir {
            Some(dir) => dir,
            None => default_dir()?,
        };
        Ok(FileSessionManager { session_id: self.session_id, store: SessionStore::files(dir) })
    }
}

#[async_trait]
impl SessionManager for FileSessionManager {
    fn session_id(&self) -> &str {
        &self.session_id
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        self.store.open(&self.session_id, agent_id).await
    }

    async fn open_multi_agent(&self, multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        self.store.open_multi_agent(&self.session_id, multi_agent_id)
    }
}

fn default_dir() -> Result<PathBuf, SessionError> {
    match std::env::home_dir() {
        Some(home) if !home.as_os_str().is_empty() => Ok(home.join(".strands").join("sessions")),
        _ => Err(SessionError::Storage {
            action: "find",
            key: "~/.strands/sessions".to_owned(),
            source: "the user has no home folder; set a folder with `.dir(..)`".into(),
        }),
    }
}
