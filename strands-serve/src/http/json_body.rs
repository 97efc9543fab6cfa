//! JSON bodies of requests, with problems for those that are not.

use std::error::Error as StdError;

use axum::RequestExt as _;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use bytes::BytesMut;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError};
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;

use super::{HostState, Problem};
use crate::TurnError;

/// Size of a body that needs no share of the memory for bodies, so that plain prompts arrive while large ones fill it.
const SMALL_BODY: usize = 64 * 1024;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<HostState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, host: &HostState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "the body must have the content type application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
        }
        let body = read(request, host).await?;
        // serde takes an array for a struct, which the description of this interface does not.
        if body.trim_ascii_start().first() == Some(&b'[') {
            let detail = "invalid body: expected a JSON object";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_json", detail));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
            Problem::new(status, "invalid_json", format!("invalid body: {error}"))
        })
    }
}

/// Reads the body of a request, within the limits of its size, of time, and of the memory for all bodies. A service that is full
/// refuses it unread.
pub(crate) async fn read(request: Request, host: &HostState) -> Result<Bytes, Problem> {
    host.service.check_capacity().map_err(|error| host.problem(&error))?;
    match tokio::time::timeout(host.body_timeout, collect(request.into_limited_body(), host)).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")),
    }
}

async fn collect(mut body: Body, host: &HostState) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    let mut held: Option<SemaphorePermit<'_>> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| unreadable(&error))?.into_data() else { continue };
        if bytes.len() + data.len() > SMALL_BODY {
            let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let Ok(permit) = host.bodies.try_acquire_many(size) else {
                return Err(host.problem(&TurnError::Overloaded));
            };
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn unreadable(error: &axum::Error) -> Problem {
    let error: &(dyn StdError + 'static) = error;
    let mut sources = std::iter::successors(Some(error), |error| StdError::source(*error));
    if sources.any(|error| error.is::<LengthLimitError>()) {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
    } else {
        Problem::bad_request("the body could not be read")
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strands_core::Agent;
    use strands_core::testing::ScriptedModel;
    use strands_identity::Identity;
    use strands_session::SessionStore;
    use strands_session::object_store::memory::InMemory;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::AgentService;
    use crate::http::DevelopmentIdentity;

    #[tokio::test]
    async fn large_bodies_share_a_memory_and_small_ones_need_none() {
        let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
        let service = AgentService::builder(Agent::builder().model(ScriptedModel::responding("")), store).build();
        let mut host = HostState::new(service, DevelopmentIdentity::new(Identity::new("alice")));
        host.bodies = Arc::new(Semaphore::new(SMALL_BODY + 1));
        let send = async |size: usize| read(Request::new(Body::from(vec![b'x'; size])), &host).await;
        for size in [0, SMALL_BODY, SMALL_BODY + 1, SMALL_BODY + 1] {
            assert_eq!(send(size).await.unwrap().len(), size);
        }
        assert_eq!(send(SMALL_BODY + 2).await.unwrap_err().code, "overloaded");
        let other = host.bodies.acquire().await.unwrap();
        assert_eq!(send(SMALL_BODY + 1).await.unwrap_err().code, "overloaded");
        assert_eq!(send(SMALL_BODY).await.unwrap().len(), SMALL_BODY);
        drop(other);
        assert_eq!(send(SMALL_BODY + 1).await.unwrap().len(), SMALL_BODY + 1);
        host.fit_body(usize::MAX);
        assert!(host.bodies.available_permits() > u32::MAX as usize);
    }
}
