//! Tests of the loopback servers.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod client;
mod faults;
mod ports;
mod server;
