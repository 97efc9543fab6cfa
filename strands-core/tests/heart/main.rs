//! The promises of the heart, tested as an attacker would: one file for each theme. One program, so that it links once.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod bounds;
mod broken_streams;
mod calls;
mod conflicts;
mod conversation;
mod drop_fuzz;
mod drops;
mod fallback;
mod hook_failures;
mod hooks;
mod host_values;
mod interrupts;
mod journal;
mod many_turns;
mod messages_json;
mod metrics;
mod output_types;
mod overflow;
mod parallel;
mod properties;
mod rate_limit;
mod recorded_messages;
mod recorded_secrets;
mod recording;
mod regressions;
mod retries;
mod rewind;
mod session_properties;
mod stopping;
mod stopping_waits;
mod streaming;
mod structured_output;
mod support;
mod suspended;
mod usage;
