//! The hosts for AgentCore Runtime and for Lambda, in this process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod agentcore;
mod agentcore_ping;
mod agentcore_socket;
mod lambda;
mod lambda_time;
mod rig;
