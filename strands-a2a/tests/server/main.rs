//! The server: its bindings, tasks, callers, interrupts, streams, limits and push notifications.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod bindings;
mod callers;
mod cards;
mod client;
mod contexts;
mod controlled;
mod crashes;
mod discards;
mod ends;
mod follows;
mod interrupts;
mod large_records;
mod limits;
mod lists;
mod panics;
mod parts;
mod push;
mod redactions;
mod streams;
mod watched_store;
