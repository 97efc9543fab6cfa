//! The service on HTTP, as a router of axum: prompts with JSON or server-sent events, runs, sessions, and approvals.
//!
//! | request | response |
//! |---|---|
//! | `POST /prompt` | `{"prompt"}` to `{"text", "message", "stop_reason", "usage", "metrics", "session_id", "run_id", ..}` |
//! | `POST /prompt/stream` | the same prompt; server-sent events, each with the JSON of an [`AgentEvent`](strands_core::AgentEvent) |
//! | `GET /runs/{id}/events` | the events of a run after `Last-Event-ID` |
//! | `DELETE /runs/{id}` | cancels a run |
//! | `POST /runs/{id}/answers` | replies to the interrupts of a run, which goes on |
//! | `GET /approvals` | the requests that the user may respond to |
//! | `GET /sessions?q=&limit=` | the user's sessions, newest first |
//! | `GET`, `PATCH`, `DELETE /sessions/{id}` | a whole session; `{"title"}` to change its title; deletes it |
//! | `POST /sessions/{id}/rewind` | `{"message_id"}` of a prompt to the messages that were removed |
//! | `GET /openapi.json` | the OpenAPI 3.1 description of these routes |
//! | `GET /healthz`, `GET /readyz` | the process lives; it accepts turns |
//!
//! Errors are `application/problem+json` ([`Problem`]). Each request but those for the description and for health has an
//! [`Identity`](strands_identity::Identity), which [`Authenticate`] finds.

mod approvals;
pub(crate) mod authentication;
mod development;
mod health;
pub(crate) mod json_body;
mod openapi;
pub(crate) mod panics;
mod parameters;
pub(crate) mod problem;
mod prompt;
mod request_id;
mod routes;
mod runs;
mod sessions;
pub(crate) mod sse;
#[cfg(feature = "otel")]
pub(crate) mod telemetry;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method};
use tokio::sync::Semaphore;
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use approvals::{
    AnswerBody, AnswersAccepted, AnswersBody, Approval, ApprovalList, DecisionBody, Requester, ResponseBody,
};
pub use authentication::{Authenticate, AuthenticationError};
pub use development::DevelopmentIdentity;
pub use problem::Problem;
#[cfg(any(feature = "a2a", feature = "agentcore", feature = "openai"))]
pub(crate) use prompt::trace_context;
pub use prompt::{PromptBody, PromptResponse};
pub use sessions::{RemovedMessages, RewindBody, SessionChanges, SessionList};

use crate::AgentService;

/// Default maximum size of a request's body, in bytes: 8 MiB.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Maximum size of all bodies that are being read, in bytes, besides small ones: 512 MiB.
const BODY_MEMORY: usize = 512 * 1024 * 1024;
/// Default maximum time for reading a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The HTTP host of a service.
///
/// ```
/// use strands::identity::Identity;
/// use strands::serve::AgentService;
/// use strands::serve::http::{DevelopmentIdentity, HttpHost};
/// # use strands::{Agent, session::SessionStore, testing::ScriptedModel};
///
/// # fn router(service: AgentService) -> strands::serve::axum::Router {
/// // In production, a `JwtVerifier` in place of the development identity.
/// HttpHost::new(service, DevelopmentIdentity::new(Identity::new("alice"))).into_router()
/// # }
/// ```
#[must_use = "a host does nothing until its router is served"]
pub struct HttpHost {
    state: HostState,
    body_limit: usize,
    origins: Vec<HeaderValue>,
    #[cfg(feature = "openai")]
    openai: Option<crate::openai::OpenAiSettings>,
    #[cfg(feature = "ui")]
    ui: Option<crate::ui::UiSettings>,
}

/// Parts of the host that handlers share.
#[derive(Clone)]
pub(crate) struct HostState {
    pub(crate) service: AgentService,
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) body_timeout: Duration,
    /// Bytes of memory for bodies that are being read.
    bodies: Arc<Semaphore>,
}

impl HostState {
    pub(crate) fn new(service: AgentService, authenticate: impl Authenticate + 'static) -> Self {
        let (authenticate, bodies) = (Arc::new(authenticate), Arc::new(Semaphore::new(BODY_MEMORY)));
        Self { service, authenticate, body_timeout: BODY_TIMEOUT, bodies }
    }

