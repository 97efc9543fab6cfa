//! Sessions that are kept as snapshots: an agent's whole memory in one document, and the history of it that a program
//! wants to go back to.

mod ids;
pub(crate) mod layout;
mod memory;
mod session;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::Snapshot;
use strands_core::session::{OpenedSession, SessionError, SessionManager};

use crate::slot::{Outcome, Slot};
use crate::{SessionStore, id};
use session::SnapshotSession;

type KeepWhen = dyn Fn(&Snapshot) -> bool + Send + Sync;

/// A session that keeps each agent's memory as one document, its latest snapshot, in the layout of Strands'
/// `SnapshotSessionManager`.
///
/// Restoring it takes one request, and it has what the conversation managers have left of the conversation. But each
/// write is of the whole: for conversations that grow long and are not shortened, the managers that keep messages apart,
/// such as [`FileSessionManager`](crate::FileSessionManager), write less.
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
///     .keep_when(|snapshot| snapshot.data.messages.as_ref().is_some_and(|messages| messages.len() >= 2));
/// let template = Agent::builder().model(ScriptedModel::answering("hi")).agent_id("main");
/// let mut agent = template.clone().session_manager(sessions.clone()).build().await?;
/// agent.prompt("hello").await?;
///
/// let kept = sessions.snapshot_ids("main", None, 10).await?;
/// let mut other = template.build().await?;
/// other.restore(sessions.snapshot("main", &kept[0]).await?)?;
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

/// When the latest snapshot is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveOn {
    /// With each message and each change. A crash loses at most the message that was being written.
    #[default]
    Message,
    /// When an invocation ends, and when the newest message is replaced: a crash in between loses what the invocation
    /// has said and what its tools have answered, though the tools have done their work. That another worker was faster
    /// shows only at the end, too.
    Invocation,
}

#[derive(Clone, Default)]
struct Policy {
    save_on: SaveOn,
    keep_when: Option<Arc<KeepWhen>>,
}

impl Policy {
    fn keeps(&self, snapshot: impl FnOnce() -> Snapshot) -> bool {
        self.keep_when.as_ref().is_some_and(|keep_when| keep_when(&snapshot()))
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("save_on", &self.save_on).field("keep_when", &self.keep_when.is_some()).finish()
    }
}

impl SnapshotSessionManager {
    /// The session of this id in this store: [`SessionStore::files`], [`SessionStore::objects`], or the store of another
    /// manager, such as that of an `S3SessionManager`.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidId`] when the id can't be stored.
    pub fn new(session_id: impl Into<String>, store: SessionStore) -> Result<Self, SessionError> {
        let session_id = session_id.into();
        id::validate("session id", &session_id)?;
        Ok(Self { session_id, store, policy: Policy::default() })
    }

    /// Another session in the same place, kept in the same way: what a server with many sessions makes for each of them.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidId`] when the id can't be stored.
    pub fn for_session(&self, session_id: impl Into<String>) -> Result<Self, SessionError> {
        Ok(Self { policy: self.policy.clone(), ..Self::new(session_id, self.store.clone())? })
    }

    /// When the latest snapshot is written. Default: [`SaveOn::Message`].
    #[must_use]
    pub fn save_on(mut self, save_on: SaveOn) -> Self {
        self.policy.save_on = save_on;
        self
    }

    /// Which snapshots are kept for good. Each invocation that has said something asks once, when it ends and the latest
    /// snapshot is written; where the answer is `true`, a copy of it joins the agent's history. Default: none.
    #[must_use]
    pub fn keep_when(mut self, keep_when: impl Fn(&Snapshot) -> bool + Send + Sync + 'static) -> Self {
        self.policy.keep_when = Some(Arc::new(keep_when));
        self
    }

    /// The place that keeps this session and others.
    pub fn store(&self) -> &SessionStore {
        &self.store
    }

