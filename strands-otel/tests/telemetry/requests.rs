//! Spans of requests to a server, and positions that futures and streams are polled in.

use std::future::IntoFuture as _;

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanKind, TraceContextExt as _};
use strands_core::TraceContext;
use strands_core::testing::ScriptedTurn;
use strands_otel::{AgentTelemetry, in_context, semconv};

use crate::rig::{Rig, attribute};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[tokio::test]
async fn a_request_continues_the_trace_of_its_caller() {
    let rig = Rig::new();
    let request = rig.telemetry.request("POST", "/prompt", &headers(&[("traceparent", CALLER), ("tracestate", "a=1")]));
    let trace = request.trace_context().unwrap();
    assert!(trace.traceparent().starts_with("00-0af7651916cd43dd8448eb211c80319c-") && trace.traceparent() != CALLER);
    assert_eq!(trace.tracestate(), Some("a=1"));
    let mut agent = rig.agent([ScriptedTurn::text("hi")]).build().await.unwrap();
    request.in_scope(agent.prompt("go").inject(trace).into_future()).await.unwrap();
    request.end(200);
    assert_eq!(rig.tree()[..2], ["POST /prompt < ?", "invoke_agent weather-agent < POST /prompt"]);
    let span = rig.span("POST /prompt");
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(attribute(&span, semconv::HTTP_STATUS).as_deref(), Some("200"));

    rig.telemetry.request("GET", "/x", &HeaderMap::new()).end(503);
    assert_eq!(attribute(&rig.span("GET /x"), semconv::ERROR_TYPE).as_deref(), Some("503"));
    rig.telemetry.request("BREW", "/x", &HeaderMap::new()).end(405);
    assert_eq!(attribute(&rig.span("HTTP /x"), semconv::HTTP_METHOD).as_deref(), Some("_OTHER"));
    rig.telemetry.request("GET", "", &HeaderMap::new()).end(404);
    assert_eq!(attribute(&rig.span("GET"), semconv::HTTP_ROUTE), None);
    drop(rig.telemetry.request("GET", "/gone", &HeaderMap::new()));
    assert_eq!(attribute(&rig.span("GET /gone"), semconv::CANCELLATION_TYPE).as_deref(), Some("dropped"));
}

#[test]
fn invalid_positions_of_callers_are_ignored() {
    let rig = Rig::new();
    for pairs in
        [&[("traceparent", "00-zz")][..], &[("traceparent", CALLER), ("traceparent", CALLER)], &[("tracestate", "a=1")]]
    {
        let request = rig.telemetry.request("GET", "/", &headers(pairs));
        assert!(!request.trace_context().unwrap().traceparent().contains("0af7651916cd43dd8448eb211c80319c"));
    }
    // Without an SDK, the position of the caller is passed on.
    let none =
        AgentTelemetry::builder().tracer_provider(&opentelemetry::trace::noop::NoopTracerProvider::new()).build();
    let passed = none.request("GET", "/", &headers(&[("traceparent", CALLER)])).trace_context();
    assert_eq!(passed, CALLER.parse::<TraceContext>().ok());
    assert_eq!(none.request("GET", "/", &HeaderMap::new()).trace_context(), None);
}

#[tokio::test]
async fn a_position_is_current_only_while_the_work_is_polled() {
    let trace: TraceContext = CALLER.parse().unwrap();
    let current = || opentelemetry::Context::current().span().span_context().span_id().to_string();
    let work = std::pin::pin!(in_context(&trace, async {
        let before = current();
        tokio::task::yield_now().await;
        (before, current())
    }));
    let mut work = work;
    assert!(futures_util::poll!(&mut work).is_pending());
    assert_eq!(current(), "0000000000000000");
    assert_eq!(work.await, ("b7ad6b7169203331".to_owned(), "b7ad6b7169203331".to_owned()));
}