    /// Makes the memory for bodies large enough for one of this size.
    pub(crate) fn fit_body(&mut self, bytes: usize) {
        self.bodies = Arc::new(Semaphore::new(BODY_MEMORY.max(bytes).min(Semaphore::MAX_PERMITS)));
    }
}

impl HttpHost {
    /// Creates the host of a service.
    pub fn new(service: AgentService, authenticate: impl Authenticate + 'static) -> Self {
        Self {
            state: HostState::new(service, authenticate),
            body_limit: BODY_LIMIT,
            origins: Vec::new(),
            #[cfg(feature = "openai")]
            openai: None,
            #[cfg(feature = "ui")]
            ui: None,
        }
    }

    /// Adds the HTTP interface of OpenAI below `/v1`, for chat front ends; see [`openai`](crate::openai).
    #[cfg(feature = "openai")]
    #[cfg_attr(docsrs, doc(cfg(feature = "openai")))]
    pub fn openai(mut self, settings: crate::openai::OpenAiSettings) -> Self {
        self.openai = Some(settings);
        self
    }

    /// Adds the chat page at `/`, with its files below `/ui/`, for people; see [`ui`](crate::ui).
    #[cfg(feature = "ui")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ui")))]
    pub fn ui(mut self, settings: crate::ui::UiSettings) -> Self {
        self.ui = Some(settings);
        self
    }

    /// Sets the maximum size of a request's body, in bytes. Default: 8 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self.state.fit_body(bytes);
        self
    }

    /// Sets the maximum time for reading a request's body. Default: 30 seconds.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.state.body_timeout = timeout;
        self
    }

    /// Allows pages of other origins, such as `https://chat.example.com`, to send requests (CORS). `*` allows all. Default: none.
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = HeaderValue>) -> Self {
        self.origins.extend(origins);
        self
    }

    #[cfg(feature = "lambda")]
    pub(crate) fn service(&self) -> &AgentService {
        &self.state.service
    }

    /// Returns the router.
    ///
    /// It expects the address of the client as an extension, as
    /// [`into_make_service_with_connect_info`](Router::into_make_service_with_connect_info) adds it.
    pub fn into_router(self) -> Router {
        let cors = self.cors();
        let Self { state, body_limit, .. } = self;
        #[cfg(feature = "otel")]
        let service = state.service.clone();
        let router = routes::router(&state);
        #[cfg(feature = "openai")]
        let router = match self.openai {
            Some(settings) => router.nest("/v1", crate::openai::router(settings, &state)),
            None => router,
        };
        #[cfg(feature = "ui")]
        let router = match self.ui {
            Some(settings) => router.merge(crate::ui::router(&settings.fit_body(body_limit))),
            None => router,
        };
        let router = router
            .fallback(problem::not_found)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .with_state(state)
            .layer(DefaultBodyLimit::max(body_limit))
            .layer(from_fn(|request, next| panics::caught(request, next, problem::panicked)))
            .layer(from_fn(request_id::with_request_id));
        #[cfg(feature = "otel")]
        let router = telemetry::with_spans(router, &service);
        match cors {
            Some(cors) => router.layer(cors),
            None => router,
        }
    }

    fn cors(&self) -> Option<CorsLayer> {
        if self.origins.is_empty() {
            return None;
        }
        let last_event_id = HeaderName::from_static("last-event-id");
        let traceparent = HeaderName::from_static("traceparent");
        #[cfg_attr(not(feature = "openai"), expect(unused_mut, reason = "more are added for its interface"))]
        let mut allowed = vec![AUTHORIZATION, CONTENT_TYPE, last_event_id, traceparent, request_id::REQUEST_ID];
        #[cfg_attr(not(feature = "openai"), expect(unused_mut, reason = "more are added for its interface"))]
        let mut exposed = vec![LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, request_id::REQUEST_ID];
        #[cfg(feature = "openai")]
        if let Some(settings) = &self.openai {
            allowed.extend(settings.request_headers());
            exposed.push(crate::openai::SESSION_HEADER);
        }
        // A list with a wildcard would panic.
        let is_any = self.origins.iter().any(|origin| origin == "*");
        let origins = if is_any { AllowOrigin::any() } else { AllowOrigin::list(self.origins.clone()) };
        let cors = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
            .allow_headers(allowed)
            .expose_headers(exposed);
        Some(cors.max_age(Duration::from_secs(600)))
    }
}

impl fmt::Debug for HttpHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHost").field("service", &self.state.service).finish_non_exhaustive()
    }
}
