//! Tasks in memory, within limits of count and size.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{PutOutcome, RecordKey, RecordKind, RecordStream, RecordVersion, StoredRecord, TaskStore, TaskStoreError};

/// Default number of records.
const MAX_RECORDS: usize = 10_000;
/// Default size of all records: 256 MiB.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A [`TaskStore`] in memory. It keeps up to 10,000 records with up to 256 MiB, and forgets those first that were not used for the
/// longest time, of the caller that has the most.
///
/// ```
/// use strands::a2a::MemoryTaskStore;
///
/// let store = MemoryTaskStore::new().max_records(100).max_bytes(16 * 1024 * 1024);
/// # drop(store);
/// ```
pub struct MemoryTaskStore {
    max_records: usize,
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<RecordKey, Entry>,
    callers: HashMap<String, Owned>,
    bytes: usize,
    /// Counts uses and writes. Never decreases, so that no version is reused.
    clock: u64,
}

/// Records of a caller.
#[derive(Default)]
struct Owned {
    /// Keys by the number of their last use.
    by_use: BTreeMap<u64, RecordKey>,
    bytes: usize,
}

struct Entry {
    content: Bytes,
    version: u64,
    used: u64,
}

impl MemoryTaskStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self { max_records: MAX_RECORDS, max_bytes: MAX_BYTES, state: Mutex::default() }
    }

    /// Sets the maximum number of records: tasks and contexts. Default: 10,000.
    #[must_use]
    pub fn max_records(mut self, records: usize) -> Self {
        self.max_records = records;
        self
    }

    /// Sets the maximum size of all records, in bytes of JSON. Default: 256 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryTaskStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryTaskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryTaskStore")
            .field("records", &state.entries.len())
            .field("bytes", &state.bytes)
            .finish_non_exhaustive()
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn touch(&mut self, key: &RecordKey) -> Option<StoredRecord> {
        let now = self.tick();
        let entry = self.entries.get_mut(key)?;
        if let Some(owned) = self.callers.get_mut(&key.caller)
            && let Some(key) = owned.by_use.remove(&entry.used)
        {
            owned.by_use.insert(now, key);
        }
        entry.used = now;
        Some(entry.stored())
    }

    fn remove(&mut self, key: &RecordKey) {
        let Some(entry) = self.entries.remove(key) else { return };
        self.bytes -= entry.content.len();
        let Some(owned) = self.callers.get_mut(&key.caller) else { return };
        owned.bytes -= entry.content.len();
        owned.by_use.remove(&entry.used);
        if owned.by_use.is_empty() {
            self.callers.remove(&key.caller);
        }
    }

    fn insert(&mut self, key: &RecordKey, content: Bytes) -> RecordVersion {
        self.remove(key);
        let now = self.tick();
        self.bytes += content.len();
        let owned = self.callers.entry(key.caller.clone()).or_default();
        owned.bytes += content.len();
        owned.by_use.insert(now, key.clone());
        self.entries.insert(key.clone(), Entry { content, version: now, used: now });
        RecordVersion::new(now.to_string())
    }

    /// Forgets records until the limits are kept, but not the last one: of the caller that has the most of what there is too much of,
    /// so that no caller makes the store forget the records of others.
    fn evict(&mut self, max_records: usize, max_bytes: usize) {
        while self.entries.len() > 1 && (self.entries.len() > max_records || self.bytes > max_bytes) {
            let counts_bytes = self.entries.len() <= max_records;
            let most = self.callers.values().max_by_key(|owned| {
                let amount = if counts_bytes { owned.bytes } else { owned.by_use.len() };
                // Of two with the same amount, the one that has not used its oldest record for the longest time.
                (amount, Reverse(owned.by_use.first_key_value().map(|(used, _)| *used)))
            });
            let Some((_, key)) = most.and_then(|owned| owned.by_use.first_key_value()) else { return };
            let key = key.clone();
            self.remove(&key);
        }
    }
}

impl Entry {
    fn stored(&self) -> StoredRecord {
        StoredRecord::new(self.content.clone(), RecordVersion::new(self.version.to_string()))
    }
}

