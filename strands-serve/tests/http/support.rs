//! A service in memory with a scripted model, and requests to its router.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use strands_core::message::ToolResultContent;
use strands_core::models::{ErrorDetails, ModelError, ModelRequest};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, TraceContext};
use strands_identity::Identity;
use strands_serve::http::{Authenticate, AuthenticationError, HttpHost};
use strands_serve::{AgentService, AgentTemplate, ServiceLimits};
use strands_session::SessionStore;
use strands_session::object_store::memory::InMemory;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

/// Takes the identity from headers: `x-user`, `x-roles` with commas, `x-issuer`, and a claim from `x-tenant`.
pub(crate) struct ByHeaders;

#[async_trait]
impl Authenticate for ByHeaders {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let mut identity = Identity::new(header("x-user").ok_or(AuthenticationError::Unauthenticated)?);
        for role in header("x-roles").into_iter().flat_map(|roles| roles.split(',')) {
            identity = identity.with_role(role);
        }
        if let Some(issuer) = header("x-issuer") {
            identity = identity.with_issuer(issuer);
        }
        if let Some(tenant) = header("x-tenant") {
            identity = identity.with_claim("tenant", tenant);
        }
        Ok(identity)
    }
}

type Call = dyn Fn(ToolContext, Value) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + Sync;

/// A tool made of a closure.
pub(crate) struct FnTool {
    spec: ToolSpec,
    call: Box<Call>,
}

/// Creates a tool whose arguments are any object.
pub(crate) fn tool<F>(name: &str, call: impl Fn(ToolContext, Value) -> F + Send + Sync + 'static) -> FnTool
where
    F: Future<Output = Result<ToolOutput, ToolError>> + Send + 'static,
{
    let spec = ToolSpec::new(name, format!("The tool {name}."), json!({"type": "object"}));
    FnTool { spec, call: Box::new(move |context, input| Box::pin(call(context, input))) }
}

#[async_trait]
impl Tool for FnTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        (self.call)(context.clone(), input).await
    }
}

/// Responds to the last line of the newest message: the prompt `call NAME` calls a tool with `{"n": 1}`, `fail` fails, `stall` streams without an
/// end, `panic` panics; results of tools and other prompts are repeated.
pub(crate) fn model() -> ScriptedModel {
    ScriptedModel::from_fn(respond)
}

fn respond(request: &ModelRequest<'_>) -> ScriptedTurn {
    let newest = request.messages.last().expect("there is a prompt");
    let results: Vec<String> = newest
        .tool_results()
        .flat_map(|result| &result.content)
        .map(|content| match content {
            ToolResultContent::Text(text) => text.clone(),
            other => format!("{other:?}"),
        })
        .collect();
    if !results.is_empty() {
        return ScriptedTurn::text(results.join("; "));
    }
    let text = newest.text();
    let text = text.lines().last().unwrap_or_default();
    match text.split_once(' ') {
        Some(("call", names)) => {
            ScriptedTurn::tool_uses(names.split(' ').map(|name| (name.to_owned(), json!({"n": 1}))))
        }
        _ if text == "fail" => {
            let details = ErrorDetails::new().with_code("internals").boxed();
            ScriptedTurn::error(ModelError::InvalidRequest { details })
        }
        _ if text == "stall" => ScriptedTurn::text("one two three").stalling_after(2),
        _ if text == "panic" => panic!("internals of the model"),
        _ => ScriptedTurn::text(text),
    }
}

/// A gate that a tool `wait` passes once for each permit.
#[derive(Clone)]
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    arrivals: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), arrivals: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until a tool is at the gate.
    pub(crate) async fn arrived(&self) {
        self.arrivals.acquire().await.unwrap().forget();
    }

    pub(crate) fn open(&self) {
        self.permits.add_permits(1);
    }

    fn tool(&self) -> FnTool {
        let gate = self.clone();
        tool("wait", move |_, _| {
            let gate = gate.clone();
            async move {
                gate.arrivals.add_permits(1);
                gate.permits.acquire().await.unwrap().forget();
                Ok(ToolOutput::text("waited"))
            }
        })
    }
}

