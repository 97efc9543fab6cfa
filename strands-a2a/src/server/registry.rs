//! Tasks that run in this process, and the contexts that they occupy.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::failure::Failure;
use super::limits::A2aLimits;
use super::live_task::LiveTask;

#[derive(Default)]
pub(super) struct Registry {
    state: Mutex<State>,
    /// Notified when a run starts, and when the registry is closed.
    started: Arc<Notify>,
    /// Notified when the claim of a context is released.
    released: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// Tasks by caller and id.
    tasks: HashMap<(String, String), Arc<LiveTask>>,
    /// Contexts by caller and id: one run at a time.
    contexts: HashSet<(String, String)>,
    /// Number of runs of each caller.
    runs: HashMap<String, usize>,
    is_closed: bool,
}

/// A context in which nothing else runs while this exists.
pub(super) struct ContextClaim {
    registry: Arc<Registry>,
    key: (String, String),
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a context for a run.
    pub(super) fn claim(
        self: &Arc<Self>,
        caller: &str,
        context_id: &str,
        limits: &A2aLimits,
    ) -> Result<ContextClaim, Failure> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Failure::ShuttingDown);
        }
        let key = (caller.to_owned(), context_id.to_owned());
        if state.contexts.contains(&key) {
            return Err(Failure::Busy);
        }
        if state.contexts.len() >= limits.running_tasks {
            return Err(Failure::Overloaded("too many tasks are running; send the message again later"));
        }
        let runs = state.runs.entry(caller.to_owned()).or_default();
        if *runs >= limits.running_tasks_per_caller {
            return Err(Failure::Overloaded(
                "too many of your tasks are running; send the message again after one has ended",
            ));
        }
        *runs += 1;
        state.contexts.insert(key.clone());
        Ok(ContextClaim { registry: Arc::clone(self), key })
    }

    pub(super) fn add(&self, task: &Arc<LiveTask>) {
        self.state().tasks.insert((task.caller.clone(), task.id.clone()), Arc::clone(task));
        self.started.notify_waiters();
    }

    /// Waits for the start of a run, from the time of this call.
    pub(super) fn started(&self) -> OwnedNotified {
        Arc::clone(&self.started).notified_owned()
    }

    /// Waits for the release of a claim, from the time of this call.
    pub(super) fn released(&self) -> OwnedNotified {
        Arc::clone(&self.released).notified_owned()
    }

    /// Returns true if a run in a context begins, goes on, or ends in this process.
    pub(super) fn is_claimed(&self, caller: &str, context_id: &str) -> bool {
        self.state().contexts.contains(&(caller.to_owned(), context_id.to_owned()))
    }

    /// Returns true if no run begins, goes on, or ends in this process.
    pub(super) fn is_idle(&self) -> bool {
        self.state().contexts.is_empty()
    }

    pub(super) fn remove(&self, task: &LiveTask) {
        self.state().tasks.remove(&(task.caller.clone(), task.id.clone()));
    }

    pub(super) fn get(&self, caller: &str, id: &str) -> Option<Arc<LiveTask>> {
        self.state().tasks.get(&(caller.to_owned(), id.to_owned())).cloned()
    }

    /// Refuses new runs from now on.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.started.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    pub(super) fn len(&self) -> usize {
        self.state().tasks.len()
    }

    pub(super) fn all(&self) -> Vec<Arc<LiveTask>> {
        self.state().tasks.values().cloned().collect()
    }
}

impl Drop for ContextClaim {
    fn drop(&mut self) {
        let mut state = self.registry.state();
        state.contexts.remove(&self.key);
        let (caller, _) = &self.key;
        if let Some(runs) = state.runs.get_mut(caller) {
            *runs -= 1;
            if *runs == 0 {
                state.runs.remove(caller);
            }
        }
        drop(state);
        self.registry.released.notify_waiters();
    }
}
