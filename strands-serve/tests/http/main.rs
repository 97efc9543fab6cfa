//! Tests of the HTTP interface: one target, since linking is most of what a test program costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod approvals;
mod development;
mod inline;
mod limits;
mod openapi;
mod prompts;
mod repeated_prompts;
mod requests;
mod sessions;
mod shutdown;
mod stored_results;
mod streams;
mod support;
#[cfg(feature = "ui")]
mod ui;
mod unreachable_store;
