//! Errors of an agent: of building it and of its invocations. A response as a typed output, or the error that there is none.

mod error;
mod response;

pub(crate) use error::with_causes;
pub use error::{AgentError, BuildError};
