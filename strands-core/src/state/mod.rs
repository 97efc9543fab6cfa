//! Agent state: named JSON values, stored with the session. Unlike injected values, they are data.

mod changes;

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use serde::{Serialize, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value};

pub(crate) use changes::StateChanges;
pub(crate) use changes::WatchedState;

use crate::depth;

/// Named JSON values of an agent that outlive an invocation. Clones share the state.
///
/// ```
/// use strands::AgentState;
///
/// let state = AgentState::new();
/// state.set("visits", 3)?;
/// assert_eq!(state.get_as::<u32>("visits")?, Some(3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AgentState {
    shared: Arc<Shared>,
    /// Names that were changed through this handle and its clones. Set only for a tool call that a journal records.
    changed: Option<Arc<Mutex<BTreeSet<String>>>>,
}

#[derive(Debug, Default)]
struct Shared {
    values: Mutex<Versioned>,
    /// The thread that is changing values, with its number of nested changes, since a change may read and change other
    /// values.
    writer: Mutex<Option<(ThreadId, usize)>>,
    writer_gone: Condvar,
}

#[derive(Debug, Default)]
struct Versioned {
    /// Shared with the watches of a journal, which keep the values as they were.
    values: Arc<Map<String, Value>>,
    version: u64,
}

/// Guard of the exclusive right to change values.
struct WriteGuard<'a>(&'a Shared);

impl Shared {
    fn values(&self) -> MutexGuard<'_, Versioned> {
        // A panic can't leave the map in an invalid state, so poisoning is ignored.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> WriteGuard<'_> {
        let this = thread::current().id();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &mut *writer {
                Some((thread, changes)) if *thread == this => {
                    *changes += 1;
                    return WriteGuard(self);
                }
                Some(_) => writer = self.writer_gone.wait(writer).unwrap_or_else(PoisonError::into_inner),
                None => {
                    *writer = Some((this, 1));
                    return WriteGuard(self);
                }
            }
        }
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        *writer = writer.filter(|(_, changes)| *changes > 1).map(|(thread, changes)| (thread, changes - 1));
        if writer.is_none() {
            self.0.writer_gone.notify_one();
        }
    }
}

impl AgentState {
    /// Creates an empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a value.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.shared.values().values.get(name).cloned()
    }

    /// Returns a value, deserialized as a type.
    ///
    /// # Errors
    ///
    /// Returns an error if the value does not have that type.
    pub fn get_as<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.get(name).map(serde_json::from_value).transpose()
    }

    /// Sets a value.
    ///
    /// # Errors
    ///
    /// Returns an error if the value can't be serialized as JSON, or nests deeper than 100 levels.
    pub fn set(&self, name: impl Into<String>, value: impl Serialize) -> Result<(), serde_json::Error> {
        let value = serde_json::to_value(value)?;
        checked(&value)?;
        let _writing = self.shared.write();
        self.put(name.into(), value);
        Ok(())
    }

    /// Removes and returns a value.
    pub fn remove(&self, name: &str) -> Option<Value> {
        let _writing = self.shared.write();
        self.note(name);
        let mut shared = self.shared.values();
        shared.version += 1;
        Arc::make_mut(&mut shared.values).shift_remove(name)
    }

    /// Updates a value atomically: no other thread can change the state meanwhile. `change` gets the value, or null if there
    /// is none. It may read this state and change other values; other changes to this value are overwritten.
    ///
    /// # Errors
    ///
    /// Returns an error if the new value nests deeper than 100 levels. Then the value is unchanged.
    ///
    /// ```
    /// use strands::AgentState;
    ///
    /// let state = AgentState::new();
    /// state.update("visits", |visits| *visits = (visits.as_u64().unwrap_or(0) + 1).into())?;
    /// assert_eq!(state.get_as::<u64>("visits")?, Some(1));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn update<R>(&self, name: &str, change: impl FnOnce(&mut Value) -> R) -> Result<R, serde_json::Error> {
        let _writing = self.shared.write();
        let mut value = self.get(name).unwrap_or(Value::Null);
        let changed = change(&mut value);
        checked(&value)?;
        self.put(name.to_owned(), value);
        Ok(changed)
    }

    /// Returns all values.
    pub fn to_json(&self) -> Map<String, Value> {
        (*self.values()).clone()
    }

    /// Returns all values as they are now.
    fn values(&self) -> Arc<Map<String, Value>> {
        Arc::clone(&self.shared.values().values)
    }

    /// Returns another handle of the same state, which notes the names that are changed through it and its clones.
    pub(crate) fn noting_changes(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), changed: Some(Arc::default()) }
    }

    fn note(&self, name: &str) {
        if let Some(changed) = &self.changed {
            changed.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
    }

    fn changed_names(&self) -> Option<Vec<String>> {
        let changed = self.changed.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        (!changed.is_empty()).then(|| changed.iter().cloned().collect())
    }

    fn put_recorded(&self, name: String, value: Value) {
        let _writing = self.shared.write();
        self.put(name, value);
    }

    pub(crate) fn replace(&self, values: Map<String, Value>) {
        let _writing = self.shared.write();
        let mut shared = self.shared.values();
        shared.version += 1;
        shared.values = Arc::new(values);
    }

    fn put(&self, name: String, value: Value) {
        self.note(&name);
        let mut shared = self.shared.values();
        shared.version += 1;
        Arc::make_mut(&mut shared.values).insert(name, value);
    }

    /// Returns the number of changes.
    pub(crate) fn version(&self) -> u64 {
        self.shared.values().version
    }
}

fn checked(value: &Value) -> Result<(), serde_json::Error> {
    depth::check(value).map_err(|too_deep| serde_json::Error::custom(format!("the value {too_deep}")))
}

impl From<Map<String, Value>> for AgentState {
    fn from(values: Map<String, Value>) -> Self {
        let shared =
            Shared { values: Mutex::new(Versioned { values: Arc::new(values), version: 0 }), ..Shared::default() };
        Self { shared: Arc::new(shared), changed: None }
    }
}
