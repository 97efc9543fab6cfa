//! A server with an authorization server, both on loopback addresses, with faults to choose from.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use axum::response::IntoResponse as _;
use axum::routing::{any, get, post};
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

type Form = HashMap<String, String>;

/// Behavior of the servers. The default is that of a correct one.
#[derive(Default)]
pub(crate) struct Behavior {
    /// Fields that replace those of the authorization server's metadata.
    pub(crate) metadata: Value,
    /// Authorization server that the server's metadata names instead of the real one.
    pub(crate) names: Option<String>,
    /// Parameters of the redirect that replace the right ones. `null` removes one.
    pub(crate) redirect: Value,
    pub(crate) expires_in: Option<u64>,
    pub(crate) rejects_refresh: bool,
    /// The server rejects all tokens.
    pub(crate) is_closed: bool,
    /// Response to a method that the server does not know. Default: an error of JSON-RPC.
    pub(crate) unknown_method: UnknownMethod,
    /// The server has sessions, and a stream for its own requests that opens after this time.
    pub(crate) stream_delay: Option<Duration>,
    /// Scopes that the server requires.
    pub(crate) required: Vec<String>,
    /// Client that the authorization server does not know any more.
    pub(crate) forgotten: Option<String>,
    /// Status of the next responses of the token endpoint.
    pub(crate) token_status: Option<u16>,
    /// Scopes that are granted whatever is requested.
    pub(crate) grants: Option<String>,
    pub(crate) token_delay: Duration,
    pub(crate) token_response: Option<TokenFault>,
    /// Secret that a registration returns.
    pub(crate) client_secret: Option<String>,
}

#[derive(Clone)]
pub(crate) enum TokenFault {
    Endless,
    RedirectTo(String),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum UnknownMethod {
    #[default]
    Error,
    EmptyResult,
    Status(u16),
    NoReply,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) endless_bytes: usize,
    pub(crate) methods: Vec<String>,
    pub(crate) discoveries: usize,
    pub(crate) registrations: Vec<Value>,
    pub(crate) authorizations: Vec<Form>,
    pub(crate) token_requests: Vec<Form>,
    pub(crate) basic: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Servers {
    pub(crate) server: String,
    pub(crate) issuer: String,
    pub(crate) behavior: Arc<Mutex<Behavior>>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    valid: Arc<Mutex<HashMap<String, Vec<String>>>>,
    challenges: Arc<Mutex<HashMap<String, Form>>>,
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

fn serve(listener: impl Listener<Addr: Debug>, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

impl Servers {
    pub(crate) async fn start(behavior: Behavior) -> Self {
        let (authorization, issuer) = listen().await;
        Self::start_at(behavior, authorization, issuer).await
    }

    /// Starts the authorization server at a listener, such as one with TLS.
    pub(crate) async fn start_at(
        behavior: Behavior,
        authorization: impl Listener<Addr: Debug>,
        issuer: String,
    ) -> Self {
        let (resource, server) = listen().await;
        let servers = Self {
            server: format!("{server}/mcp"),
            issuer,
            behavior: Arc::new(Mutex::new(behavior)),
            seen: Arc::default(),
            valid: Arc::default(),
            challenges: Arc::default(),
        };
        let router = Router::new()
            .route("/mcp", any(resource_endpoint))
            .route("/.well-known/oauth-protected-resource/mcp", get(resource_metadata));
        serve(resource, router.with_state(servers.clone()));
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/authorize", get(authorize))
            .route("/token", post(token));
        serve(authorization, router.with_state(servers.clone()));
        servers
    }

    /// A user who authorizes at once: visits a URL and returns the redirect.
    pub(crate) async fn visit(url: String) -> Result<String, String> {
        let client = strands_http::HttpOptions::plain_http().builder().unwrap().build().unwrap();
        let response = client.get(url).send().await.map_err(|error| error.to_string())?;
        let location = response.headers().get(LOCATION).ok_or("no redirect")?;
        Ok(location.to_str().unwrap().to_owned())
    }

    /// Makes all tokens invalid.
    pub(crate) fn revoke(&self) {
        self.valid.lock().unwrap().clear();
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.seen.lock().unwrap().token_requests.len()
    }

    pub(crate) fn authorizations(&self) -> usize {
        self.seen.lock().unwrap().authorizations.len()
    }
}

fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn form(bytes: &[u8]) -> Form {
    form_urlencoded::parse(bytes).into_owned().collect()
}

/// The server: requires a token with its scopes.
async fn resource_endpoint(
    State(servers): State<Servers>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let token = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
    let scopes = token.and_then(|token| servers.valid.lock().unwrap().get(token).cloned());
    let (required, is_closed) = {
        let behavior = servers.behavior.lock().unwrap();
        (behavior.required.clone(), behavior.is_closed)
    };
    let Some(scopes) = scopes.filter(|_| !is_closed) else {
        let url = servers.server.replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, format!("Bearer resource_metadata=\"{url}\""))])
            .into_response();
    };
    if required.iter().all(|scope| scopes.contains(scope)) {
        if method == Method::GET {
            return server_stream(&servers).await;
        }
        return match serde_json::from_slice(&body) {
            Ok(message) => protocol(&servers, &message).await,
            Err(_) => "ok".into_response(),
        };
    }
    let header = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", required.join(" "));
    (StatusCode::FORBIDDEN, [(WWW_AUTHENTICATE, header)]).into_response()
}

