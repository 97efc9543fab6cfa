//! End of an invocation: its turns have ended, and the program's callback has run, before Lambda freezes the process.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use super::InvocationEnd;
use super::handler::status;
use crate::AgentService;

/// Time before the deadline at which the callback is dropped, so that the response is sent.
const LAST_MOMENT: Duration = Duration::from_millis(100);

pub(super) struct End {
    service: AgentService,
    callback: Option<InvocationEnd>,
    deadline: Option<Instant>,
}

impl End {
    pub(super) fn new(service: AgentService, callback: Option<InvocationEnd>, deadline: Option<Instant>) -> Self {
        Self { service, callback, deadline }
    }

    /// Waits for the end of the invocation's work.
    pub(super) async fn wait(self) {
        let work = async {
            self.service.end_turns().await;
            if let Some(callback) = &self.callback {
                callback().await;
            }
        };
        let Some(deadline) = self.deadline else { return work.await };
        let last_moment = deadline.checked_sub(LAST_MOMENT).unwrap_or(deadline);
        if tokio::time::timeout_at(last_moment, work).await.is_err() {
            tracing::error!("the work at the end of the invocation took too long");
        }
    }
}

/// Reads the body of a response.
pub(super) async fn collected(response: Response) -> http::Response<Body> {
    let (parts, body) = response.into_parts();
    match body.collect().await {
        Ok(body) => Response::from_parts(parts, Body::from(body.to_bytes())),
        Err(error) => {
            tracing::error!(error = format!("{error:?}"), "the body of a response failed");
            status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Returns a body that ends after the end of the invocation's work.
pub(super) fn followed_by(body: Body, end: End) -> Body {
    let end = stream::once(end.wait()).filter_map(async |()| None);
    Body::from_stream(body.into_data_stream().chain(end))
}
