//! Tests of the travel desk in this process and on the MCP server: one table of conversations for both, tokens, faults and approvals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod approvals;
mod both_desks;
mod faults;
mod server;
mod support;
mod tokens;
