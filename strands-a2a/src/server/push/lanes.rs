//! Deliveries of each caller at once: slow receivers of one caller do not hold up those of others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Maximum number of requests of all callers at once, and of one.
const TOTAL: usize = 256;
const PER_CALLER: usize = 4;

pub(super) struct Lanes {
    total: Semaphore,
    callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The lane of a caller, while deliveries wait in it.
pub(super) struct Lane {
    lanes: Arc<Lanes>,
    caller: String,
    own: Arc<Semaphore>,
}

impl Lanes {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { total: Semaphore::new(TOTAL), callers: Mutex::default() })
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        // Each change is complete before anything can panic.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(lanes: &Arc<Self>, caller: &str) -> Lane {
        let new = || Arc::new(Semaphore::new(PER_CALLER));
        let own = Arc::clone(lanes.callers().entry(caller.to_owned()).or_insert_with(new));
        Lane { lanes: Arc::clone(lanes), caller: caller.to_owned(), own }
    }
}

impl Lane {
    /// Waits for the permits of one request.
    pub(super) async fn permits(&self) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        // First the own one: a caller that waits for it holds up no other.
        let own = self.own.acquire().await.ok()?;
        Some((own, self.lanes.total.acquire().await.ok()?))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut callers = self.lanes.callers();
        // The map's, and that of this one.
        if Arc::strong_count(&self.own) <= 2 {
            callers.remove(&self.caller);
        }
    }
}
