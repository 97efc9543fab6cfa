//! The service as an A2A server: a context of A2A is a session of the caller's identity.
//!
//! [`server`] returns the builder of an [`A2aServer`]. The conversation is in the session, so that other hosts
//! of the service, and other processes, see it; [`DocumentTaskStore`] keeps the tasks in the same kind of store.

mod agent;
mod caller;
mod task_store;

use strands_a2a::{A2aServer, A2aServerBuilder};

pub use task_store::DocumentTaskStore;

use crate::AgentService;
use crate::http::Authenticate;
use agent::ServiceAgent;
pub(crate) use caller::Identify;

/// Returns the builder of an A2A server for a service. `url` is the URL of the server for clients.
///
/// Set at least its name and description, which clients read in the agent card. Each context of A2A is the session of that name of the
/// caller's identity; the identity that `authenticate` finds also separates the tasks of callers. The service's limits apply besides
/// those of the server.
///
/// ```no_run
/// use std::time::Duration;
/// use strands::identity::JwtVerifier;
/// use strands::serve::a2a::{self, DocumentTaskStore};
/// use strands::serve::{AgentService, Server};
/// use strands::session::FileStore;
///
/// # async fn example(service: AgentService, verifier: JwtVerifier) -> Result<(), Box<dyn std::error::Error>> {
/// let server = a2a::server(&service, verifier, "https://travel.example.com")
///     .name("travel-desk")
///     .description("Plans and books business trips.")
///     .bearer_tokens()
///     .task_store(DocumentTaskStore::new(FileStore::new("/var/lib/travel/a2a")))
///     .build()?;
/// Server::bind("0.0.0.0:9000").await?
///     .serve(server.router(), |timeout| async move {
///         server.shutdown(timeout).await;
///         service.shutdown(Duration::ZERO).await
///     })
///     .await?;
/// # Ok(()) }
/// ```
pub fn server(
    service: &AgentService,
    authenticate: impl Authenticate + 'static,
    url: impl Into<String>,
) -> A2aServerBuilder {
    agent_server(service, url).identify_caller(Identify::new(service, authenticate))
}

/// Returns the builder of a server that does not identify callers yet.
pub(crate) fn agent_server(service: &AgentService, url: impl Into<String>) -> A2aServerBuilder {
    let agent = ServiceAgent::new(service.clone());
    A2aServer::builder(agent.clone(), url).discard_interrupts(agent)
}
