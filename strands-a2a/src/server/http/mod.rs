//! The bindings of the protocol to HTTP: JSON-RPC and HTTP+JSON, and the agent card.
//!
//! The bindings are written here, and not taken from `a2a-server-lf` 0.5, since that crate
//! - passes messages through Protocol Buffers: the integers of data parts become floating-point numbers, and it rejects messages with
//!   integers beyond 2^53, or with the numbers of JSON that it can't hold;
//! - gives handlers no identity of the caller, and finds tasks and push configurations by their id alone;
//! - needs `protoc` in its build, whose output it writes into its own sources;
//! - has other HTTP statuses than the specification, and error bodies of axum for bodies that are not JSON.

mod agent_card;
mod body;
mod call;
mod held;
mod json_rpc;
mod proto_names;
mod rest;
mod sse;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use strands_http::{Caller, IdentifyCaller, Refusal};

use super::core::Core;
pub(super) use agent_card::CardDocument;

/// State of the routes.
pub(super) struct Http {
    pub(super) core: Arc<Core>,
    pub(super) identify: Option<Arc<dyn IdentifyCaller>>,
    pub(super) cards: Cards,
    /// True if requests of protocol 0.3 are served, too.
    pub(super) serves_v03: bool,
    pub(super) serves_http_json: bool,
    /// True if something in front of the server may remove the header with the version.
    pub(super) may_lose_version: bool,
}

/// The agent card in two forms.
pub(super) struct Cards {
    /// For clients of both versions.
    pub(super) both: CardDocument,
    /// For clients that ask for 1.0. Some of them reject unknown fields.
    pub(super) v1: CardDocument,
}

/// Makes the router of a server.
pub(super) fn router(http: Arc<Http>) -> Router {
    let router = Router::new()
        .route("/.well-known/agent-card.json", get(agent_card::get))
        // The place of protocol 0.2, where older clients look.
        .route("/.well-known/agent.json", get(agent_card::get))
        .route("/", post(json_rpc::handle));
    let router = if http.serves_http_json { router.merge(rest_routes()) } else { router };
    router.with_state(http)
}

fn rest_routes() -> Router<Arc<Http>> {
    Router::new()
        .route("/message:send", post(rest::send))
        .route("/message:stream", post(rest::stream))
        .route("/tasks", get(rest::list))
        .route("/tasks/{id}", get(rest::get_task).post(rest::act_on_task))
        .route("/tasks/{id}/pushNotificationConfigs", get(rest::list_push_configs).post(rest::create_push_config))
        .route("/tasks/{id}/pushNotificationConfigs/{config}", get(rest::get_push_config))
        .route("/tasks/{id}/pushNotificationConfigs/{config}", delete(rest::delete_push_config))
        .route("/extendedAgentCard", get(rest::extended_card))
}

impl Http {
    /// Identifies the caller of a request, before anything else is done with it.
    async fn caller(&self, parts: &Parts) -> Result<Caller, Box<Response>> {
        match &self.identify {
            Some(identify) => identify.identify(parts).await.map_err(|refusal| Box::new(refused(refusal))),
            None => Ok(Caller::anonymous()),
        }
    }
}

fn refused(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = (status, refusal.text).into_response();
    if let Some(challenge) = refusal.challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
