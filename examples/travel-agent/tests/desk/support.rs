//! Travel desks, agents and tokens for the tests.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::civil::date;
use serde_json::{Value, json};
use strands::{
    CancellationToken,
    identity::{Audit, Identity},
    serve::{
        Server,
        axum::{
            Router,
            body::{Body, to_bytes},
            http::{Request, StatusCode},
        },
    },
};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;
use travel_agent::{
    access::{Role, trusted},
    agent::TravelAgent,
    clock::Clock,
    desk::{Desk, DeskSecret, RemoteDesk},
    mcp_server,
    offline::offline_model,
    services::Services,
    store::Store,
};

pub(crate) const SECRET: &str = "the secret of the travel desk in tests";
/// A Sunday.
pub(crate) const CLOCK: Clock = Clock::Fixed(date(2026, 11, 22));
/// A hotel above the nightly limit of the city.
pub(crate) const ABOVE_LIMIT: &str = "Book me a trip to New York next Monday at the Park Row Grand";

pub(crate) fn secret() -> DeskSecret {
    DeskSecret::Value(SECRET.into())
}

pub(crate) fn router_of(store: &Arc<Store>, audit: Audit) -> Router {
    let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let database = (Arc::clone(store), CLOCK, Services::local().unwrap());
    mcp_server::router(database, (secret(), audit), &hosts, CancellationToken::new()).unwrap()
}

/// A travel desk that listens on this machine. Dropping it ends it with all its connections.
pub(crate) struct DeskServer {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl DeskServer {
    pub(crate) async fn start(store: &Arc<Store>) -> Self {
        Self::at("127.0.0.1:0", router_of(store, Audit::default())).await
    }

    pub(crate) async fn at(address: &str, router: Router) -> Self {
        let server = Server::bind(address.to_owned()).await.unwrap();
        let address = server.local_addr();
        let served = server.serve_with(router, async |_| {}, std::future::pending());
        Self {
            address,
            task: tokio::spawn(async move {
                let _ = served.await;
            }),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn desk(&self) -> Desk {
        Desk::Remote(Arc::new(RemoteDesk::new(&self.url(), secret()).unwrap()))
    }
}

impl Drop for DeskServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn store() -> Arc<Store> {
    Arc::new(Store::in_memory().unwrap())
}

pub(crate) fn travel_agent(desk: Desk) -> TravelAgent {
    TravelAgent::new(offline_model(), desk, (CLOCK, Services::local().unwrap()), Audit::default()).unwrap()
}

pub(crate) fn user(name: &str, role: Role) -> Identity {
    trusted(name, role)
}

/// Returns the reply to a prompt in a new conversation.
pub(crate) async fn ask(agent: &TravelAgent, user: &Identity, prompt: &str) -> String {
    let mut agent = agent.call_agent(user).await.unwrap().build().await.unwrap();
    agent.prompt(prompt).await.unwrap().text()
}

/// Makes a token by hand, independently of the library.
pub(crate) fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Returns the claims of a valid token.
pub(crate) fn claims(user: &str, roles: &[&str]) -> Value {
    json!({
        "iss": "travel-agent", "sub": "travel-agent", "aud": "travel-mcp", "iat": now(), "exp": now() + 300,
        "jti": "1", "user_id": user, "user_name": user, "roles": roles,
    })
}

pub(crate) fn token(user: &str, roles: &[&str]) -> String {
    signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims(user, roles), SECRET)
}

/// Returns a request of a client that knows no sessions.
pub(crate) fn request(method: &str, authorization: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

pub(crate) fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// Returns the status, and the body as text.
pub(crate) async fn respond(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Returns the result of a tool call: its text, and true if it is an error.
pub(crate) async fn called(router: &Router, token: &str, tool: &str, arguments: Value) -> (String, bool) {
    let bearer = format!("Bearer {token}");
    let (status, body) = respond(router, request("POST", Some(&bearer), &call(tool, &arguments))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let response: Value = serde_json::from_str(&body).unwrap();
    let result = &response["result"];
    assert!(result.is_object(), "{response}");
    (result["content"][0]["text"].as_str().unwrap_or_default().to_owned(), result["isError"] == true)
}
