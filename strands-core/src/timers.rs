//! Timers of the Tokio runtime, which limits, timeouts and retries need.

use std::time::Duration;

/// Returns true on a Tokio runtime with timers. Tokio has no other way to find out than to try.
pub(crate) fn has_timers() -> bool {
    let wait = || drop(tokio::time::sleep(Duration::ZERO));
    tokio::runtime::Handle::try_current().is_ok() && std::panic::catch_unwind(wait).is_ok()
}
