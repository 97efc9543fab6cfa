//! Server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::Value;

/// Interval of comments on a stream without events, for proxies that end idle connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Returns a response of events, each with JSON as its data.
pub(super) fn response(events: BoxStream<'static, Value>) -> Response {
    let events = events.map(|event| Ok::<_, Infallible>(Event::default().data(event.to_string())));
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of the kind of nginx buffer streams without it.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
