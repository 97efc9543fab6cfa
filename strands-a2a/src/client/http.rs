//! HTTP requests to a server, with its token, and bounded responses.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Response;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use strands_core::TraceContext;
use url::{Origin, Url};

use super::bearer::Bearer;
use super::error::{A2aError, may_pass};
use crate::json::count_values;

/// Header with the protocol version.
const VERSION: HeaderName = HeaderName::from_static("a2a-version");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Number of bytes of the size limit for which a response may have one JSON value, and the number that it may have in any case.
const BYTES_PER_VALUE: usize = 64;
const MIN_VALUES: usize = 10_000;

/// Maximum size of the body of an HTTP error, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// HTTP client of one agent. Its token and its headers go to the origin of the agent card alone.
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    pub(super) origin: Origin,
    pub(super) bearer: Option<Arc<dyn Bearer>>,
    pub(super) headers: HeaderMap,
    /// Longest time without a byte of the server.
    pub(super) timeout: Duration,
    /// Size limit of a response or of an event, in bytes.
    pub(super) max_bytes: usize,
}

/// One request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<&'a Value>,
    pub(super) version: &'static str,
    /// True if the response may be a stream of events.
    pub(super) streams: bool,
    pub(super) trace: Option<&'a TraceContext>,
}

impl Http {
    /// Sends a request. Returns the response if it is a success.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Response, A2aError> {
        let accept = if request.streams { "text/event-stream, application/json" } else { "application/json" };
        let is_own = request.url.origin() == self.origin;
        let mut sent = self.client.request(request.method, request.url).header(ACCEPT, accept);
        sent = sent.header(VERSION, request.version);
        if let Some(trace) = request.trace {
            sent = sent.header(TRACE_PARENT, trace.traceparent());
            if let Some(state) = trace.tracestate() {
                sent = sent.header(TRACE_STATE, state);
            }
        }
        if let Some(body) = request.body {
            sent = sent.header(CONTENT_TYPE, "application/json").body(serde_json::to_vec(body)?);
        }
        if is_own {
            sent = sent.headers(self.headers.clone());
            if let Some(bearer) = &self.bearer {
                sent = sent.header(AUTHORIZATION, self.authorization(&**bearer).await?);
            }
        }
        let response = sent.send().await.map_err(|error| self.failed(error))?;
        match response.status().as_u16() {
            200..300 => Ok(response),
            status @ (401 | 403) => Err(A2aError::Unauthorized { status }),
            status => Err(self.error_of(status, response).await),
        }
    }

    async fn authorization(&self, bearer: &dyn Bearer) -> Result<HeaderValue, A2aError> {
        let token = tokio::time::timeout(self.timeout, bearer.token()).await;
        let token = token.map_err(|_| A2aError::Timeout { timeout: self.timeout })?;
        let token = token.map_err(|source| A2aError::Token { source })?;
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        // The error of the header would not say more.
        let mut value =
            value.map_err(|_| A2aError::Token { source: "the token has characters that no header can have".into() })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Reads the body of a response.
    pub(super) async fn body(&self, response: Response) -> Result<Bytes, A2aError> {
        self.body_within(response, self.max_bytes).await
    }

    /// Reads the body of a response of up to `limit` bytes.
    pub(super) async fn body_within(&self, response: Response, limit: usize) -> Result<Bytes, A2aError> {
        let (body, is_cut) = self.start_of_body(response, limit).await?;
        if is_cut { Err(A2aError::TooLarge { limit }) } else { Ok(body) }
    }

    /// Reads up to `limit` bytes of a body. The second value is true if there are more.
    async fn start_of_body(&self, response: Response, limit: usize) -> Result<(Bytes, bool), A2aError> {
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.failed(error))?;
            if chunk.len() > limit - body.len() {
                body.extend_from_slice(chunk.get(..limit - body.len()).unwrap_or_default());
                return Ok((body.freeze(), true));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body.freeze(), false))
    }

    /// Returns the error of a response that is no success: that of the protocol if its body has one, unless the error may pass.
    async fn error_of(&self, status: u16, response: Response) -> A2aError {
        let (body, _) = self.start_of_body(response, MAX_ERROR_BODY).await.unwrap_or_default();
        let error = serde_json::from_slice::<Value>(&body).ok().and_then(|body| rejection(&body));
        // Some servers send errors of the protocol, such as of invalid parameters, with status 500.
        let is_final = matches!(&error, Some(A2aError::Rejected { code, .. }) if *code < 0)
            && !error.as_ref().is_some_and(A2aError::is_transient);
        match error {
            Some(error) if is_final || !may_pass(status) => error,
            _ => A2aError::http(status, &body),
        }
    }

    /// Returns the error of a request or of its body, without the URL, which may have a secret.
    pub(super) fn failed(&self, error: reqwest::Error) -> A2aError {
        if error.is_timeout() {
            return A2aError::Timeout { timeout: self.timeout };
        }
        A2aError::Connection { source: error.without_url().into() }
    }
}

/// Checks the number of JSON values of a response or of an event before it is parsed. `max_bytes` is the limit of its size.
pub(super) fn check_values(json: &[u8], max_bytes: usize) -> Result<(), A2aError> {
    let limit = (max_bytes / BYTES_PER_VALUE).max(MIN_VALUES);
    if count_values(json) > limit { Err(A2aError::TooManyValues { limit }) } else { Ok(()) }
}

/// Returns the error in a response of JSON-RPC or of HTTP+JSON.
pub(super) fn rejection(response: &Value) -> Option<A2aError> {
    let error = response.get("error").filter(|error| error.is_object())?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    // HTTP+JSON has the code of HTTP, and the one of the protocol by its name.
    let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let reason = details.iter().find_map(|detail| detail.get("reason")?.as_str()).and_then(a2a::reason_to_error_code);
    let code = reason.map(i64::from).or_else(|| error.get("code")?.as_i64()).unwrap_or_default();
    Some(A2aError::rejected(code, message))
}
