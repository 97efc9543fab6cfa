//! Conversation managers in an agent: messages sent to the model, restored sessions, and token usage.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails panics")]

mod offloading;
mod pins;
mod proactive;
mod properties;
mod python;
mod store;
mod summaries;
mod support;
#[path = "../agent/valid_history.rs"]
mod valid_history;
