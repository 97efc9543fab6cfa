//! A client of a server in the same process.

use std::time::Duration;

use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use strands::a2a::axum::Router;
use strands::a2a::axum::body::{Body, BodyDataStream};
use strands::a2a::axum::http::request::Parts;
use strands::a2a::axum::http::{Method, Request, Response, StatusCode};
use strands::a2a::{A2aServer, A2aServerBuilder, Caller, Refusal};
use strands::{Agent, AgentBuilder, Promptable, testing::ScriptedModel};
use tower::ServiceExt as _;

/// Longer than anything that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const URL: &str = "https://agent.example.com";

/// An agent with a name and a description, which a card needs.
pub(crate) fn agent(model: ScriptedModel) -> AgentBuilder {
    Agent::builder().model(model).name("helper").description("Helps.")
}

pub(crate) fn server(agent: impl Promptable + 'static) -> A2aServer {
    A2aServer::builder(agent, URL).build().unwrap()
}

/// Identifies callers by the header `x-user`.
pub(crate) fn with_users(builder: A2aServerBuilder) -> A2aServer {
    let identify = |request: &Parts| match request.headers.get("x-user") {
        Some(user) => Ok(Caller::new(user.to_str().unwrap())),
        None => Err(Refusal::unauthorized("Bearer")),
    };
    builder.identify_caller(identify).build().unwrap()
}

#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    user: Option<&'static str>,
    version: &'static str,
}

impl Client {
    pub(crate) fn of(server: &A2aServer) -> Self {
        Self { router: server.router(), user: None, version: "1.0" }
    }

    pub(crate) fn user(&self, user: &'static str) -> Self {
        Self { user: Some(user), ..self.clone() }
    }

    pub(crate) fn version(&self, version: &'static str) -> Self {
        Self { version, ..self.clone() }
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header("content-type", content_type);
        if !self.version.is_empty() {
            request = request.header("a2a-version", self.version);
        }
        if let Some(user) = self.user {
            request = request.header("x-user", user);
        }
        self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()
    }

    /// Calls a method over JSON-RPC, and returns its result or its error.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let response = self.raw(Method::POST, "/", "application/json", request.to_string()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut response = json_of(response).await;
        assert_eq!((&response["jsonrpc"], &response["id"]), (&json!("2.0"), &json!(7)));
        match response.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(response["error"].take()),
        }
    }

    /// Calls a method that streams.
    pub(crate) async fn stream(&self, method: &str, params: Value) -> Events {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        Events::of(self.raw(Method::POST, "/", "application/json", request.to_string()).await)
    }

    /// Sends a request of HTTP+JSON.
    pub(crate) async fn http(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.raw(method, path, "application/json", body).await;
        (response.status(), json_of(response).await)
    }

    /// Sends a text, and returns the task at its end.
    pub(crate) async fn send(&self, text: &str) -> Value {
        self.call("SendMessage", message(json!([{"text": text}]), json!({}))).await.unwrap()["task"].take()
    }

    /// Sends a text in a context, and returns the task at its end.
    pub(crate) async fn send_in(&self, context: &Value, text: &str) -> Result<Value, Value> {
        let message = message(json!([{"text": text}]), json!({"contextId": context}));
        Ok(self.call("SendMessage", message).await?["task"].take())
    }

    /// Sends a text without waiting for its end, and returns the task.
    pub(crate) async fn start(&self, text: &str) -> Value {
        let mut params = message(json!([{"text": text}]), json!({}));
        params["configuration"] = json!({"returnImmediately": true});
        self.call("SendMessage", params).await.unwrap()["task"].take()
    }

    pub(crate) async fn get(&self, id: &Value) -> Result<Value, Value> {
        self.call("GetTask", json!({"id": id})).await
    }

    /// Waits until a task has a state.
    pub(crate) async fn until(&self, id: &Value, state: &str) -> Value {
        let reached = async {
            loop {
                let task = self.get(id).await.unwrap();
                if state_of(&task) == state {
                    return task;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{id} does not become {state}"))
    }
}

/// The parameters of a message.
pub(crate) fn message(parts: Value, fields: Value) -> Value {
    let mut message = json!({"messageId": "m1", "role": "ROLE_USER", "parts": parts});
    message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"message": message})
}

/// The state of a task or of a status update, without its prefix.
pub(crate) fn state_of(task: &Value) -> String {
    task["status"]["state"].as_str().unwrap().strip_prefix("TASK_STATE_").unwrap().to_lowercase()
}

/// The parts of the only artifact.
pub(crate) fn parts_of(task: &Value) -> &Value {
    assert_eq!(task["artifacts"].as_array().unwrap().len(), 1, "{task}");
    &task["artifacts"][0]["parts"]
}

/// The texts of the status message.
pub(crate) fn status_text(task: &Value) -> String {
    let parts = task["status"]["message"]["parts"].as_array().unwrap();
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// The reason in the details of an error of either binding.
pub(crate) fn reason(error: &Value) -> &str {
    let details = if error["data"].is_array() { &error["data"] } else { &error["error"]["details"] };
    details[0]["reason"].as_str().unwrap_or_else(|| panic!("{error}"))
}

pub(crate) async fn json_of(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() }
}

/// Server-sent events.
pub(crate) struct Events {
    body: BodyDataStream,
    buffer: String,
}

impl Events {
    pub(crate) fn of(response: Response<Body>) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), buffer: String::new() }
    }

    /// The data of the next event.
    pub(crate) async fn data(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let data = event.strip_prefix("data: ").map(|data| serde_json::from_str(data).unwrap());
                self.buffer = rest.to_owned();
                match data {
                    Some(data) => return Some(data),
                    // A comment that keeps the connection.
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap()?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The result of the next event of JSON-RPC.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let mut data = self.data().await?;
        assert!(data.get("error").is_none(), "{data}");
        Some(data["result"].take())
    }

    /// All events to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// A short form of events: the state of a status update, and the flags and texts of an artifact update.
pub(crate) fn short(event: &Value) -> String {
    if event.get("task").is_some() {
        return format!("task {}", state_of(&event["task"]));
    }
    if event.get("statusUpdate").is_some() {
        return state_of(&event["statusUpdate"]);
    }
    let update = &event["artifactUpdate"];
    let parts = update["artifact"]["parts"].as_array().unwrap();
    let texts: Vec<_> =
        parts.iter().map(|part| part["text"].as_str().map_or(part.to_string(), str::to_owned)).collect();
    let append = if update["append"] == true { '+' } else { '=' };
    let last = if update["lastChunk"] == true { "." } else { "" };
    format!("{append}{}{last}", texts.join("|"))
}
