//! Records of tasks and contexts in a store.

use std::sync::Arc;

use a2a::{Task, TaskPushNotificationConfig, TaskState};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strands_core::{Continuation, Interrupt};
use uuid::Uuid;

use super::{PutOutcome, RecordKey, RecordKind, RecordVersion, StoredRecord, TaskStore};
use crate::server::failure::Failure;

/// A task, and what is needed to continue it. It has no `Debug`, since it has conversations and credentials.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::server) struct TaskRecord {
    pub(in crate::server) task: Task,
    /// Interrupts that wait for a response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::server) interrupts: Vec<Interrupt>,
    /// State of the agent that waits for the responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::server) continuation: Option<Continuation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::server) push: Vec<PushConfig>,
    /// The run, while there is one. It has ended without a result if it does not renew its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::server) run: Option<RunLease>,
    pub(in crate::server) updated: DateTime<Utc>,
}

/// The part of a task that lists need to choose it.
#[derive(Deserialize)]
pub(in crate::server) struct ListedTask {
    pub(in crate::server) task: TaskHead,
    #[serde(default)]
    pub(in crate::server) run: Option<RunLease>,
    pub(in crate::server) updated: DateTime<Utc>,
}

/// A [`Task`] without its content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::server) struct TaskHead {
    pub(in crate::server) id: String,
    pub(in crate::server) context_id: String,
    pub(in crate::server) status: StatusHead,
}

/// A status without its message.
#[derive(Deserialize)]
pub(in crate::server) struct StatusHead {
    pub(in crate::server) state: TaskState,
    #[serde(default)]
    pub(in crate::server) timestamp: Option<DateTime<Utc>>,
}

/// A run of a task in one of the processes that share the store.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::server) struct RunLease {
    pub(in crate::server) id: String,
    pub(in crate::server) until: DateTime<Utc>,
    /// True if another process asks for the cancellation.
    #[serde(default)]
    pub(in crate::server) is_canceled: bool,
}

/// A configuration of push notifications.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::server) struct PushConfig {
    pub(in crate::server) config: TaskPushNotificationConfig,
    /// True for a client of protocol 0.3, whose notifications have the form of that version.
    #[serde(default)]
    pub(in crate::server) is_v03: bool,
}

/// A context: the conversation of tasks that follow each other.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::server) struct ContextRecord {
    pub(in crate::server) id: String,
    /// Conversation of the agent after the last task, if the agent does not keep it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::server) conversation: Option<Continuation>,
    /// True if the conversation was too large to be kept.
    #[serde(default)]
    pub(in crate::server) is_too_large: bool,
    /// Task that runs, if it has not ended or lost its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::server) running: Option<String>,
    /// Task that waits for input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::server) waiting: Option<String>,
    pub(in crate::server) updated: DateTime<Utc>,
}

impl ContextRecord {
    pub(in crate::server) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }
}

/// A record, and how the store has it.
pub(in crate::server) struct Versioned<T> {
    pub(in crate::server) record: T,
    pub(in crate::server) stored: StoredRecord,
}

/// The records of a server.
#[derive(Clone)]
pub(in crate::server) struct Records {
    store: Arc<dyn TaskStore>,
}

impl Records {
    pub(in crate::server) fn new(store: Arc<dyn TaskStore>) -> Self {
        Self { store }
    }

    /// Returns a task of a caller. Ids that this server has not made are those of no task.
    pub(in crate::server) async fn task(
        &self,
        caller: &str,
        id: &str,
    ) -> Result<Option<Versioned<TaskRecord>>, Failure> {
        match task_key(caller, id) {
            Some(key) => self.read(&key).await,
            None => Ok(None),
        }
    }

    /// Returns true if the store has this version of a task. Its content is not parsed.
    pub(in crate::server) async fn has_task(
        &self,
        caller: &str,
        id: &str,
        version: &RecordVersion,
    ) -> Result<bool, Failure> {
        let Some(key) = task_key(caller, id) else { return Ok(false) };
        let stored = self.store.get(&key).await.map_err(Failure::internal)?;
        Ok(stored.is_some_and(|stored| stored.version == *version))
    }

    /// Writes a task, and returns how the store has it, or `None` if another writer was first.
    pub(in crate::server) async fn put_task(
        &self,
        caller: &str,
        record: &TaskRecord,
        known: Option<&StoredRecord>,
    ) -> Result<Option<StoredRecord>, Failure> {
        let key = RecordKey::new(caller, RecordKind::Task, record.task.id.as_str());
        self.write(&key, record, known).await
    }

    /// Writes the earlier content of a task again, unless another writer was first.
    pub(in crate::server) async fn restore_task(
        &self,
        caller: &str,
        id: &str,
        earlier: StoredRecord,
        known: &StoredRecord,
    ) -> Result<(), Failure> {
        let key = RecordKey::new(caller, RecordKind::Task, id);
        self.store.put(&key, earlier.content, Some(known)).await.map(drop).map_err(Failure::internal)
    }