/// The stream of the server's own requests, on which none comes.
async fn server_stream(servers: &Servers) -> Response<Body> {
    let delay = servers.behavior.lock().unwrap().stream_delay;
    let Some(delay) = delay else { return StatusCode::METHOD_NOT_ALLOWED.into_response() };
    tokio::time::sleep(delay).await;
    servers.seen.lock().unwrap().methods.push("stream".to_owned());
    let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// A server of protocol version 2025-11-25 without tools.
async fn protocol(servers: &Servers, message: &Value) -> Response<Body> {
    let method = message["method"].as_str().unwrap_or_default();
    servers.seen.lock().unwrap().methods.push(method.to_owned());
    let result = |result: Value| {
        json_response(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
    };
    match method {
        "initialize" => {
            let mut response = result(json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "test", "version": "1"},
            }));
            if servers.behavior.lock().unwrap().stream_delay.is_some() {
                response.headers_mut().insert("mcp-session-id", HeaderValue::from_static("session-1"));
            }
            response
        }
        "tools/call" => result(json!({"content": []})),
        "tools/list" => result(json!({"tools": []})),
        _ if message.get("id").is_none() => StatusCode::ACCEPTED.into_response(),
        _ => {
            let behavior = servers.behavior.lock().unwrap().unknown_method;
            match behavior {
                UnknownMethod::Error => {
                    let error = json!({"code": -32601, "message": "Method not found"});
                    json_response(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": message["id"], "error": error}))
                }
                UnknownMethod::EmptyResult => result(json!({})),
                UnknownMethod::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
                UnknownMethod::NoReply => std::future::pending().await,
            }
        }
    }
}

async fn resource_metadata(State(servers): State<Servers>) -> Response<Body> {
    let names = servers.behavior.lock().unwrap().names.clone().unwrap_or_else(|| servers.issuer.clone());
    let metadata = json!({"resource": servers.server, "authorization_servers": [names], "scopes_supported": ["read"]});
    json_response(StatusCode::OK, &metadata)
}

async fn metadata(State(servers): State<Servers>) -> Response<Body> {
    servers.seen.lock().unwrap().discoveries += 1;
    let issuer = &servers.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    replace(&mut metadata, &servers.behavior.lock().unwrap().metadata);
    json_response(StatusCode::OK, &metadata)
}

fn replace(value: &mut Value, fields: &Value) {
    for (name, field) in fields.as_object().into_iter().flatten() {
        value[name] = field.clone();
    }
}

