//! Graphs, over the public API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod basics;
mod checks;
mod cut_off;
mod discards;
mod elsewhere;
mod failures;
mod interrupts;
mod lists;
mod loops;
mod model;
mod plan;
mod properties;
mod refused;
mod runs;
mod shares;
mod steps;
mod stops;
mod store;
mod tools;
