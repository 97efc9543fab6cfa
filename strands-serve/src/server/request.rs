//! A request as the router gets it, and the response to it: timeouts of bodies, and panics.

use std::error::Error as StdError;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};
use tower::ServiceExt as _;

use super::activity::Activity;
use super::response_body::TrackedBody;

/// Responds to a request by the router.
pub(super) async fn respond(
    router: Router,
    request: Request<Incoming>,
    activity: &Arc<Activity>,
    body_timeout: Duration,
) -> Response<TrackedBody> {
    let multiplexed = request.version() == Version::HTTP_2;
    let in_flight = activity.request(multiplexed);
    let expired = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(TimedBody { body, timeout: Box::pin(sleep(body_timeout)), expired: Arc::clone(&expired) })
    });
    // A panic would end the connection, and with HTTP/2 the other requests on it. The panic hook has reported it.
    let mut response = match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    };
    if expired.load(Ordering::Relaxed) {
        response = status(StatusCode::REQUEST_TIMEOUT);
        if !multiplexed {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response.map(|body| TrackedBody::new(body, in_flight))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Body of a request that has to arrive in time.
struct TimedBody {
    body: Incoming,
    timeout: Pin<Box<Sleep>>,
    expired: Arc<AtomicBool>,
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyError::Incomplete))),
            Poll::Pending => {
                std::task::ready!(self.timeout.as_mut().poll(cx));
                self.expired.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(BodyError::Timeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An error of reading a body. It says nothing about this server, since handlers may send it to the client.
#[derive(Debug)]
enum BodyError {
    Incomplete,
    Timeout,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "the request body is incomplete",
            Self::Timeout => "the request body did not arrive in time",
        })
    }
}

impl StdError for BodyError {}
