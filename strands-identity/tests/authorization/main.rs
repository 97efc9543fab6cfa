//! Authorization and audit of tool calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod audit;
mod audit_file;
#[cfg(feature = "cedar")]
mod cedar;
#[cfg(feature = "cedar")]
mod cedar_policies;
mod hook;
#[cfg(feature = "cedar")]
mod hostile;
mod properties;
mod roles;
mod support;
mod valid_history;
