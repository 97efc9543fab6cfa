//! The HTTP interface of OpenAI: its two protocols, sessions, content, and errors.
#![cfg(feature = "openai")]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod chat;
mod content;
mod errors;
mod own_models;
mod responses;
mod rig;
mod sessions;
