//! The whole system on this machine: its start, its stop, and processes that are killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
// Processes are looked at in `/proc`.
#![cfg(target_os = "linux")]

#[cfg(feature = "durable")]
mod durable;
mod failures;
mod kills;
mod page;
mod system;
