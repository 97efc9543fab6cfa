//! Tests of the provider through the AWS client and a loopback server.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod agent;
mod apply_guardrail;
mod content_rules;
mod error_responses;
mod faults;
mod loopback;
mod recordings;
mod requests;
mod responses;
mod schemas;
mod structured_output;
mod wire;
