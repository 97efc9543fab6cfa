//! Tests of the session managers and stores, in one program: linking is most of what a test program costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod batches;
mod clears;
mod content;
mod corrupt_documents;
#[cfg(unix)]
mod crash;
mod deletions;
mod document_stores;
mod dropped_writes;
#[cfg(unix)]
mod file_locks;
#[cfg(unix)]
mod files;
mod half_characters;
mod late_records;
mod managers;
mod open_interrupts;
#[cfg(unix)]
mod races;
mod recreated_documents;
mod reference;
mod rewinds;
mod runs;
mod s3;
mod session_contracts;
mod small_store;
mod snapshots;
#[cfg(unix)]
mod snapshots_killed;
mod stored_agents;
mod support;
mod truncations;
mod two_workers;
