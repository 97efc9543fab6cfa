//! Tests of telemetry with exporters in memory, one module per subject, in one test program.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod collectors;
mod content;
mod dashboards;
mod ends;
mod graphs;
mod links;
mod logs;
mod metrics;
mod requests;
mod rig;
mod tls;
mod trees;
