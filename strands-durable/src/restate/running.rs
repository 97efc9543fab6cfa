//! Turns that run in this worker, by their run, so that a cancellation takes effect at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use strands_core::CancellationToken;

/// Running turns. The engine bounds their number.
#[derive(Clone, Default)]
pub(super) struct RunningTurns(Arc<Mutex<HashMap<String, (u64, CancellationToken)>>>);

impl RunningTurns {
    /// Adds a turn until the guard is dropped. An attempt replaces an older one of the same run.
    pub(super) fn add(&self, run_id: &str, token: &CancellationToken) -> RunningTurn {
        let attempt = fastrand::u64(..);
        self.lock().insert(run_id.to_owned(), (attempt, token.clone()));
        RunningTurn { turns: self.clone(), run_id: run_id.to_owned(), attempt }
    }

    /// Cancels a turn, if it runs here.
    pub(super) fn cancel(&self, run_id: &str) {
        if let Some((_, token)) = self.lock().get(run_id) {
            token.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Guard of a running turn.
pub(super) struct RunningTurn {
    turns: RunningTurns,
    run_id: String,
    attempt: u64,
}

impl Drop for RunningTurn {
    fn drop(&mut self) {
        let mut turns = self.turns.lock();
        if turns.get(&self.run_id).is_some_and(|(attempt, _)| *attempt == self.attempt) {
            turns.remove(&self.run_id);
        }
    }
}
