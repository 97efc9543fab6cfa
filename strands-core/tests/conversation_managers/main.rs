//! The conversation managers at work in an agent: what the model sees, what a session gets back, and what it costs.

mod pins;
mod proactive;
mod properties;
mod python;
mod store;
mod summaries;
mod support;
