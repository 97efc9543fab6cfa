//! Outcome of an invocation: events while it runs, and a response or an error at its end.

mod error;
mod event;
mod response;

pub(crate) use error::with_causes;
pub use error::{AgentError, BuildError};
pub use event::AgentEvent;
pub use response::AgentResponse;
