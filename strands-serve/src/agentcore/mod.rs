//! The service on Amazon Bedrock AgentCore Runtime, with the contract and the behavior of its Python SDK.
//!
//! | request | response |
//! |---|---|
//! | `POST /invocations` | `{"prompt"}` to `{"result", "stop_reason", "metrics", "session_id", ..}`, or server-sent events |
//! | `GET /ping` | `{"status", "time_of_last_update"}`: `Healthy` or `HealthyBusy` |
//! | `GET /ws` | a WebSocket: one prompt per message, with the events of its turn as messages |
//!
//! Errors are `{"error"}`. Tools get what the platform sends along as injected values: [`AgentCoreContext`],
//! [`ForwardedHeaders`], [`WorkloadAccessToken`], and [`AsyncTasks`] for work that goes on after a response.

#[cfg(feature = "a2a")]
mod a2a;
mod address;
mod context;
mod error;
mod headers;
mod health;
mod invocations;
mod payload;
mod tasks;
mod websocket;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{any, get, post};

#[cfg(feature = "a2a")]
pub use a2a::{a2a_address, a2a_router, a2a_server};
pub use address::default_address;
pub use context::{AgentCoreContext, WorkloadAccessToken};
pub use headers::{ForwardedHeaders, is_forwarded};
pub use health::{ForcedPing, PingStatus};
pub use tasks::{AsyncTask, AsyncTasks, RunningTask};

use crate::http::{Authenticate, HostState, panics};
use crate::{AgentService, Disconnect};
use health::{CustomPing, Health};

/// Default maximum size of a payload, in bytes: 8 MiB.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// The AgentCore Runtime host of a service.
///
/// ```no_run
/// use std::time::Duration;
/// use strands::serve::agentcore::{AgentCoreHost, default_address};
/// use strands::serve::{AgentService, Server, http::Authenticate};
///
/// # async fn example(service: AgentService, verifier: impl Authenticate + 'static) -> Result<(), Box<dyn std::error::Error>> {
/// let router = AgentCoreHost::new(service.clone(), verifier).into_router();
/// Server::bind(&default_address().to_string()).await?.serve(router, |timeout| service.shutdown(timeout)).await?;
/// # Ok(()) }
/// ```
#[must_use = "a host does nothing until its router is served"]
pub struct AgentCoreHost {
    http: HostState,
    body_limit: usize,
    disconnect: Disconnect,
    debug_actions: bool,
    tasks: AsyncTasks,
    forced_ping: ForcedPing,
    custom_ping: Option<CustomPing>,
}

/// Parts of the host that handlers share.
#[derive(Clone)]
struct Shared {
    http: HostState,
    body_limit: usize,
    disconnect: Disconnect,
    debug_actions: bool,
    health: Arc<Health>,
}

impl AgentCoreHost {
    /// Creates the host of a service. The token in `Authorization`, which the platform has verified, is verified again.
    pub fn new(service: AgentService, authenticate: impl Authenticate + 'static) -> Self {
        Self {
            http: HostState::new(service, authenticate),
            body_limit: BODY_LIMIT,
            disconnect: Disconnect::CancelAfter(Duration::ZERO),
            debug_actions: false,
            tasks: AsyncTasks::new(),
            forced_ping: ForcedPing::new(),
            custom_ping: None,
        }
    }

    /// Sets the maximum size of a payload, in bytes. Default: 8 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self.http.fit_body(bytes);
        self
    }

    /// Sets the maximum time for reading a payload. Default: 30 seconds.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.http.body_timeout = timeout;
        self
    }

    /// Sets the reaction to a client that disconnects. Default: its turn is cancelled at once, since no client can come back to
    /// it. With [`Disconnect::Finish`], `/ping` is `HealthyBusy` while turns run.
    pub fn disconnect(mut self, reaction: Disconnect) -> Self {
        self.disconnect = reaction;
        self
    }

    /// Executes the debug actions of payloads with `_agent_core_app_action`, for development. Default: they are ignored.
    pub fn debug_actions(mut self, execute: bool) -> Self {
        self.debug_actions = execute;
        self
    }

    /// Sets the registry of tasks that go on after a response, to add tasks outside of tools.
    pub fn async_tasks(mut self, tasks: AsyncTasks) -> Self {
        self.tasks = tasks;
        self
    }

    /// Sets the handle that forces a status of `/ping`.
    pub fn forced_ping(mut self, forced: ForcedPing) -> Self {
        self.forced_ping = forced;
        self
    }

    /// Sets a handler for `/ping`, whose status is used unless one is forced. If it fails, panics, or needs more than 2 seconds,
    /// `/ping` has status 500, so that the platform sees that the process is not healthy.
    pub fn ping<F, Fut, E>(mut self, handler: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<PingStatus, E>> + Send + 'static,
        E: fmt::Display,
    {
        self.custom_ping = Some(health::custom(handler));
        self
    }

    #[cfg(feature = "lambda")]
    pub(crate) fn service(&self) -> &AgentService {
        &self.http.service
    }

    /// Returns the router. The platform sends requests to port 8080; see [`default_address`].
    pub fn into_router(self) -> Router {
        let Self { http, body_limit, disconnect, debug_actions, tasks, forced_ping, custom_ping } = self;
        let health = Arc::new(Health::new(forced_ping, custom_ping, tasks));
        #[cfg(feature = "otel")]
        let service = http.service.clone();
        let shared = Shared { http, body_limit, disconnect, debug_actions, health };
        let router = Router::new()
            .route("/invocations", post(invocations::invoke))
            .route("/ping", get(health::ping))
            .route("/ws", any(websocket::connect))
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .with_state(shared)
            .layer(DefaultBodyLimit::max(body_limit))
            .layer(from_fn(|request, next| panics::caught(request, next, error::panicked)));
        #[cfg(feature = "otel")]
        let router = crate::http::telemetry::with_spans(router, &service);
        router
    }
}

impl fmt::Debug for AgentCoreHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCoreHost").field("service", &self.http.service).finish_non_exhaustive()
    }
}
