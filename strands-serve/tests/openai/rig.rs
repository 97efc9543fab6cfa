//! A service with a scripted agent behind the interface, and requests to it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use strands::identity::Identity;
use strands::message::Role;
use strands::models::StopReason;
use strands::serve::http::{Authenticate, AuthenticationError, HttpHost};
use strands::serve::openai::OpenAiSettings;
use strands::serve::{AgentService, ServiceLimits};
use strands::session::SessionStore;
use strands::session::object_store::memory::InMemory;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, async_trait, tool, tools};
use tower::ServiceExt as _;

pub(crate) const MODEL: &str = "travel-agent";

/// The bearer token is the subject.
pub(crate) struct Subjects;

#[async_trait]
impl Authenticate for Subjects {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let token = request.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        token.map(Identity::new).ok_or(AuthenticationError::Unauthenticated)
    }
}

/// Returns the name of the user.
#[tool]
fn whoami(user: &Identity) -> String {
    user.subject.clone()
}

/// Deletes the file.
#[tool(approval)]
fn delete() -> String {
    "deleted".to_owned()
}

/// Responds by the last message of the request.
fn script(request: &strands::models::ModelRequest<'_>) -> ScriptedTurn {
    let last = request.messages.last().unwrap();
    let results: Vec<_> = last.tool_results().map(|result| format!("{:?}", result.content)).collect();
    let text = last.text();
    // A quoted conversation is followed by the prompt.
    match text.lines().last().unwrap_or_default() {
        _ if !results.is_empty() => ScriptedTurn::text(format!("The result is {}.", results.join(", "))),
        "who am I?" => ScriptedTurn::tool_use("whoami", json!({})),
        "delete it" => ScriptedTurn::tool_use("delete", json!({})),
        "too long" => ScriptedTurn::text("It was a dark and").with_stop_reason(StopReason::MaxTokens),
        "wait" => ScriptedTurn::text("one two three").stalling_after(2),
        "fail" => ScriptedTurn::error(strands::models::ModelError::InvalidRequest {
            details: strands::models::ErrorDetails::new().with_body("secret of the provider").boxed(),
        }),
        "break" => ScriptedTurn::text("one two three").breaking_after(
            3,
            strands::models::ModelError::InvalidRequest { details: strands::models::ErrorDetails::new().boxed() },
        ),
        text => ScriptedTurn::text(format!("You said: {text}")),
    }
}

pub(crate) struct Rig {
    pub(crate) service: AgentService,
    pub(crate) model: Arc<ScriptedModel>,
    pub(crate) router: Router,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the `data` of the events. `[DONE]` becomes a string.
    pub(crate) fn events(&self) -> Vec<Value> {
        assert_eq!(self.headers["content-type"], "text/event-stream", "{}", self.text);
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
    }

    pub(crate) fn session_id(&self) -> &str {
        self.headers["x-session-id"].to_str().unwrap()
    }

    /// Asserts that this is an error in the shape of OpenAI.
    pub(crate) fn assert_error(&self, status: u16, param: Option<&str>, code: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/json");
        let json = self.json();
        let error = json["error"].as_object().unwrap();
        assert_eq!(json.as_object().unwrap().len(), 1);
        assert_eq!(error.keys().collect::<Vec<_>>(), ["message", "type", "param", "code"]);
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{}", self.text);
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(OpenAiSettings::new(MODEL))
    }

    pub(crate) fn with(settings: OpenAiSettings) -> Self {
        let model = Arc::new(ScriptedModel::from_fn(script));
        let template = Agent::builder().model(Arc::clone(&model)).system_prompt("You book trips.");
        let template = template.tools(tools![Whoami, Delete]).injected_per_prompt::<Identity>();
        let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
        let service = AgentService::builder(template, store).limits(ServiceLimits::new()).build();
        let router = HttpHost::new(service.clone(), Subjects).openai(settings).into_router();
        Self { service, model, router }
    }

    pub(crate) async fn send(&self, request: Request) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Sends a body as a user, with a header.
    pub(crate) async fn post_with(&self, path: &str, user: &str, header: (&str, &str), body: &Value) -> Reply {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {user}"))
            .header("content-type", "application/json")
            .header(header.0, header.1);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, user: &str, body: &Value) -> Reply {
        self.post_with(path, user, ("accept", "*/*"), body).await
    }

    /// Sends messages as alice.
    pub(crate) async fn chat(&self, messages: Value) -> Reply {
        self.post("/v1/chat/completions", "alice", &json!({"model": MODEL, "messages": messages})).await
    }

    /// Sends an input as alice, with further fields.
    pub(crate) async fn respond(&self, input: Value, fields: Value) -> Reply {
        let mut body = json!({"model": MODEL, "input": input});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.post("/v1/responses", "alice", &body).await
    }

    /// Returns role and text of the messages of the newest request to the model.
    pub(crate) fn seen(&self) -> Vec<(Role, String)> {
        let request = self.model.requests().pop().unwrap();
        request.messages.iter().map(|message| (message.role, message.text())).collect()
    }

    pub(crate) async fn sessions(&self) -> Vec<String> {
        self.service.store().list().await.unwrap()
    }
}

/// Returns a message of the user.
pub(crate) fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}
