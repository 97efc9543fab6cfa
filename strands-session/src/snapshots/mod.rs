//! Session manager of snapshots: the state of an agent in one document, and checkpoints to restore.

mod agent_memory;
pub(crate) mod ids;
pub(crate) mod key_layout;
mod session;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::Snapshot;
use strands_core::session::{AgentRecord, MultiAgentSession, OpenedSession, SessionError, SessionManager};

use crate::multi_agents::{Layout, StoredRun};
use crate::tracked_document::{Outcome, TrackedDocument};
use crate::{SessionStore, id_validation};
use agent_memory::AgentMemory;
use session::SnapshotSession;

type CheckpointWhen = dyn Fn(&Snapshot) -> bool + Send + Sync;

/// A [`SessionManager`] that stores each agent, graph and swarm as one document, its latest snapshot, in the layout of Strands'
/// `SnapshotSessionManager`.
///
/// Restoring an agent takes one request. The snapshot has the messages that the conversation manager has left. Each write
/// stores the whole snapshot: for long conversations that are not truncated, managers with one document for each message,
/// such as [`FileSessionManager`](crate::FileSessionManager), write less.
///
/// A checkpoint is a copy of the latest snapshot that is never overwritten, see [`checkpoint`](Self::checkpoint) and
/// [`checkpoint_when`](Self::checkpoint_when).
///
/// ```
/// use std::sync::Arc;
/// use strands::{Agent, testing::ScriptedModel};
/// use strands::session::object_store::memory::InMemory;
/// use strands::session::{SessionStore, SnapshotSessionManager};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = SessionStore::objects(Arc::new(InMemory::new()), "")?;
/// let sessions = SnapshotSessionManager::new("user-42", store)?
///     .checkpoint_when(|snapshot| snapshot.data.messages.as_ref().is_some_and(|messages| messages.len() >= 2));
/// let template = Agent::builder().model(ScriptedModel::responding("hi")).agent_id("main");
/// let mut agent = template.clone().session_manager(sessions.clone()).build().await?;
/// agent.prompt("hello").await?;
///
/// let checkpoints = sessions.snapshot_ids("main", None, 10).await?;
/// let mut other = template.build().await?;
/// other.restore(sessions.snapshot("main", &checkpoints[0]).await?)?;
/// assert_eq!(other.messages(), agent.messages());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SnapshotSessionManager {
    session_id: String,
    store: SessionStore,
    policy: Policy,
}

/// The time of writing the latest snapshot of an agent. The run of a graph or swarm is written with each of its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveOn {
    /// With each message and each change of the record. A crash loses at most the message in flight.
    #[default]
    Message,
    /// At the end of an invocation, and with a replacement of the newest message. A crash during an invocation loses its
    /// messages, including the results of tools that have run. A conflict with another worker is reported at the end of
    /// the invocation, too.
    Invocation,
}

#[derive(Clone, Default)]
struct Policy {
    save_on: SaveOn,
    checkpoint_when: Option<Arc<CheckpointWhen>>,
}

impl Policy {
    fn is_checkpoint(&self, snapshot: impl FnOnce() -> Snapshot) -> bool {
        self.checkpoint_when.as_ref().is_some_and(|checkpoint_when| checkpoint_when(&snapshot()))
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("save_on", &self.save_on)
            .field("checkpoint_when", &self.checkpoint_when.is_some())
            .finish()
    }
}

