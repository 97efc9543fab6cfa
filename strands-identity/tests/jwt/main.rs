//! Verification and minting of tokens, with keys in memory, with issuers on loopback, and, if it is running, with the OIDC rig.
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
mod rig;
mod settings;
mod support;
mod tokens;
