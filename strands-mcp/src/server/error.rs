//! Errors of serving.

use std::error::Error as StdError;

use rmcp::service::ServerInitializeError;

/// An error that ends a server on stdio or another stream.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The client did not begin as the protocol says.
    #[error("the MCP client did not initialize the connection: {reason}")]
    Initialize {
        /// The reason.
        reason: String,
    },
    /// The task of the connection failed, which is a bug.
    #[error("the task of the MCP connection failed")]
    Task(#[source] Box<dyn StdError + Send + Sync>),
}

strands_core::__debug_with_sources!(ServeError);

/// Returns the error of a failed start, or `None` if the client left or the server was shut down.
pub(super) fn of_start(error: ServerInitializeError) -> Option<ServeError> {
    match error {
        ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled => None,
        error => Some(ServeError::Initialize { reason: error.to_string() }),
    }
}
