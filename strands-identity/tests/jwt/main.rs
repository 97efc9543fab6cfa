//! Verification and minting of tokens, with keys in memory and with issuers on loopback.
#![cfg(feature = "jwt")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod forgeries;
mod identities;
mod keys;
mod minting;
mod provider;
mod settings;
mod support;
mod tokens;
