//! The A2A mode of AgentCore Runtime: an A2A server on port 9000.

use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use strands_a2a::{A2aServer, A2aServerBuilder};

use super::{AgentCoreContext, ForwardedHeaders, PingStatus, WorkloadAccessToken, address};
use crate::AgentService;
use crate::a2a::{Identify, agent_server};
use crate::http::Authenticate;

/// Variable in which the platform says the URL of the runtime.
const RUNTIME_URL: &str = "AGENTCORE_RUNTIME_URL";
/// URL without the platform.
const LOCAL_URL: &str = "http://localhost:9000/";
/// Port of the A2A contract.
const PORT: u16 = 9000;

/// Returns the builder of an A2A server for a service on AgentCore Runtime.
///
/// Its URL is that in the variable `AGENTCORE_RUNTIME_URL`, or `http://localhost:9000/`. It serves JSON-RPC alone, since the platform
/// passes on nothing else. The platform removes the header `A2A-Version` unless the runtime's allowlist of request headers has it: a
/// method with a name of protocol 1.0 is one of 1.0 without it, too. Tools get what the platform sends along as injected values: [`AgentCoreContext`], [`ForwardedHeaders`] and
/// [`WorkloadAccessToken`].
///
/// ```no_run
/// use std::time::Duration;
/// use strands::serve::agentcore::{a2a_address, a2a_router, a2a_server};
/// use strands::serve::{AgentService, Server, http::Authenticate};
///
/// # async fn example(service: AgentService, verifier: impl Authenticate + 'static) -> Result<(), Box<dyn std::error::Error>> {
/// let server = a2a_server(&service, verifier)
///     .name("travel-desk")
///     .description("Books trips.")
///     .bearer_tokens()
///     .build()?;
/// Server::bind(&a2a_address().to_string()).await?
///     .serve(a2a_router(&server), |timeout| async move {
///         server.shutdown(timeout).await;
///         service.shutdown(Duration::ZERO).await
///     })
///     .await?;
/// # Ok(()) }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "a2a")))]
pub fn a2a_server(service: &AgentService, authenticate: impl Authenticate + 'static) -> A2aServerBuilder {
    let url = std::env::var(RUNTIME_URL).ok().filter(|url| !url.is_empty()).unwrap_or_else(|| LOCAL_URL.to_owned());
    let identify = Identify::new(service, authenticate).with_values(|request, caller| {
        let headers = &request.headers;
        let caller = caller.inject(AgentCoreContext::new(headers)).inject(ForwardedHeaders::of(headers));
        match WorkloadAccessToken::of(headers) {
            Some(token) => caller.inject(token),
            None => caller,
        }
    });
    agent_server(service, url).identify_caller(identify).without_http_json().version_of_method()
}

/// Returns the routes of a server with `GET /ping`, whose status is `HealthyBusy` while tasks run: they go on without their clients.
#[cfg_attr(docsrs, doc(cfg(feature = "a2a")))]
pub fn a2a_router(server: &A2aServer) -> Router {
    let pinged = server.clone();
    let ping = move || async move {
        let status = if pinged.running_tasks() > 0 { PingStatus::HealthyBusy } else { PingStatus::Healthy };
        Json::<Value>(json!({"status": status}))
    };
    server.router().route("/ping", get(ping))
}

/// Returns the address to listen on in the A2A mode: port 9000, of all interfaces in a container and of the loopback interface
/// elsewhere.
#[cfg_attr(docsrs, doc(cfg(feature = "a2a")))]
pub fn a2a_address() -> SocketAddr {
    SocketAddr::new(address::default_address().ip(), PORT)
}
