//! The service as an A2A server: sessions, identities, interrupts, and tasks that survive a restart.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod agentcore;
mod rig;
mod service;
mod task_store;
