//! OpenTelemetry for strands-rs: traces, metrics and logs of agents, with the GenAI semantic conventions.
//!
//! [`init`] starts the exporters from the standard `OTEL_*` variables, and [`AgentTelemetry`] is the hook that records agents. Programs
//! with a set-up of OpenTelemetry of their own need the hook alone.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent_telemetry;
mod bounded_names;
mod closing;
mod content;
mod conventions;
mod export;
mod instruments;
mod invocation;
mod node_telemetry;
mod position;
mod request;
pub mod semconv;
mod span;

pub use agent_telemetry::{AgentTelemetry, AgentTelemetryBuilder, TraceAttributes};
pub use export::{Telemetry, TelemetryBuilder, TelemetryError, init};
pub use request::{InContext, RequestSpan, in_context};
// Crates that public signatures name.
#[doc(no_inline)]
pub use {http, opentelemetry, opentelemetry_sdk, tracing, tracing_subscriber};
