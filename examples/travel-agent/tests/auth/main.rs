//! The issuer for development: its flow, and requests that it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod authorize;
mod browser;
mod token;
