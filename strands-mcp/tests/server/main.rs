//! Servers against clients of rmcp in the same process, over streams and HTTP, and against requests that no client sends.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod agents;
mod attacks;
mod callers;
mod calls;
mod client;
mod ends;
mod lists;
mod own_client;
mod questions;
mod raw_http;
mod shutdown;
mod suspended_agents;
