//! Search for readers that do not poll the work of their runs, such as those of connections that are full. It is one task for
//! all runs of a runtime, and not a timer of each run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime;

use super::Run;

/// Time between two looks. Work that was woken, but not polled, between two of them is moved to a task.
const INTERVAL: Duration = Duration::from_millis(250);

/// Runs whose readers poll them.
#[derive(Default)]
pub(super) struct Overdue {
    runs: Mutex<HashMap<runtime::Id, Vec<Weak<Run>>>>,
}

impl Overdue {
    fn runs(&self) -> MutexGuard<'_, HashMap<runtime::Id, Vec<Weak<Run>>>> {
        // Each change is complete before anything can panic.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run whose work is inline.
    pub(super) fn add(self: &Arc<Self>, run: &Arc<Run>) {
        let Some(runtime) = run.inline.get().map(super::InlineWork::runtime) else { return };
        let id = runtime.id();
        let mut runs = self.runs();
        let is_first = !runs.contains_key(&id);
        runs.entry(id).or_default().push(Arc::downgrade(run));
        drop(runs);
        if is_first {
            let search = Search { overdue: Arc::clone(self), runtime: id, has_runs: true };
            runtime.spawn(search.run());
        }
    }
}

/// The task of a runtime. Its runs are released if it is dropped before they have ended.
struct Search {
    overdue: Arc<Overdue>,
    runtime: runtime::Id,
    has_runs: bool,
}

impl Search {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let Some(overdue) = self.look() else {
                self.has_runs = false;
                return;
            };
            overdue.iter().for_each(|run| run.release());
        }
    }

    /// Returns the runs that are overdue, or `None` if there are no runs any more.
    fn look(&self) -> Option<Vec<Arc<Run>>> {
        let mut overdue = Vec::new();
        let mut all = self.overdue.runs();
        let runs = all.get_mut(&self.runtime)?;
        runs.retain(|run| {
            let Some(run) = run.upgrade() else { return false };
            let Some(inline) = run.inline.get().filter(|inline| !inline.is_released()) else { return false };
            let is_overdue = inline.is_overdue();
            if is_overdue {
                overdue.push(run);
            }
            !is_overdue
        });
        if runs.is_empty() && overdue.is_empty() {
            // The next run starts another search.
            all.remove(&self.runtime);
            return None;
        }
        Some(overdue)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        if !self.has_runs {
            return;
        }
        let runs = self.overdue.runs().remove(&self.runtime);
        runs.into_iter().flatten().filter_map(|run| run.upgrade()).for_each(|run| run.release());
    }
}
