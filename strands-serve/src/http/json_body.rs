//! JSON bodies of requests, with problems for those that are not.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::{HostState, Problem};

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

/// Reads the body of a request, within the limits of its size and of time.
pub(crate) async fn read(request: Request, host: &HostState) -> Result<Bytes, Problem> {
    match tokio::time::timeout(host.body_timeout, Bytes::from_request(request, host)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large"))
        }
        Ok(Err(_)) => Err(Problem::bad_request("the body could not be read")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