    pub(in crate::server) async fn context(
        &self,
        caller: &str,
        id: &str,
    ) -> Result<Option<Versioned<ContextRecord>>, Failure> {
        self.read(&RecordKey::new(caller, RecordKind::Context, id)).await
    }

    /// Writes a context, and returns false if another writer was first.
    pub(in crate::server) async fn put_context(
        &self,
        caller: &str,
        record: &ContextRecord,
        known: Option<&StoredRecord>,
    ) -> Result<bool, Failure> {
        let key = RecordKey::new(caller, RecordKind::Context, record.id.as_str());
        Ok(self.write(&key, record, known).await?.is_some())
    }

    /// Changes a context. Of two processes, the one that writes last sees the changes of the other.
    pub(in crate::server) async fn change_context(
        &self,
        caller: &str,
        id: &str,
        change: impl Fn(&mut ContextRecord),
    ) -> Result<(), Failure> {
        let key = RecordKey::new(caller, RecordKind::Context, id);
        loop {
            let stored: Option<Versioned<ContextRecord>> = self.read(&key).await?;
            let (mut record, known) = match stored {
                Some(Versioned { record, stored }) => (record, Some(stored)),
                None => (ContextRecord::new(id), None),
            };
            change(&mut record);
            record.updated = Utc::now();
            if self.write(&key, &record, known.as_ref()).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Returns what `keep` keeps of the heads of the tasks of a caller.
    pub(in crate::server) async fn listed_tasks<T>(
        &self,
        caller: &str,
        keep: impl FnMut(ListedTask) -> Option<T> + Send,
    ) -> Result<Vec<T>, Failure> {
        self.list(caller, RecordKind::Task, keep).await
    }

    /// Returns a task for a list, unless it can't be read.
    pub(in crate::server) async fn listed_task(&self, caller: &str, id: &str) -> Result<Option<Task>, Failure> {
        let Some(key) = task_key(caller, id) else { return Ok(None) };
        let stored = self.store.get(&key).await.map_err(Failure::internal)?;
        Ok(stored.and_then(|stored| readable(&stored)).map(|record: TaskRecord| record.task))
    }

    /// Returns what `keep` keeps of the contexts of a caller.
    pub(in crate::server) async fn contexts<T>(
        &self,
        caller: &str,
        keep: impl FnMut(ContextRecord) -> Option<T> + Send,
    ) -> Result<Vec<T>, Failure> {
        self.list(caller, RecordKind::Context, keep).await
    }

    async fn list<R: DeserializeOwned, T>(
        &self,
        caller: &str,
        kind: RecordKind,
        mut keep: impl FnMut(R) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut records = self.store.list(caller, kind);
        let mut kept = Vec::new();
        // One whole record at a time.
        while let Some(stored) = records.next().await {
            let stored = stored.map_err(Failure::internal)?;
            kept.extend(readable(&stored).and_then(&mut keep));
        }
        Ok(kept)
    }

    pub(in crate::server) async fn delete(&self, caller: &str, kind: RecordKind, id: &str) -> Result<(), Failure> {
        self.store.delete(&RecordKey::new(caller, kind, id)).await.map_err(Failure::internal)
    }

    async fn read<T: DeserializeOwned>(&self, key: &RecordKey) -> Result<Option<Versioned<T>>, Failure> {
        let stored = self.store.get(key).await.map_err(Failure::internal)?;
        let versioned = |stored: StoredRecord| Ok(Versioned { record: parse(&stored.content)?, stored });
        stored.map(versioned).transpose()
    }

    async fn write<T: Serialize>(
        &self,
        key: &RecordKey,
        record: &T,
        known: Option<&StoredRecord>,
    ) -> Result<Option<StoredRecord>, Failure> {
        let content = Bytes::from(serde_json::to_vec(record).map_err(Failure::internal)?);
        match self.store.put(key, content.clone(), known).await.map_err(Failure::internal)? {
            PutOutcome::Done(version) => Ok(Some(StoredRecord::new(content, version))),
            PutOutcome::Conflict => Ok(None),
        }
    }
}

/// Returns the key of a task, unless the id is none of this server's, which stores need not be asked for.
fn task_key(caller: &str, id: &str) -> Option<RecordKey> {
    let is_own = Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id);
    is_own.then(|| RecordKey::new(caller, RecordKind::Task, id))
}

/// Returns the record of a list, unless it can't be read: the others are listed all the same.
fn readable<T: DeserializeOwned>(stored: &StoredRecord) -> Option<T> {
    let parsed = serde_json::from_slice(&stored.content);
    parsed
        .inspect_err(|error| tracing::error!(%error, "a record of an A2A server can't be read, and is not listed"))
        .ok()
}

fn parse<T: DeserializeOwned>(content: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(content).map_err(Failure::internal)
}
