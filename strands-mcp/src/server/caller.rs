//! Callers of a server over HTTP: who sent a request, the values that their tool calls get, and refusals.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use strands_core::{ToolCall, ToolRunner};

/// The sender of a request, and values to inject into the tool calls of that request.
///
/// The id separates callers: a session, and the state of a tool call that waits for input, belong to the caller that
/// started them. Requests without an id are all of one anonymous caller.
///
/// Tools can read the caller itself, too: it is injected as a `Caller`.
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

    /// Injects a value into the tool calls of the request. It takes precedence over the server's value of the same type. Put
    /// a value that is not `Clone` into an `Arc`: tools receive it all the same.
    #[must_use]
    pub fn inject<V: Clone + Send + Sync + 'static>(mut self, value: V) -> Self {
        self.injections.push(Arc::new(Value(value)));
        self
    }

    /// Returns the caller of a request: anonymous over stdio, and for a server that identifies none.
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let caller = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Self>());
        caller.cloned().unwrap_or_default()
    }

    /// Returns the id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Injects the values, and the caller itself, into a tool call.
    pub(super) fn inject_into_call(&self, call: ToolCall<'static>) -> ToolCall<'static> {
        self.injections.iter().fold(call.inject(self.clone()), |call, value| value.add_to_call(call))
    }

    /// Injects the values, and the caller itself, into a runner.
    pub(super) fn inject_into_runner(&self, runner: ToolRunner) -> ToolRunner {
        self.injections.iter().fold(runner.inject(self.clone()), |runner, value| value.add_to_runner(runner))
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
    fn add_to_call(&self, call: ToolCall<'static>) -> ToolCall<'static>;
    fn add_to_runner(&self, runner: ToolRunner) -> ToolRunner;
}

struct Value<V>(V);

impl<V: Clone + Send + Sync + 'static> Inject for Value<V> {
    fn add_to_call(&self, call: ToolCall<'static>) -> ToolCall<'static> {
        call.inject(self.0.clone())
    }

    fn add_to_runner(&self, runner: ToolRunner) -> ToolRunner {
        runner.inject(self.0.clone())
    }
}

/// Identifies the caller of each HTTP request.
///
/// A closure `Fn(&Parts) -> Result<Caller, Refusal>` implements it. Implement the trait under `#[async_trait]` if the
/// identification has to wait, for example for a database.
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
    /// HTTP status: 401 or 403.
    pub status: u16,
    /// Text of the response.
    pub text: String,
    /// Value of the header `WWW-Authenticate`.
    pub challenge: Option<String>,
}

strands_core::__debug_with_sources!(Refusal);

impl Refusal {
    /// Creates a refusal with status 401: the request has no valid credentials. `challenge` is the value of the header
    /// `WWW-Authenticate`, such as `Bearer resource_metadata="https://example.com/.well-known/oauth-protected-resource"`.
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
}
