//! The agent's own memory: JSON values by name, kept with the session. (Values that the program lends to tools are
//! something else: see `inject`.)

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// JSON values by name that outlive an invocation. Clones share one state.
///
/// ```
/// use strands_core::AgentState;
///
/// let state = AgentState::new();
/// state.set("visits", 3)?;
/// assert_eq!(state.get_as::<u32>("visits")?, Some(3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AgentState {
    values: Arc<Mutex<Map<String, Value>>>,
}

impl AgentState {
    /// Nothing remembered.
    pub fn new() -> Self {
        Self::default()
    }

    fn values(&self) -> MutexGuard<'_, Map<String, Value>> {
        // A map is whole between any two of its operations, whoever panicked.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A value.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.values().get(name).cloned()
    }

    /// A value as a type.
    ///
    /// # Errors
    ///
    /// When the value is not of that type.
    pub fn get_as<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.get(name).map(serde_json::from_value).transpose()
    }

    /// Remembers a value.
    ///
    /// # Errors
    ///
    /// When the value can't be JSON.
    pub fn set(&self, name: impl Into<String>, value: impl Serialize) -> Result<(), serde_json::Error> {
        let value = serde_json::to_value(value)?;
        self.values().insert(name.into(), value);
        Ok(())
    }

    /// Forgets a value, and returns it.
    pub fn remove(&self, name: &str) -> Option<Value> {
        self.values().shift_remove(name)
    }

    /// Changes a value while nobody else can: `change` gets what is there, or null.
    pub fn update<R>(&self, name: &str, change: impl FnOnce(&mut Value) -> R) -> R {
        change(self.values().entry(name).or_insert(Value::Null))
    }

    pub(crate) fn replace(&self, values: Map<String, Value>) {
        *self.values() = values;
    }

    /// All values.
    pub fn to_json(&self) -> Map<String, Value> {
        self.values().clone()
    }
}

impl From<Map<String, Value>> for AgentState {
    fn from(values: Map<String, Value>) -> Self {
        Self { values: Arc::new(Mutex::new(values)) }
    }
}