#[async_trait]
impl TaskStore for MemoryTaskStore {
    async fn get(&self, key: &RecordKey) -> Result<Option<StoredRecord>, TaskStoreError> {
        Ok(self.state().touch(key))
    }

    async fn put(
        &self,
        key: &RecordKey,
        content: Bytes,
        known: Option<&StoredRecord>,
    ) -> Result<PutOutcome, TaskStoreError> {
        let mut state = self.state();
        let version = state.entries.get(key).map(|entry| entry.version.to_string());
        if version.as_deref() != known.map(|known| known.version.as_str()) {
            return Ok(PutOutcome::Conflict);
        }
        let version = state.insert(key, content);
        state.evict(self.max_records, self.max_bytes);
        Ok(PutOutcome::Done(version))
    }

    fn list<'a>(&'a self, caller: &'a str, kind: RecordKind) -> RecordStream<'a> {
        let keys: Vec<RecordKey> = {
            let state = self.state();
            let keys = state.callers.get(caller).into_iter().flat_map(|owned| owned.by_use.values());
            keys.filter(|key| key.kind == kind).cloned().collect()
        };
        // A record that the store forgets meanwhile is not kept for the list.
        let stored = move |key: RecordKey| self.state().entries.get(&key).map(Entry::stored);
        stream::iter(keys.into_iter().filter_map(stored)).map(Ok).boxed()
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), TaskStoreError> {
        self.state().remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(caller: &str, id: &str) -> RecordKey {
        RecordKey::new(caller, RecordKind::Task, id)
    }

    async fn put(store: &MemoryTaskStore, key: &RecordKey, known: Option<&StoredRecord>) -> Option<StoredRecord> {
        let content = Bytes::from_static(b"0123456789");
        match store.put(key, content.clone(), known).await.unwrap() {
            PutOutcome::Done(version) => Some(StoredRecord::new(content, version)),
            PutOutcome::Conflict => None,
        }
    }

    #[tokio::test]
    async fn of_two_writers_that_know_the_same_version_one_gets_a_conflict() {
        let store = MemoryTaskStore::new();
        let key = key("a", "1");
        let first = put(&store, &key, None).await.unwrap();
        assert_eq!(put(&store, &key, None).await, None);
        let second = put(&store, &key, Some(&first)).await.unwrap();
        assert_eq!(put(&store, &key, Some(&first)).await, None);
        store.delete(&key).await.unwrap();
        assert_eq!(put(&store, &key, Some(&second)).await, None);
        let third = put(&store, &key, None).await.unwrap();
        assert!(![first, second].contains(&third), "no version is reused");
    }

    #[tokio::test]
    async fn forgets_the_records_that_were_not_used_for_the_longest_time() {
        for store in [MemoryTaskStore::new().max_records(2), MemoryTaskStore::new().max_bytes(25)] {
            for id in ["1", "2"] {
                put(&store, &key("a", id), None).await.unwrap();
            }
            assert!(store.get(&key("a", "1")).await.unwrap().is_some());
            put(&store, &key("b", "3"), None).await.unwrap();
            assert!(store.get(&key("a", "2")).await.unwrap().is_none());
            assert!(store.get(&key("a", "1")).await.unwrap().is_some());
            assert_eq!(store.list("a", RecordKind::Task).count().await, 1);
            assert_eq!(store.list("a", RecordKind::Context).count().await, 0);
            assert_eq!(store.state().bytes, 20);
        }
    }

    #[tokio::test]
    async fn a_caller_with_many_records_does_not_make_the_store_forget_those_of_others() {
        for store in [MemoryTaskStore::new().max_records(3), MemoryTaskStore::new().max_bytes(35)] {
            put(&store, &key("b", "1"), None).await.unwrap();
            for id in ["1", "2", "3", "4"] {
                put(&store, &key("a", id), None).await.unwrap();
            }
            assert!(store.get(&key("b", "1")).await.unwrap().is_some());
            assert!(store.get(&key("a", "2")).await.unwrap().is_none());
            assert_eq!(store.list("a", RecordKind::Task).count().await, 2);
        }
    }
}
