//! Tests of redaction through agents: no original is emitted, stored, journaled or sent.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod planted;
mod properties;
mod streams;
mod vaults;
