//! In-memory sessions for tests, with configurable latency and failures.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::message::Message;
use crate::session::{
    AgentRecord, MessageBatch, MessageRange, MultiAgentSession, OpenedSession, Session, SessionError, SessionManager,
};

/// An in-memory session for tests. Messages and records are copied through JSON. Clones share the session, so two agents on
/// it act as two workers.
///
/// # Examples
///
/// ```
/// use strands::{Agent, testing::{InMemorySessionManager, ScriptedModel}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let session = InMemorySessionManager::new("user-42");
/// let template = Agent::builder().model(ScriptedModel::responding("hi")).session_manager(session.clone());
/// template.clone().build().await?.prompt("hello").await?;
///
/// assert_eq!(session.messages("default").len(), 2);
/// assert_eq!(template.build().await?.messages().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct InMemorySessionManager {
    session_id: Arc<str>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    agents: HashMap<String, Stored>,
    multi_agents: HashMap<String, StoredDocument>,
    latency: Option<Duration>,
    /// Number of writes that still succeed.
    writes_left: Option<usize>,
}

impl Shared {
    /// Fails if no more writes are to succeed.
    fn count_write(&mut self) -> Result<(), SessionError> {
        let Some(left) = &mut self.writes_left else { return Ok(()) };
        let failed = || SessionError::Storage {
            action: "write",
            key: "the session in memory".to_owned(),
            source: "configured to fail".into(),
        };
        *left = left.checked_sub(1).ok_or_else(failed)?;
        Ok(())
    }
}

/// The document of a graph or swarm.
#[derive(Default)]
struct StoredDocument {
    document: Option<Value>,
    /// Counter of the saves.
    version: u64,
}

#[derive(Clone, Default)]
struct Stored {
    record: Option<AgentRecord>,
    messages: Vec<Arc<Message>>,
    /// Counters of the changes to the record and to the messages.
    versions: Versions,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Versions {
    record: u64,
    messages: u64,
}

impl Versions {
    /// Updates this worker's versions to `now` for what has changed between `before` and `since`.
    fn learn(&mut self, before: Self, since: Self, now: Self) {
        if before.record != since.record {
            self.record = now.record;
        }
        if before.messages != since.messages {
            self.messages = now.messages;
        }
    }

    /// Returns the versions after a change from these to `since` is undone. A version is never reused.
    fn replacing(self, since: Self) -> Self {
        let next = |before: u64, since: u64| if before == since { before } else { since + 1 };
        Self { record: next(self.record, since.record), messages: next(self.messages, since.messages) }
    }
}

impl InMemorySessionManager {
    /// Creates an empty session.
    pub fn new(session_id: impl Into<String>) -> Self {
        Self { session_id: session_id.into().into(), shared: Arc::default() }
    }

    /// Stores messages for an agent, like another worker.
    #[must_use]
    pub fn with_messages(self, agent_id: &str, messages: impl IntoIterator<Item = Message>) -> Self {
        {
            let mut shared = self.lock();
            let stored = shared.agents.entry(agent_id.to_owned()).or_default();
            stored.record.get_or_insert_with(|| AgentRecord::new(agent_id));
            stored.messages.extend(messages.into_iter().map(Arc::new));
            stored.versions.messages += 1;
        }
        self
    }

    /// Returns the messages of an agent.
    pub fn messages(&self, agent_id: &str) -> Vec<Arc<Message>> {
        self.lock().agents.get(agent_id).map(|stored| stored.messages.clone()).unwrap_or_default()
    }

    /// Returns the record of an agent, if there is one.
    pub fn record(&self, agent_id: &str) -> Option<AgentRecord> {
        self.lock().agents.get(agent_id)?.record.clone()
    }

    /// Stores the record of an agent, like another worker.
    pub fn set_record(&self, record: AgentRecord) {
        let mut shared = self.lock();
        let stored = shared.agents.entry(record.agent_id.clone()).or_default();
        stored.record = Some(record);
        stored.versions.record += 1;
    }

    /// Returns the document of a graph or swarm, if there is one.
    pub fn multi_agent(&self, multi_agent_id: &str) -> Option<Value> {
        self.lock().multi_agents.get(multi_agent_id)?.document.clone()
    }

    /// Stores the document of a graph or swarm, like another worker.
    pub fn set_multi_agent(&self, multi_agent_id: impl Into<String>, document: Value) {
        let mut shared = self.lock();
        let stored = shared.multi_agents.entry(multi_agent_id.into()).or_default();
        stored.document = Some(document);
        stored.version += 1;
    }

    /// Sets the latency of writes: the delay before a write happens, and again before it returns.
    pub fn set_latency(&self, latency: Option<Duration>) {
        self.lock().latency = latency;
    }

    /// Makes writes fail after `writes` of them have succeeded; with `None`, all succeed.
    pub fn fail_after(&self, writes: Option<usize>) {
        self.lock().writes_left = writes;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) {
        let latency = self.lock().latency;
        if let Some(latency) = latency {
            tokio::time::sleep(latency).await;
        }
    }
}

#[async_trait]
impl SessionManager for InMemorySessionManager {
    fn session_id(&self) -> &str {
        &self.session_id
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        let stored = self.lock().agents.get(agent_id).cloned().unwrap_or_default();
        let session = MemorySession {
            manager: self.clone(),
            agent_id: agent_id.to_owned(),
            known: stored.versions,
            unconfirmed: None,
        };
        Ok(OpenedSession::new(Box::new(session), stored.record))
    }

