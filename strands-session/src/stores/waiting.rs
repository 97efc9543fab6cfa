//! Waiting for a lock. It works on runtimes without timers too: there is no way to ask a runtime for them, and Tokio's
//! `sleep` panics where there are none.

use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::document_store::StoreError;

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(25);

/// Attempts at something that others hold, with pauses between them that get longer.
pub(super) struct Waiting {
    since: Instant,
    wait: Duration,
    clock_is_paused: bool,
}

impl Waiting {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), wait: FIRST_WAIT, clock_is_paused: false }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits for up to 25 ms. A caller that drops the future has stopped at once; the thread ends with the pause.
    pub(super) async fn pause(&mut self) -> Result<(), StoreError> {
        // Not all at the same instant.
        let wait = self.wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        if self.clock_is_paused {
            tokio::time::sleep(wait).await;
            return Ok(());
        }
        let before = Instant::now();
        Handle::try_current()?.spawn_blocking(move || thread::sleep(wait)).await?;
        // Tokio's clock stands still in a test that has paused it. There are timers then, and only they move it.
        self.clock_is_paused = before.elapsed().is_zero();
        Ok(())
    }
}