    /// The ids of an agent's kept snapshots, oldest first: those after `start_after`, and at most `limit`.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidId`] when an id can't be one, and [`SessionError::Storage`] when the store can't be read.
    pub async fn snapshot_ids(
        &self,
        agent_id: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, SessionError> {
        id::validate("agent id", agent_id)?;
        if let Some(start_after) = start_after {
            id::validate("snapshot id", start_after)?;
        }
        let folder = layout::history_folder(&self.session_id, agent_id);
        let names = self.store.storage().names(&folder).await?;
        let ids = names.iter().filter_map(|name| layout::snapshot_id(name));
        let mut ids: Vec<String> = ids.filter(|id| Some(*id) > start_after).map(str::to_owned).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }

    /// A kept snapshot of an agent, to be restored into an agent without a session, or looked at.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFound`] when there is none of this id, [`SessionError::InvalidId`] when there can't be,
    /// [`SessionError::Corrupt`] when it is no snapshot of an agent, and [`SessionError::Storage`] when the store can't
    /// be read.
    pub async fn snapshot(&self, agent_id: &str, snapshot_id: &str) -> Result<Snapshot, SessionError> {
        let (place, bytes) = self.read_kept(agent_id, snapshot_id).await?;
        memory::snapshot(&place, &bytes)
    }

    /// An agent's latest snapshot; `None` for an agent that is new to the session.
    ///
    /// # Errors
    ///
    /// As for [`snapshot`](Self::snapshot).
    pub async fn latest(&self, agent_id: &str) -> Result<Option<Snapshot>, SessionError> {
        let mut latest = self.latest_slot(agent_id)?;
        let place = self.store.storage().locate(latest.key());
        match latest.read(self.store.storage()).await? {
            Some(bytes) => memory::snapshot(&place, bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Keeps a copy of an agent's latest snapshot for good, and returns its id.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFound`] when there is no snapshot yet; otherwise as for [`snapshot`](Self::snapshot).
    pub async fn keep(&self, agent_id: &str) -> Result<String, SessionError> {
        let storage = self.store.storage();
        let mut latest = self.latest_slot(agent_id)?;
        let place = storage.locate(latest.key());
        let Some(bytes) = latest.read(storage).await? else {
            return Err(SessionError::NotFound { what: "the latest snapshot", key: place });
        };
        memory::snapshot(&place, bytes)?;
        session::keep(storage, &self.session_id, agent_id, bytes.clone()).await
    }

    /// Goes back to a kept snapshot: it becomes the latest, which agents that are built from now on go on from. An agent
    /// that has the session open gets a [`SessionError::Conflict`] when it writes.
    ///
    /// # Errors
    ///
    /// [`SessionError::Conflict`] when an agent writes at this moment; otherwise as for [`snapshot`](Self::snapshot).
    pub async fn go_back(&self, agent_id: &str, snapshot_id: &str) -> Result<(), SessionError> {
        let storage = self.store.storage();
        let (place, bytes) = self.read_kept(agent_id, snapshot_id).await?;
        memory::snapshot(&place, &bytes)?;
        let mut latest = self.latest_slot(agent_id)?;
        let expected = latest.read(storage).await?.map_or_else(|| "absent".to_owned(), |bytes| memory::summary(bytes));
        match latest.write(storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => Err(session::conflict(&self.session_id, agent_id, expected, found.as_deref())),
        }
    }

    /// Deletes the session with all its agents and their snapshots. Do so when no worker has it open.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFound`] when there is no such session, and [`SessionError::Storage`] when the store does not
    /// delete it; then it can be tried again.
    pub async fn delete(&self) -> Result<(), SessionError> {
        let storage = self.store.storage();
        let folder = layout::session_folder(&self.session_id);
        if storage.delete_folder(&folder, &folder).await? {
            Ok(())
        } else {
            Err(SessionError::NotFound { what: "the session", key: storage.locate(&folder) })
        }
    }

    async fn read_kept(&self, agent_id: &str, snapshot_id: &str) -> Result<(String, Bytes), SessionError> {
        id::validate("agent id", agent_id)?;
        id::validate("snapshot id", snapshot_id)?;
        let storage = self.store.storage();
        let key = layout::kept(&layout::history_folder(&self.session_id, agent_id), snapshot_id);
        let place = storage.locate(&key);
        match storage.read(&key).await? {
            Some(stored) => Ok((place, stored.content)),
            None => Err(SessionError::NotFound { what: "the snapshot", key: place }),
        }
    }

    fn latest_slot(&self, agent_id: &str) -> Result<Slot, SessionError> {
        id::validate("agent id", agent_id)?;
        Ok(Slot::new(layout::latest(&self.session_id, agent_id)))
    }
}

#[async_trait]
impl SessionManager for SnapshotSessionManager {
    fn session_id(&self) -> &str {
        &self.session_id
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        id::validate("agent id", agent_id)?;
        let storage = self.store.storage().clone();
        let policy = self.policy.clone();
        let (session, record) = SnapshotSession::open(storage, policy, &self.session_id, agent_id).await?;
        Ok(OpenedSession::new(Box::new(session), record))
    }
}