    async fn open_multi_agent(&self, multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        Ok(Box::new(MemoryDocument { manager: self.clone(), multi_agent_id: multi_agent_id.to_owned(), known: 0 }))
    }
}

struct MemoryDocument {
    manager: InMemorySessionManager,
    multi_agent_id: String,
    /// The version that this worker last read or saved.
    known: u64,
}

#[async_trait]
impl MultiAgentSession for MemoryDocument {
    async fn read(&mut self) -> Result<Option<Value>, SessionError> {
        let shared = self.manager.lock();
        let Some(stored) = shared.multi_agents.get(&self.multi_agent_id) else { return Ok(None) };
        self.known = stored.version;
        Ok(stored.document.clone())
    }

    async fn save(&mut self, document: &Value) -> Result<(), SessionError> {
        self.manager.wait().await;
        {
            let mut shared = self.manager.lock();
            shared.count_write()?;
            let stored = shared.multi_agents.entry(self.multi_agent_id.clone()).or_default();
            if stored.version != self.known {
                return Err(SessionError::Conflict {
                    session_id: self.manager.session_id.to_string(),
                    what: format!("the run of `{}`", self.multi_agent_id),
                    expected: format!("version {}", self.known),
                    found: format!("version {}", stored.version),
                });
            }
            stored.document = Some(document.clone());
            stored.version += 1;
            self.known = stored.version;
        }
        self.manager.wait().await;
        Ok(())
    }
}

struct MemorySession {
    manager: InMemorySessionManager,
    agent_id: String,
    known: Versions,
    /// State before a write whose future may have been dropped, and the versions after it.
    unconfirmed: Option<(Stored, Versions)>,
}

impl MemorySession {
    /// Changes the stored state, unless another worker has changed it.
    async fn change(
        &mut self,
        what: &str,
        is_known: impl Fn(Versions, Versions) -> bool + Send,
        change: impl FnOnce(&mut Stored) -> Result<(), SessionError> + Send,
    ) -> Result<(), SessionError> {
        self.manager.wait().await;
        self.apply(what, is_known, change)?;
        self.manager.wait().await;
        self.unconfirmed = None;
        Ok(())
    }

    fn apply(
        &mut self,
        what: &str,
        is_known: impl Fn(Versions, Versions) -> bool,
        change: impl FnOnce(&mut Stored) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let mut shared = self.manager.lock();
        shared.count_write()?;
        let stored = shared.agents.entry(self.agent_id.clone()).or_default();
        if let Some((before, since)) = self.unconfirmed.take()
            && since == stored.versions
        {
            // This write replaces one of this worker that was dropped. Workers that have read that one get a conflict.
            let versions = before.versions.replacing(since);
            self.known.learn(before.versions, since, versions);
            *stored = Stored { versions, ..before };
        }
        if !is_known(stored.versions, self.known) {
            return Err(SessionError::Conflict {
                session_id: self.manager.session_id.to_string(),
                what: format!("{what} of agent `{}`", self.agent_id),
                expected: "unchanged".to_owned(),
                found: "changed".to_owned(),
            });
        }
        let before = stored.clone();
        if let Err(error) = change(stored) {
            *stored = before;
            return Err(error);
        }
        self.known.learn(before.versions, stored.versions, stored.versions);
        self.unconfirmed = Some((before, stored.versions));
        Ok(())
    }
}

#[async_trait]
impl Session for MemorySession {
    async fn read(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        let shared = self.manager.lock();
        let Some(stored) = shared.agents.get(&self.agent_id) else { return Ok(Vec::new()) };
        self.known.messages = stored.versions.messages;
        self.unconfirmed = None;
        let messages = (0..).zip(&stored.messages);
        let wanted = messages.filter(|(position, _)| *position >= range.from || range.earlier.contains(position));
        Ok(wanted.map(|(_, message)| Arc::clone(message)).collect())
    }

    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError> {
        let is_known = |stored: Versions, known: Versions| stored.messages == known.messages;
        let agent_id = self.agent_id.clone();
        self.change("the messages", is_known, |stored| {
            if let Some(replaced) = &batch.replaced {
                let Some(newest) = stored.messages.last_mut() else {
                    return Err(SessionError::NotFound { what: "the message to replace", key: agent_id });
                };
                *newest = Arc::new(through_json(&**replaced)?);
            }
            for message in &batch.appended {
                stored.messages.push(Arc::new(through_json(&**message)?));
            }
            stored.versions.messages += 1;
            Ok(())
        })
        .await
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        let is_known = |stored: Versions, known: Versions| stored.record == known.record;
        self.change("the record", is_known, |stored| {
            if stored.record.as_ref() != Some(record) {
                stored.record = Some(through_json(record)?);
                stored.versions.record += 1;
            }
            Ok(())
        })
        .await
    }

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        self.change(
            "the messages",
            |stored, known| stored == known,
            |stored| {
                stored.messages.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
                stored.record = Some(through_json(record)?);
                stored.versions =
                    Versions { record: stored.versions.record + 1, messages: stored.versions.messages + 1 };
                Ok(())
            },
        )
        .await
    }
}

/// Returns a copy of a value through JSON, as a store has it.
fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, SessionError> {
    let json = serde_json::to_string(value).and_then(|json| serde_json::from_str(&json));
    // Like all JSON that is read elsewhere: types are compiled for reading from values, and not from text as well.
    let written = json.and_then(serde_json::from_value);
    written.map_err(|source| SessionError::Storage {
        action: "write",
        key: "the session in memory".to_owned(),
        source: source.into(),
    })
}

impl fmt::Debug for InMemorySessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemorySessionManager").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}
