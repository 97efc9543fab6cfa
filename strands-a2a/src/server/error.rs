//! Errors of building a server.

use std::error::Error as StdError;

use strands_core::ToolSetError;

/// An error of building a server.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum A2aServerError {
    /// The agent has no name.
    #[error("the agent card needs a name: call `.name(..)` on the builder of the agent or of the server")]
    MissingName,
    /// The agent has no description.
    #[error("the agent card needs a description: call `.description(..)` on the builder of the agent or of the server")]
    MissingDescription,
    /// The agent has a session manager, in whose session all callers would have one conversation.
    #[error(
        "the agent has a session manager, so all callers would share one conversation: remove it, as the server keeps the \
         conversation of each context in its task store"
    )]
    SharedSession,
    /// The URL of the server is not one that clients can use.
    #[error("invalid URL `{url}`: expected the URL of the server for clients, such as `https://agent.example.com`")]
    InvalidUrl {
        /// The URL.
        url: String,
    },
    /// The tools whose specs are the skills conflict.
    #[error(transparent)]
    Tools(#[from] ToolSetError),
    /// The agent card can't be made or signed.
    #[error("the agent card can't be made: {}", strands_core::ErrorChain::new(&**.0))]
    Card(#[source] Box<dyn StdError + Send + Sync>),
    /// The HTTP client of push notifications can't be set up.
    #[error("the HTTP client of push notifications can't be set up: {}", strands_core::ErrorChain::new(&**.0))]
    HttpClient(#[source] Box<dyn StdError + Send + Sync>),
}

strands_core::__debug_with_sources!(A2aServerError);
