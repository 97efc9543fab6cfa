//! Spans of requests. The turn of a request is below its span, and the caller's span above it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use strands_core::TraceContext;
use strands_otel::{AgentTelemetry, RequestSpan};

use crate::AgentService;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");
/// Header of a response, of the draft of W3C's second level.
const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// Paths of health checks, which would be most of the spans.
const HEALTH: [&str; 3] = ["/healthz", "/readyz", "/ping"];

/// Adds spans of requests to a router, if the service has telemetry.
pub(crate) fn with_spans(router: Router, service: &AgentService) -> Router {
    match service.telemetry() {
        Some(telemetry) => router.layer(from_fn_with_state(telemetry.clone(), in_span)),
        None => router,
    }
}

async fn in_span(State(telemetry): State<AgentTelemetry>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    if HEALTH.contains(&route.as_str()) {
        return next.run(request).await;
    }
    let span = telemetry.request(request.method().as_str(), &route, request.headers());
    let trace = span.trace_context();
    if let Some(trace) = &trace {
        // The handlers read the position of the turn from the headers.
        set(request.headers_mut(), trace);
    }
    let mut response = span.in_scope(next.run(request)).await;
    if let Some(trace) = trace.and_then(|trace| HeaderValue::try_from(trace.traceparent()).ok()) {
        response.headers_mut().insert(TRACE_RESPONSE, trace);
    }
    let status = response.status().as_u16();
    response.map(|body| Body::new(SpannedBody { body, status, span: Some(span) }))
}

fn set(headers: &mut HeaderMap, trace: &TraceContext) {
    headers.remove(TRACE_STATE);
    if let Ok(parent) = HeaderValue::try_from(trace.traceparent()) {
        headers.insert(TRACE_PARENT, parent);
    }
    if let Some(state) = trace.tracestate().and_then(|state| HeaderValue::try_from(state).ok()) {
        headers.insert(TRACE_STATE, state);
    }
}

/// Body of a response, with the span that ends with it.
struct SpannedBody {
    body: Body,
    status: u16,
    span: Option<RequestSpan>,
}

impl SpannedBody {
    fn end(&mut self) {
        if let Some(span) = self.span.take() {
            span.end(self.status);
        }
    }
}

impl HttpBody for SpannedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for SpannedBody {
    fn drop(&mut self) {
        // A server does not poll a body whose end it knows, such as an empty one.
        if self.body.is_end_stream() {
            self.end();
        }
    }
}
