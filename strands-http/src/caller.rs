//! Callers of a server over HTTP: who sent a request, the values that its tools get, and refusals.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use http::request::Parts;
use strands_core::{PromptRequest, ToolCall, ToolRunner};

/// The sender of a request to a server, and values to inject into the tool calls of that request.
///
/// The id separates callers: what one has started, such as a session, a task or a conversation, does not exist for the others. Requests
/// without an id are all of one anonymous caller.
///
/// Tools and hooks can read the caller itself, too: it is injected as a `Caller`.
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

    /// Injects a value into the tool calls of the request. It takes precedence over a value of the same type that is injected
    /// elsewhere. Put a value that is not `Clone` into an `Arc`: tools receive it all the same.
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
    pub fn key(&self) -> String {
        self.id.as_ref().map_or_else(|| "anonymous".to_owned(), |id| format!("id:{id}"))
    }

    /// Injects the values, and the caller itself, into a prompt.
    pub fn inject_into_request(&self, request: PromptRequest) -> PromptRequest {
        self.injections.iter().fold(request.inject(self.clone()), |request, value| value.add_to_request(request))
    }

    /// Injects the values, and the caller itself, into a tool call.
    pub fn inject_into_call(&self, call: ToolCall<'static>) -> ToolCall<'static> {
        self.injections.iter().fold(call.inject(self.clone()), |call, value| value.add_to_call(call))
    }

    /// Injects the values, and the caller itself, into a runner.
    pub fn inject_into_runner(&self, runner: ToolRunner) -> ToolRunner {
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
    fn add_to_request(&self, request: PromptRequest) -> PromptRequest;
    fn add_to_call(&self, call: ToolCall<'static>) -> ToolCall<'static>;
    fn add_to_runner(&self, runner: ToolRunner) -> ToolRunner;
}

struct Value<V>(V);

impl<V: Clone + Send + Sync + 'static> Inject for Value<V> {
    fn add_to_request(&self, request: PromptRequest) -> PromptRequest {
        request.inject(self.0.clone())
    }

    fn add_to_call(&self, call: ToolCall<'static>) -> ToolCall<'static> {
        call.inject(self.0.clone())
    }

    fn add_to_runner(&self, runner: ToolRunner) -> ToolRunner {
        runner.inject(self.0.clone())
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
    /// `WWW-Authenticate`, such as `Bearer`, or for MCP
    /// `Bearer resource_metadata="https://example.com/.well-known/oauth-protected-resource"`.
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
