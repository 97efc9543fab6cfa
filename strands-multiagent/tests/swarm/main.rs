//! Swarms, over the public API.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod bounds;
mod contract;
mod drops;
mod handoffs;
mod hooks;
mod interrupts;
mod support;
