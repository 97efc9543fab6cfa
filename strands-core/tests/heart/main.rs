//! The promises of the heart, tested as an attacker would: one file for each theme. One program, so that it links once.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod broken_streams;
mod calls;
mod conversation;
mod drops;
mod fallback;
mod hook_failures;
mod hooks;
mod host_values;
mod interrupts;
mod many_turns;
mod messages_json;
mod metrics;
mod overflow;
mod parallel;
mod properties;
mod rate_limit;
mod recorded_messages;
mod recorded_secrets;
mod recording;
mod retries;
mod session_properties;
mod stopping;
mod streaming;
mod structured_output;
mod support;
mod usage;
