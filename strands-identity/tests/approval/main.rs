//! Tests of approvals, one module per subject, in one test program.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod approvers;
mod audits;
mod bindings;
mod direct_calls;
mod expiry;
mod nested;
mod recording;
mod replays;
mod rules;
mod stored;
mod support;
mod trusted;
