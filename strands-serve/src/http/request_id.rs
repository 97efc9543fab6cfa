//! Ids of requests: from the client or made here, in the response, and in all log events of the request.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use strands_core::uuid::Uuid;
use tracing::Instrument as _;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is accepted from a client.
const MAX_LENGTH: usize = 128;

pub(super) async fn with_request_id(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|id| is_valid(id));
    let id = given.cloned().or_else(|| HeaderValue::try_from(Uuid::new_v4().to_string()).ok());
    let Some(id) = id else { return next.run(request).await };
    let span = tracing::info_span!("request", request_id = id.to_str().unwrap_or_default());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Returns true for an id that can be written to a log as it is.
fn is_valid(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=MAX_LENGTH).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}
