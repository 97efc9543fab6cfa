//! Callers of a server: who sent a request, the values that the agent gets, and refusals.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use axum::http::request::Parts;
use strands_core::PromptRequest;

/// The sender of a request, and values to inject into the agent's work for that request.
///
/// The id separates callers: each has its own contexts, tasks and push notification configurations. To all others they do not
/// exist. Requests without an id are all of one anonymous caller.
#[derive(Clone, Default)]
pub struct Caller {
    id: Option<Arc<str>>,
    injections: Vec<Arc<dyn Inject>>,
}

impl Caller {
    /// Creates a caller with an id that is unique among all callers, such as the subject of a token.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self { id: Some(id.into()), injections: Vec::new() }
    }

    /// Creates a caller without an id.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Injects a value for the agent's tools and hooks. Put a value that is not `Clone` into an `Arc`: tools receive it all the
    /// same.
    #[must_use]
    pub fn inject<V: Clone + Send + Sync + 'static>(mut self, value: V) -> Self {
        self.injections.push(Arc::new(Value(value)));
        self
    }

    /// Returns the id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns a key that is different for each caller, also for the anonymous one.
    pub(super) fn key(&self) -> String {
        self.id.as_ref().map_or_else(|| "anonymous".to_owned(), |id| format!("id:{id}"))
    }

    /// Injects the values into a request.
    pub(super) fn inject_into(&self, request: PromptRequest) -> PromptRequest {
        self.injections.iter().fold(request, |request, value| value.add_to(request))
    }
}

/// Prints the id only, since values may be secrets.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A value of any type.
trait Inject: Send + Sync {
    fn add_to(&self, request: PromptRequest) -> PromptRequest;
}

struct Value<V>(V);

impl<V: Clone + Send + Sync + 'static> Inject for Value<V> {
    fn add_to(&self, request: PromptRequest) -> PromptRequest {
        request.inject(self.0.clone())
    }
}

/// Identifies the caller of each request.
///
/// A closure `Fn(&Parts) -> Result<Caller, Refusal>` implements it. Implement the trait under `#[async_trait]` if the
/// identification has to wait, for example for the keys of an issuer of tokens.
#[async_trait]
pub trait IdentifyCaller: Send + Sync {
    /// Returns the caller of a request. The parts have its headers, and the extensions that earlier layers of the router
    /// have set.
    ///
    /// # Errors
    ///
    /// Returns a [`Refusal`] to reject the request.
    async fn identify(&self, request: &Parts) -> Result<Caller, Refusal>;
}

#[async_trait]
impl<F> IdentifyCaller for F
where
    F: Fn(&Parts) -> Result<Caller, Refusal> + Send + Sync,
{
    async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
        self(request)
    }
}

/// A refusal of a request, which becomes its HTTP response. The client sees the text.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
#[non_exhaustive]
pub struct Refusal {
    /// HTTP status: 401, 403 or 503.
    pub status: u16,
    /// Text of the response.
    pub text: String,
    /// Value of the header `WWW-Authenticate`.
    pub challenge: Option<String>,
}

strands_core::__debug_with_sources!(Refusal);

impl Refusal {
    /// Creates a refusal with status 401: the request has no valid credentials. `challenge` is the value of the header
    /// `WWW-Authenticate`, such as `Bearer`.
    pub fn unauthorized(challenge: impl Into<String>) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED.as_u16(),
            text: "the request has no valid credentials".to_owned(),
            challenge: Some(challenge.into()),
        }
    }

    /// Creates a refusal with status 403: the caller is known and may not do this.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN.as_u16(), text: text.into(), challenge: None }
    }

    /// Creates a refusal with status 503: callers can't be identified now.
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE.as_u16(), text: text.into(), challenge: None }
    }
}
