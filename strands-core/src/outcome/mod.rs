//! Outcomes of an agent: errors of building it and of its invocations, and the structured output of a response.

mod error;
mod response;

pub use error::{AgentError, BuildError};
