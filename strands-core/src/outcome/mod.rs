//! Errors of an agent: of building it and of its invocations. Conversion of a response to its structured output.

mod error;
mod response;

pub use error::{AgentError, BuildError};
