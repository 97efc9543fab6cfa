//! The conversation managers at work in an agent: what the model sees, what a session gets back, and what it costs.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails panics")]

mod offloading;
mod pins;
mod proactive;
mod properties;
mod python;
mod store;
mod summaries;
mod support;