/// Returns an agent with tools that tests need.
pub(crate) fn agent(gate: &Gate) -> AgentBuilder {
    let trace = tool("trace", async |context, _| {
        let trace = context.injected::<TraceContext>()?;
        Ok(ToolOutput::text(format!("{} {}", trace.traceparent(), trace.tracestate().unwrap_or_default())))
    });
    let whoami = tool("whoami", async |context, _| {
        let identity = context.injected::<Identity>()?;
        let tenant = identity.claim("tenant").and_then(Value::as_str).unwrap_or("none");
        Ok(ToolOutput::text(format!("{} {} {tenant}", identity.subject, identity.roles.join(","))))
    });
    let ask = tool("ask", async |context, _| {
        let response = context.interrupt("sure", json!({"about": "it"}))?;
        Ok(ToolOutput::text(format!("asked: {response}")))
    });
    let panics = tool("panics", async |_, _| panic!("internals of the tool"));
    Agent::builder().model(model()).tool(trace).tool(whoami).tool(ask).tool(panics).tool(gate.tool())
}

/// A service with its router.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) service: AgentService,
    pub(crate) router: Router,
    pub(crate) gate: Gate,
}

pub(crate) fn memory() -> SessionStore {
    SessionStore::objects(Arc::new(InMemory::new()), "").unwrap()
}

pub(crate) fn rig() -> Rig {
    limited(ServiceLimits::new())
}

pub(crate) fn limited(limits: ServiceLimits) -> Rig {
    let gate = Gate::new();
    Rig::new(agent(&gate), memory(), limits, gate)
}

impl Rig {
    pub(crate) fn new(
        template: impl AgentTemplate + 'static,
        store: SessionStore,
        limits: ServiceLimits,
        gate: Gate,
    ) -> Self {
        Self::of(AgentService::builder(template, store).limits(limits).build(), gate)
    }

    pub(crate) fn of(service: AgentService, gate: Gate) -> Self {
        let router = HttpHost::new(service.clone(), ByHeaders).into_router();
        Self { service, router, gate }
    }

    /// Creates another process with the same store.
    pub(crate) fn restarted(&self) -> Self {
        let gate = Gate::new();
        Self::new(agent(&gate), self.service.store().clone(), ServiceLimits::new(), gate)
    }

    pub(crate) async fn send(&self, request: Outgoing) -> Reply {
        let response = self.router.clone().oneshot(request.build()).await.unwrap();
        Reply::of(response).await
    }

    /// Sends a request, and returns the response with its open body.
    pub(crate) async fn open(&self, request: Outgoing) -> http::Response<Body> {
        self.router.clone().oneshot(request.build()).await.unwrap()
    }

    /// Prompts as a user, in the default session.
    pub(crate) async fn prompt(&self, user: &str, text: &str) -> Reply {
        self.send(post("/prompt", json!({"prompt": text})).user(user)).await
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

pub(crate) fn request(method: &'static str, path: impl Into<String>) -> Outgoing {
    Outgoing { method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
}

pub(crate) fn get(path: impl Into<String>) -> Outgoing {
    request("GET", path)
}

pub(crate) fn post(path: impl Into<String>, body: Value) -> Outgoing {
    request("POST", path).json(body)
}

impl Outgoing {
    pub(crate) fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn user(self, user: &str) -> Self {
        self.header("x-user", user)
    }

    pub(crate) fn build(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body)).unwrap()
    }
}

/// A whole response.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) async fn of(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks the status, and returns the JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// Checks that it is a problem, and returns its status and code.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["type"], "about:blank");
        assert!(!self.text().contains("internals"), "{self:?}");
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// A server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sse {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// Parses a stream, without comments.
pub(crate) fn sse(text: &str) -> Vec<Sse> {
    let mut events = Vec::new();
    for block in text.split_terminator("\n\n") {
        let field = |name: &str| {
            let value = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.unwrap_or_default().to_owned()
        };
        if block.starts_with(':') {
            continue;
        }
        let data = serde_json::from_str(&field("data")).unwrap();
        events.push(Sse { id: field("id"), event: field("event"), data });
    }
    events
}

/// Returns the types of events.
pub(crate) fn types(events: &[Sse]) -> Vec<&str> {
    events.iter().map(|event| event.data["type"].as_str().unwrap_or("error")).collect()
}

/// Reads a body until its text satisfies a condition, and returns it.
pub(crate) async fn read_until(body: &mut Body, mut is_enough: impl FnMut(&str) -> bool) -> String {
    let mut text = String::new();
    while !is_enough(&text) {
        let frame = body.frame().await.expect("the stream goes on").unwrap();
        if let Ok(data) = frame.into_data() {
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
    text
}
