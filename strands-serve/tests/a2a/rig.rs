//! Servers of a service, and requests to them.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use strands_a2a::{A2aServer, A2aServerBuilder};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder};
use strands_identity::Identity;
use strands_serve::a2a::{self, DocumentTaskStore};
use strands_serve::axum::Router;
use strands_serve::axum::body::{Body, to_bytes};
use strands_serve::http::{Authenticate, AuthenticationError};
use strands_serve::{AgentService, AgentTemplate, ServiceLimits};
use strands_session::object_store::memory::InMemory;
use strands_session::{ObjectDocumentStore, SessionStore};
use tower::ServiceExt as _;

/// The user of the header `x-user`.
pub(crate) struct Users;

#[async_trait]
impl Authenticate for Users {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let user = request.headers.get("x-user").ok_or(AuthenticationError::Unauthenticated)?;
        Ok(Identity::new(user.to_str().unwrap()))
    }
}

/// An agent that tells the number of messages.
pub(crate) fn counting() -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} messages", request.messages.len())));
    Agent::builder().model(model)
}

/// Stores that several processes share.
#[derive(Clone)]
pub(crate) struct Stores(Arc<InMemory>);

impl Stores {
    pub(crate) fn new() -> Self {
        Self(Arc::new(InMemory::new()))
    }

    pub(crate) fn service(&self, template: impl AgentTemplate + 'static) -> AgentService {
        self.service_with(template, ServiceLimits::new())
    }

    fn service_with(&self, template: impl AgentTemplate + 'static, limits: ServiceLimits) -> AgentService {
        let sessions = SessionStore::objects(Arc::<InMemory>::clone(&self.0), "sessions").unwrap();
        AgentService::builder(template, sessions).limits(limits).build()
    }

    pub(crate) fn tasks(&self) -> DocumentTaskStore {
        DocumentTaskStore::new(ObjectDocumentStore::new(Arc::<InMemory>::clone(&self.0), "sessions").unwrap())
    }

    /// Starts a process.
    pub(crate) fn process(&self, template: impl AgentTemplate + 'static) -> (Client, AgentService) {
        self.process_with(template, |server| server)
    }

    /// Starts a process whose server has other settings.
    pub(crate) fn process_with(
        &self,
        template: impl AgentTemplate + 'static,
        set: impl Fn(A2aServerBuilder) -> A2aServerBuilder,
    ) -> (Client, AgentService) {
        self.serve(self.service(template), set)
    }

    /// Starts a process whose service has other limits.
    pub(crate) fn process_within(
        &self,
        template: impl AgentTemplate + 'static,
        limits: ServiceLimits,
    ) -> (Client, AgentService) {
        self.serve(self.service_with(template, limits), |server| server)
    }

    fn serve(
        &self,
        service: AgentService,
        set: impl Fn(A2aServerBuilder) -> A2aServerBuilder,
    ) -> (Client, AgentService) {
        let server = a2a::server(&service, Users, "https://a.b").name("desk").description("Helps.");
        (Client::of(&set(server.task_store(self.tasks())).build().unwrap()), service)
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

impl Client {
    fn of(server: &A2aServer) -> Self {
        Self { router: server.router(), headers: Vec::new() }
    }

    pub(crate) fn user(&self, user: &'static str) -> Self {
        Self { router: self.router.clone(), headers: vec![("x-user", user)] }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.request(Request::get(path), String::new()).await
    }

    async fn request(&self, mut request: http::request::Builder, body: String) -> (StatusCode, Value) {
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/json").header("a2a-version", "1.0");
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        self.request(Request::post("/"), body).await.1
    }

    /// Sends a text, and returns the task.
    pub(crate) async fn send(&self, fields: Value, text: &str) -> Value {
        let mut message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let mut response = self.call("SendMessage", json!({"message": message})).await;
        response["result"]["task"].take()
    }
}

pub(crate) fn state(task: &Value) -> &str {
    task["status"]["state"].as_str().unwrap_or_default()
}

pub(crate) fn text(task: &Value) -> &str {
    task["artifacts"][0]["parts"][0]["text"].as_str().unwrap_or_default()
}
