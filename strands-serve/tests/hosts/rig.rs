//! Services, tokens, and requests to a router.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, header};
use serde_json::Value;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder};
use strands_identity::secrecy::ExposeSecret as _;
use strands_identity::{Identity, JwtVerifier, ServiceTokenMinter};
use strands_serve::AgentService;
use strands_serve::axum::Router;
use strands_serve::axum::body::{Body, to_bytes};
use strands_session::SessionStore;
use strands_session::object_store::memory::InMemory;
use tower::ServiceExt as _;

/// Longer than anything that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret of at least 32 bytes for these tests";

/// Returns an agent that repeats the newest message of the user.
pub(crate) fn echo() -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| {
        ScriptedTurn::text(request.messages.last().map(|message| message.text()).unwrap_or_default())
    });
    Agent::builder().model(model)
}

pub(crate) fn memory() -> SessionStore {
    SessionStore::objects(Arc::new(InMemory::new()), "").unwrap()
}

pub(crate) fn service(template: AgentBuilder) -> AgentService {
    AgentService::builder(template, memory()).build()
}

pub(crate) fn verifier() -> JwtVerifier {
    JwtVerifier::builder()
        .hs256_secret(SECRET)
        .issuer("test")
        .audience("test")
        .subject_claim("user_id")
        .build()
        .unwrap()
}

/// Returns the header `Authorization` of a user.
pub(crate) fn bearer(user: &str) -> String {
    let minter = ServiceTokenMinter::hs256(SECRET).agent("test-agent").issuer("test").audience("test").build().unwrap();
    format!("Bearer {}", minter.token_for(&Identity::new(user)).unwrap().expose_secret())
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the data of server-sent events.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn post(path: &str, user: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header(header::AUTHORIZATION, bearer(user));
    request.header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let bytes =
        tokio::time::timeout(PATIENCE, to_bytes(body, usize::MAX)).await.expect("a body without an end").unwrap();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// Waits until a condition holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("the condition does not become true");
}