async fn register(State(servers): State<Servers>, body: Bytes) -> Response<Body> {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let mut seen = servers.seen.lock().unwrap();
    seen.registrations.push(request.clone());
    let mut client = json!({
        "client_id": format!("client-{}", seen.registrations.len()),
        "redirect_uris": request["redirect_uris"],
    });
    if let Some(secret) = &servers.behavior.lock().unwrap().client_secret {
        client["client_secret"] = secret.as_str().into();
    }
    json_response(StatusCode::CREATED, &client)
}

async fn authorize(State(servers): State<Servers>, uri: Uri) -> Response<Body> {
    let request = form(uri.query().unwrap_or_default().as_bytes());
    let count = {
        let mut seen = servers.seen.lock().unwrap();
        seen.authorizations.push(request.clone());
        seen.authorizations.len()
    };
    let code = format!("code-{count}");
    servers.challenges.lock().unwrap().insert(code.clone(), request.clone());
    let mut parameters = json!({"code": code, "state": request["state"], "iss": servers.issuer});
    replace(&mut parameters, &servers.behavior.lock().unwrap().redirect);
    let mut redirect = Url::parse(&request["redirect_uri"]).unwrap();
    for (name, value) in parameters.as_object().unwrap() {
        if let Some(value) = value.as_str() {
            redirect.query_pairs_mut().append_pair(name, value);
        }
    }
    (StatusCode::FOUND, [(LOCATION, redirect.to_string())]).into_response()
}

async fn token(State(servers): State<Servers>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let request = form(&body);
    let count = {
        let mut seen = servers.seen.lock().unwrap();
        seen.token_requests.push(request.clone());
        let basic = headers.get(AUTHORIZATION).map(|header| header.to_str().unwrap().to_owned());
        seen.basic.extend(basic);
        seen.token_requests.len()
    };
    let (delay, fault) = {
        let behavior = servers.behavior.lock().unwrap();
        (behavior.token_delay, behavior.token_response.clone())
    };
    tokio::time::sleep(delay).await;
    match fault {
        Some(TokenFault::Endless) => {
            let chunks = stream::repeat_with(move || {
                servers.seen.lock().unwrap().endless_bytes += 65536;
                Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 65536]))
            });
            return Response::new(Body::from_stream(chunks));
        }
        Some(TokenFault::RedirectTo(url)) => {
            return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, url)]).into_response();
        }
        None => {}
    }
    let (forgotten, status) = {
        let behavior = servers.behavior.lock().unwrap();
        (behavior.forgotten.clone(), behavior.token_status)
    };
    if let Some(status) = status {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    if forgotten.is_some() && forgotten.as_ref() == request.get("client_id") {
        return json_response(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_client"}));
    }
    let rejected = || json_response(StatusCode::BAD_REQUEST, &json!({"error": "invalid_grant"}));
    let behavior = servers.behavior.lock().unwrap();
    let scope = match request["grant_type"].as_str() {
        "authorization_code" => {
            let Some(authorization) = servers.challenges.lock().unwrap().remove(&request["code"]) else {
                return rejected();
            };
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, request["code_verifier"].as_bytes()));
            if authorization["code_challenge"] != challenge || authorization["code_challenge_method"] != "S256" {
                return rejected();
            }
            authorization.get("scope").cloned()
        }
        "refresh_token" if behavior.rejects_refresh => return rejected(),
        _ => request.get("scope").cloned(),
    };
    let scope = behavior.grants.clone().or(scope).unwrap_or_default();
    let access_token = format!("access-{count}");
    let scopes = scope.split_whitespace().map(str::to_owned).collect();
    servers.valid.lock().unwrap().insert(access_token.clone(), scopes);
    let mut response = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "refresh_token": format!("refresh-{count}"),
        "expires_in": behavior.expires_in.unwrap_or(3600),
    });
    if request["grant_type"] != "refresh_token" {
        response["scope"] = scope.into();
    }
    json_response(StatusCode::OK, &response)
}
