//! Remote agents, on servers in this process that respond as a test says.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the result of a test"
)]

mod broken_streams;
mod contract;
mod credentials;
mod discards;
mod ends;
mod failures;
mod own_server;
mod peer;
mod questions;
mod settings;
mod structured_output;
mod tools;
mod wire;
