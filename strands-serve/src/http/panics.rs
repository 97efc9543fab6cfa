//! Requests whose handler panics.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;

/// Responds with `panicked` if the handler panics. Unlike the layer of tower-http it leaves the body of the response as it is: each
/// event of a stream passes all layers of its body.
pub(crate) async fn caught(request: Request, next: Next, panicked: fn() -> Response) -> Response {
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a request was aborted by a panic");
        panicked()
    })
}
