//! Agents as AWS Lambda durable functions, on the local runner of the SDK: it runs the code of production against a service
//! in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod approvals;
mod callbacks;
mod crashes;
mod failures;
mod large_records;
mod own_handlers;
mod releases;
mod support;
mod waits;
