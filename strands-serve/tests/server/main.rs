//! The server against clients that misbehave, over loopback, and its shutdown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

#[cfg(feature = "tls")]
mod certificates;
mod limits;
mod malformed;
mod rig;
mod shutdown;
mod slow;
