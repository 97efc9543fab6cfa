//! Wait for a lock with backoff, also on runtimes without timers: there is no way to detect timers, and Tokio's `sleep`
//! panics without them.

use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::document_store::StoreError;

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(25);

/// Pauses between attempts at taking a lock. Each is longer than the one before, up to 25 ms.
pub(super) struct LockWait {
    since: Instant,
    wait: Duration,
    clock_is_paused: bool,
}

impl LockWait {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), wait: FIRST_WAIT, clock_is_paused: false }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits for up to 25 ms. If the future is dropped, its thread ends with the pause.
    pub(super) async fn pause(&mut self) -> Result<(), StoreError> {
        // Jitter, so that workers do not retry at the same instant.
        let wait = self.wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        if self.clock_is_paused {
            tokio::time::sleep(wait).await;
            return Ok(());
        }
        let before = Instant::now();
        Handle::try_current()?.spawn_blocking(move || thread::sleep(wait)).await?;
        // In a test that has paused Tokio's clock, the clock stands still; timers are enabled then, and advance it.
        self.clock_is_paused = before.elapsed().is_zero();
        Ok(())
    }
}
