//! Responses that hold a share until they are sent: a client that reads slowly keeps the memory of its response in use.

use axum::body::{Body, HttpBody as _};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};

use crate::server::shares::Share;

/// Returns a response that holds a share until its body was sent, or is dropped.
pub(super) fn held(response: Response, share: Share) -> Response {
    let (mut parts, body) = response.into_parts();
    // A stream has no length of its own.
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    // It does not say that it has ended with its last chunk, so that the connection keeps it until that was passed on.
    let chunks = stream::unfold((body.into_data_stream(), share), |(mut chunks, share)| async move {
        let chunk = chunks.next().await?;
        Some((chunk, (chunks, share)))
    });
    Response::from_parts(parts, Body::from_stream(chunks))
}
