//! Changes to an agent's state by one part of an invocation, as a journal records them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::AgentState;

/// Changes to the values of a state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StateChanges {
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    set: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
}

impl StateChanges {
    fn unless_empty(self) -> Option<Self> {
        (!self.set.is_empty() || !self.removed.is_empty()).then_some(self)
    }
}

/// A state with its earlier values.
pub(crate) struct WatchedState {
    state: AgentState,
    before: Arc<Map<String, Value>>,
    version: u64,
}

impl WatchedState {
    /// Returns the changes since the start of the watch, by whomever.
    pub(crate) fn changes(&self) -> Option<StateChanges> {
        if self.state.version() == self.version {
            return None;
        }
        let now = self.state.values();
        let removed = self.before.keys().filter(|name| !now.contains_key(*name)).cloned().collect();
        let changed = now.iter().filter(|(name, value)| self.before.get(*name) != Some(*value));
        let set = changed.map(|(name, value)| (name.clone(), value.clone())).collect();
        StateChanges { set, removed }.unless_empty()
    }
}

impl AgentState {
    /// Watches the state from now on.
    pub(crate) fn watched(&self) -> WatchedState {
        WatchedState { state: self.clone(), before: self.values(), version: self.version() }
    }

    /// Returns the present values of all names that were changed through this handle and its clones.
    pub(crate) fn own_changes(&self) -> Option<StateChanges> {
        let names = self.changed_names()?;
        let values = self.values();
        let (mut set, mut removed) = (Map::new(), Vec::new());
        for name in names {
            match values.get(&name) {
                Some(value) => _ = set.insert(name, value.clone()),
                None => removed.push(name),
            }
        }
        StateChanges { set, removed }.unless_empty()
    }

    /// Repeats changes.
    pub(crate) fn repeat(&self, changes: StateChanges) {
        let StateChanges { set, removed } = changes;
        for name in removed {
            self.remove(&name);
        }
        for (name, value) in set {
            self.put_recorded(name, value);
        }
    }
}