impl SnapshotSessionManager {
    /// Creates a manager of the session with this id in a store: [`SessionStore::files`], [`SessionStore::objects`], or
    /// the store of another manager, such as an `S3SessionManager`.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn new(session_id: impl Into<String>, store: SessionStore) -> Result<Self, SessionError> {
        let session_id = session_id.into();
        id_validation::validate("session id", &session_id)?;
        Ok(Self { session_id, store, policy: Policy::default() })
    }

    /// Creates a manager of another session with the same store and settings, as a server with many sessions does for
    /// each request.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn for_session(&self, session_id: impl Into<String>) -> Result<Self, SessionError> {
        Ok(Self { policy: self.policy.clone(), ..Self::new(session_id, self.store.clone())? })
    }

    /// Sets the time of writing the latest snapshot. Default: [`SaveOn::Message`].
    #[must_use]
    pub fn save_on(mut self, save_on: SaveOn) -> Self {
        self.policy.save_on = save_on;
        self
    }

    /// Sets a predicate for automatic checkpoints. It is called once at the end of each invocation with new messages, after
    /// the latest snapshot is written; if it returns `true`, a checkpoint of that snapshot is created. Default: none.
    #[must_use]
    pub fn checkpoint_when(mut self, checkpoint_when: impl Fn(&Snapshot) -> bool + Send + Sync + 'static) -> Self {
        self.policy.checkpoint_when = Some(Arc::new(checkpoint_when));
        self
    }

    /// Returns the store of this session and others.
    pub fn store(&self) -> &SessionStore {
        &self.store
    }

    /// Returns the ids of an agent's checkpoints, oldest first: those after `start_after`, and at most `limit`.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if an id is invalid, and [`SessionError::Storage`] if the store can't be read.
    pub async fn snapshot_ids(
        &self,
        agent_id: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, SessionError> {
        id_validation::validate("agent id", agent_id)?;
        if let Some(start_after) = start_after {
            id_validation::validate("snapshot id", start_after)?;
        }
        let folder = key_layout::history_folder(&self.session_id, agent_id);
        let names = self.store.storage().names(&folder).await?;
        let ids = names.iter().filter_map(|name| key_layout::snapshot_id(name));
        let mut ids: Vec<String> = ids.filter(|id| Some(*id) > start_after).map(str::to_owned).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }

    /// Returns an agent's checkpoint, to inspect it or to restore it into an agent without a session.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::NotFound`] if there is no checkpoint with this id, [`SessionError::InvalidId`] if the id is
    /// invalid, [`SessionError::Corrupt`] if the document is not a snapshot of an agent, and [`SessionError::Storage`] if
    /// the store can't be read.
    pub async fn snapshot(&self, agent_id: &str, snapshot_id: &str) -> Result<Snapshot, SessionError> {
        let (location, bytes) = self.read_checkpoint(agent_id, snapshot_id).await?;
        agent_memory::snapshot(&location, &bytes)
    }

    /// Returns an agent's latest snapshot, or `None` if the agent is new to the session.
    ///
    /// # Errors
    ///
    /// As for [`snapshot`](Self::snapshot).
    pub async fn latest(&self, agent_id: &str) -> Result<Option<Snapshot>, SessionError> {
        let mut latest = self.latest_document(agent_id)?;
        let location = self.store.storage().locate(latest.key());
        match latest.read(self.store.storage()).await? {
            Some(bytes) => agent_memory::snapshot(&location, bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Creates a checkpoint of an agent's latest snapshot, and returns its id.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::NotFound`] if there is no snapshot yet; otherwise as for [`snapshot`](Self::snapshot).
    pub async fn checkpoint(&self, agent_id: &str) -> Result<String, SessionError> {
        let storage = self.store.storage();
        let mut latest = self.latest_document(agent_id)?;
        let location = storage.locate(latest.key());
        let Some(bytes) = latest.read(storage).await? else {
            return Err(SessionError::NotFound { what: "the latest snapshot", key: location });
        };
        agent_memory::snapshot(&location, bytes)?;
        session::write_checkpoint(storage, &self.session_id, agent_id, bytes.clone()).await
    }

    /// Restores a checkpoint: it becomes the latest snapshot, from which agents that are built later continue. An agent that
    /// has the session open gets a [`SessionError::Conflict`] when it writes.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Conflict`] if an agent writes at the same time; otherwise as for
    /// [`snapshot`](Self::snapshot).
    pub async fn restore(&self, agent_id: &str, snapshot_id: &str) -> Result<(), SessionError> {
        let storage = self.store.storage();
        let (location, bytes) = self.read_checkpoint(agent_id, snapshot_id).await?;
        agent_memory::snapshot(&location, &bytes)?;
        let mut latest = self.latest_document(agent_id)?;
        let expected =
            latest.read(storage).await?.map_or_else(|| "absent".to_owned(), |bytes| agent_memory::summary(bytes));
        match latest.write(storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => Err(session::conflict(&self.session_id, agent_id, expected, found.as_deref())),
        }
    }

    /// Deletes the session with all its agents, graphs and swarms. Call it when no worker has the session open.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::NotFound`] if there is no such session, and [`SessionError::Storage`] if the store fails to
    /// delete it; the call can be repeated then.
    pub async fn delete(&self) -> Result<(), SessionError> {
        let storage = self.store.storage();
        let folder = key_layout::session_folder(&self.session_id);
        if storage.delete_folder(&folder, &folder).await? {
            Ok(())
        } else {
            Err(SessionError::NotFound { what: "the session", key: storage.locate(&folder) })
        }
    }

    async fn read_checkpoint(&self, agent_id: &str, snapshot_id: &str) -> Result<(String, Bytes), SessionError> {
        id_validation::validate("agent id", agent_id)?;
        id_validation::validate("snapshot id", snapshot_id)?;
        let storage = self.store.storage();
        let key = key_layout::checkpoint(&key_layout::history_folder(&self.session_id, agent_id), snapshot_id);
        let location = storage.locate(&key);
        match storage.read(&key).await? {
            Some(stored) => Ok((location, stored.content)),
            None => Err(SessionError::NotFound { what: "the snapshot", key: location }),
        }
    }

    fn latest_document(&self, agent_id: &str) -> Result<TrackedDocument, SessionError> {
        id_validation::validate("agent id", agent_id)?;
        Ok(TrackedDocument::new(key_layout::latest(&self.session_id, agent_id)))
    }
}

#[async_trait]
impl SessionManager for SnapshotSessionManager {
    fn session_id(&self) -> &str {
        &self.session_id
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        id_validation::validate("agent id", agent_id)?;
        let storage = self.store.storage().clone();
        let policy = self.policy.clone();
        let (session, record) = SnapshotSession::open(storage, policy, &self.session_id, agent_id).await?;
        Ok(OpenedSession::new(Box::new(session), record))
    }

    async fn open_multi_agent(&self, multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        let storage = self.store.storage().clone();
        let run = StoredRun::open(storage, Layout::Snapshots, &self.session_id, multi_agent_id)?;
        Ok(Box::new(run))
    }
}

/// Returns the record of an agent in its snapshot.
pub(crate) fn record(location: &str, bytes: &[u8], agent_id: &str) -> Result<AgentRecord, SessionError> {
    AgentMemory::parse(location, bytes).map(|memory| memory.record(agent_id))
}
