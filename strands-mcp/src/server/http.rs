//! Streamable HTTP: checks of a request before rmcp's service handles it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::StreamExt as _;
use rmcp::transport::streamable_http_server::tower::{StreamableHttpServerConfig, StreamableHttpService};
use strands_http::{Caller, Refusal};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::handler::{Handler, Shared};
use super::sessions::Sessions;
use super::settings::Hosts;
use super::shutdown;

/// Path of the server.
const PATH: &str = "/mcp";

/// Time in which a client has to send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// First protocol version without sessions.
const STATELESS: &str = "2026-07-28";

/// Body of the response to a message that can't be read.
const PARSE_ERROR: &str =
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the body is not a JSON-RPC message"}}"#;

/// State of the route.
struct Http {
    shared: Arc<Shared>,
    sessions: Arc<Sessions>,
    service: StreamableHttpService<Handler, Sessions>,
    end: CancellationToken,
    /// Started by the first request, since a router may be made outside of a runtime.
    drain: OnceLock<DropGuard>,
}

/// Creates the router of a server.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let settings = &shared.settings;
    let end = CancellationToken::new();
    let mut config = StreamableHttpServerConfig::default()
        .with_allowed_origins(settings.allowed_origins.iter().cloned())
        .enforce_origin_validation()
        .with_legacy_session_mode(settings.legacy_sessions)
        // A tool that reports progress responds with a stream all the same.
        .with_json_response(!settings.legacy_sessions)
        .with_max_request_body_bytes(settings.max_message_bytes)
        .with_cancellation_token(end.clone());
    config = match &settings.allowed_hosts {
        Hosts::Listed(hosts) => config.with_allowed_hosts(hosts.iter().cloned()),
        Hosts::Any => config.disable_allowed_hosts(),
    };
    let sessions = Arc::new(Sessions::new(settings.max_sessions, settings.session_idle_timeout));
    let served = Arc::clone(&shared);
    let service =
        StreamableHttpService::new(move || Ok(Handler::new(Arc::clone(&served))), Arc::clone(&sessions), config);
    let http = Http { shared, sessions, service, end, drain: OnceLock::new() };
    Router::new().route(PATH, any(handle)).with_state(Arc::new(http))
}

async fn handle(State(http): State<Arc<Http>>, request: Request) -> Response {
    http.drain.get_or_init(|| shutdown::end_after_drain(Arc::clone(&http.shared), http.end.clone()));
    http.respond(request).await.unwrap_or_else(|response| *response)
}

impl Http {
    async fn respond(&self, request: Request) -> Result<Response, Box<Response>> {
        if self.shared.settings.shutdown.is_cancelled() {
            return Err(unavailable("the server is shutting down"));
        }
        let (mut parts, body) = request.into_parts();
        let caller = self.caller(&parts).await?;
        let session = parts.headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
        if session.is_some_and(|id| !self.sessions.may_use(id, &caller)) {
            return Err(text(StatusCode::NOT_FOUND, "session not found"));
        }
        let opens_session = session.is_none() && may_open_session(&parts);
        if opens_session && self.sessions.is_full() {
            return Err(too_many_sessions());
        }
        let is_json = is_json(&parts.headers);
        parts.extensions.insert(caller.clone());
        let is_delete = parts.method == Method::DELETE;
        let body = if parts.method == Method::POST { self.read(body).await? } else { Bytes::new() };
        let response = self.service.handle(Request::from_parts(parts, Body::from(body))).await;
        if let Some(id) = response.headers().get(SESSION_ID).and_then(|id| id.to_str().ok()) {
            self.sessions.assign(id, caller);
        }
        if opens_session && response.status() == StatusCode::INTERNAL_SERVER_ERROR && self.sessions.is_full() {
            return Err(too_many_sessions());
        }
        if is_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            let json = [(header::CONTENT_TYPE, "application/json")];
            return Ok((StatusCode::BAD_REQUEST, json, PARSE_ERROR).into_response());
        }
        let mut response = response.map(Body::new);
        if is_delete && response.status() == StatusCode::ACCEPTED {
            // The session has ended already, and some clients complain about another status.
            *response.status_mut() = StatusCode::OK;
        }
        Ok(response)
    }

    async fn caller(&self, parts: &Parts) -> Result<Caller, Box<Response>> {
        match &self.shared.settings.identify {
            Some(identify) => identify.identify(parts).await.map_err(refused),
            None => Ok(Caller::anonymous()),
        }
    }

    /// Reads a body, within limits of size and time.
    async fn read(&self, body: Body) -> Result<Bytes, Box<Response>> {
        let limit = self.shared.settings.max_message_bytes;
        let read = async {
            let mut chunks = body.into_data_stream();
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|_| text(StatusCode::BAD_REQUEST, "the body was cut off"))?;
                if chunk.len() > limit.saturating_sub(bytes.len()) {
                    let message = format!("the body is larger than {limit} bytes");
                    return Err(text(StatusCode::PAYLOAD_TOO_LARGE, &message));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(Bytes::from(bytes))
        };
        tokio::time::timeout(BODY_TIMEOUT, read)
            .await
            .unwrap_or_else(|_| Err(text(StatusCode::REQUEST_TIMEOUT, "the body was not sent in time")))
    }
}

/// Returns true for a request that may be an `initialize` request.
fn may_open_session(parts: &Parts) -> bool {
    let version = parts.headers.get(PROTOCOL_VERSION).and_then(|version| version.to_str().ok());
    parts.method == Method::POST && version.is_none_or(|version| version < STATELESS)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn text(status: StatusCode, message: &str) -> Box<Response> {
    Box::new((status, message.to_owned()).into_response())
}

fn unavailable(message: &str) -> Box<Response> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

fn too_many_sessions() -> Box<Response> {
    unavailable("too many sessions are open")
}

fn refused(refusal: Refusal) -> Box<Response> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = text(status, &refusal.text);
    if let Some(challenge) = refusal.challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
