//! The JSON of events: pinned examples, arbitrary events that round-trip, the schema file, and the examples of the book.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic, and so may what helps them"
)]

mod arbitrary;
mod arbitrary_messages;
mod arbitrary_metrics;
mod book;
mod examples;
mod nodes;
mod round_trip;
mod running;
mod schema;
mod schema_file;
mod unknown;

use serde_json::Value;
use strands_core::AgentEvent;

/// Reads an event from JSON text.
fn read(json: &Value) -> AgentEvent {
    serde_json::from_str(&json.to_string()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Writes an event as JSON text.
fn written(event: &AgentEvent) -> String {
    serde_json::to_string(event).unwrap()
}

fn type_of(event: &Value) -> &str {
    event["type"].as_str().unwrap()
}
