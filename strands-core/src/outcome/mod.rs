//! Errors of an agent: of building it and of its invocations. Conversion of a response to its structured output.

mod error;
mod response;

pub(crate) use error::with_causes;
pub use error::{AgentError, BuildError};
