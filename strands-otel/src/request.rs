//! Requests to a server: the span around an invocation, and the current position while it runs.

use std::fmt;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::context::{FutureExt as _, WithContext};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _};
use strands_core::TraceContext;

use crate::agent_telemetry::AgentTelemetry;
use crate::span::OpenSpan;
use crate::{position, semconv};

/// Methods that spans tell apart.
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];

/// Span of a request to a server. It ends when it is dropped.
///
/// # Examples
///
/// ```
/// use http::HeaderMap;
/// use strands::telemetry::AgentTelemetry;
/// # use strands::{Agent, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let (telemetry, headers) = (AgentTelemetry::new(), HeaderMap::new());
/// let request = telemetry.request("POST", "/prompt", &headers);
/// # let mut agent = Agent::builder().model(ScriptedModel::responding("hi")).build().await?;
/// let mut invocation = agent.prompt("Hello");
/// if let Some(trace) = request.trace_context() {
///     invocation = invocation.inject(trace);
/// }
/// let response = request.in_scope(invocation.into_future()).await?;
/// request.end(200);
/// # use std::future::IntoFuture;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "the span ends when it is dropped"]
pub struct RequestSpan {
    span: OpenSpan,
    /// Position of the caller.
    caller: Option<TraceContext>,
    has_ended: bool,
}

impl AgentTelemetry {
    /// Starts the span of a request, below the caller's span if the headers have a valid `traceparent`. `route` has placeholders
    /// in place of ids, such as `/runs/{id}/events`, and empty for a path that has none.
    pub fn request(&self, method: &str, route: &str, headers: &HeaderMap) -> RequestSpan {
        let caller = trace_of(headers);
        let parent = match caller.as_ref().and_then(position::span_context) {
            Some(remote) => Context::new().with_remote_span_context(remote),
            None => Context::new(),
        };
        // Another method is any text of the client.
        let known = METHODS.into_iter().find(|known| *known == method);
        let mut attributes = vec![KeyValue::new(semconv::HTTP_METHOD, known.unwrap_or(semconv::OTHER))];
        let method = known.unwrap_or("HTTP");
        let name = if route.is_empty() { method.to_owned() } else { format!("{method} {route}") };
        if !route.is_empty() {
            attributes.push(KeyValue::new(semconv::HTTP_ROUTE, route.to_owned()));
        }
        let tracer = &self.shared().tracer;
        let span = OpenSpan::start(tracer, &parent, name, SpanKind::Server, attributes, Vec::new());
        RequestSpan { span, caller, has_ended: false }
    }
}

/// Reads the position of the caller. One that is not valid is ignored, as W3C requires.
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all("traceparent").iter();
    let parent: TraceContext = parents.next()?.to_str().ok()?.trim().parse().ok()?;
    if parents.next().is_some() {
        return None;
    }
    let states: Option<Vec<_>> = headers.get_all("tracestate").iter().map(|value| value.to_str().ok()).collect();
    Some(parent.clone().with_state(states.unwrap_or_default().join(",")).unwrap_or(parent))
}

impl RequestSpan {
    /// Returns the position of the request, to [inject](strands_core::Invocation::inject) into the invocation, and for the header
    /// `traceresponse` of the response. Without an SDK that is the caller's.
    pub fn trace_context(&self) -> Option<TraceContext> {
        position::trace_context(self.span.context().span().span_context()).or_else(|| self.caller.clone())
    }

    /// Makes the span the current one while a future or a stream is polled, so that logs and spans of other libraries
    /// belong to it.
    pub fn in_scope<W>(&self, work: W) -> InContext<W> {
        work.with_context(self.span.context().clone())
    }

    /// Adds an attribute, such as the id of the user.
    pub fn set(&self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        self.span.set(name, value);
    }

    /// Ends the span with the status code of the response. Codes from 500 are errors.
    pub fn end(mut self, status: u16) {
        self.has_ended = true;
        self.span.set(semconv::HTTP_STATUS, i64::from(status));
        if status >= 500 {
            self.span.set(semconv::ERROR_TYPE, status.to_string());
            self.span.context().span().set_status(Status::error(""));
        }
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if !self.has_ended {
            self.span.set(semconv::CANCELLATION_TYPE, "dropped");
        }
    }
}

impl fmt::Debug for RequestSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSpan").field("trace_context", &self.trace_context()).finish_non_exhaustive()
    }
}

/// A future or a stream that is polled with a current position in a trace.
pub type InContext<W> = WithContext<W>;

/// Makes a position current while a future or a stream is polled. Logs have its trace, and spans of other libraries are its
/// children.
pub fn in_context<W>(trace: &TraceContext, work: W) -> InContext<W> {
    let current = Context::current();
    let context = match position::span_context(trace) {
        Some(span) => current.with_remote_span_context(span),
        None => current,
    };
    work.with_context(context)
}
