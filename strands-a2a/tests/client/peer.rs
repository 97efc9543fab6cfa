//! A server that responds as a test says, and the prompts of an agent on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strands::a2a::{A2aAgent, A2aAgentBuilder, A2aError};
use strands::serde_json::{Value, json};
use strands::{AgentError, AgentEvent, AgentResponse, PromptRequest, Promptable, StreamExt};
use strands_testkit::{Request, Response, Server};

pub(crate) const CARD: &str = "/.well-known/agent-card.json";

/// A request of JSON-RPC.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Value,
    pub(crate) id: Value,
    /// Zero-based number among the requests that are not for the card.
    pub(crate) number: usize,
}

impl Call {
    /// A response with one result.
    pub(crate) fn result(&self, result: Value) -> Response {
        Response::json(200, &json!({"jsonrpc": "2.0", "id": self.id, "result": result}))
    }

    /// A response with an error.
    pub(crate) fn error(&self, code: i64, message: &str) -> Response {
        Response::json(200, &json!({"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": message}}))
    }

    /// A stream of results.
    pub(crate) fn stream(&self, events: &[Value]) -> Response {
        Response::sse(self.events(events))
    }

    /// A stream of results that ends with an error of the protocol.
    pub(crate) fn failing_stream(&self, events: &[Value], code: i64) -> Response {
        let error = json!({"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": "the agent failed"}});
        Response::sse(format!("{}data: {error}\r\n\r\n", self.events(events)))
    }

    /// The text of a stream.
    pub(crate) fn events(&self, events: &[Value]) -> String {
        let event = |event: &Value| {
            let envelope = json!({"jsonrpc": "2.0", "id": self.id, "result": event});
            format!("data: {envelope}\r\n\r\n")
        };
        events.iter().map(event).collect()
    }
}

/// A server of an agent.
pub(crate) struct Peer {
    pub(crate) server: Server,
}

impl Peer {
    /// An agent of protocol 1.0 over JSON-RPC, which streams.
    pub(crate) async fn new(respond: impl Fn(&Call) -> Response + Send + Sync + 'static) -> Self {
        Self::with_card(|host| card(host, &[("JSONRPC", "1.0", "/rpc")]), respond).await
    }

    pub(crate) async fn with_card(
        card: impl Fn(&str) -> Value + Send + Sync + 'static,
        respond: impl Fn(&Call) -> Response + Send + Sync + 'static,
    ) -> Self {
        let numbers = Arc::new(AtomicUsize::new(0));
        let server = Server::handler(move |request| {
            if request.path == CARD {
                return Response::json(200, &card(request.header("host").unwrap()));
            }
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let mut body = request.json();
            respond(&Call { method: method_of(request), params: body["params"].take(), id: body["id"].take(), number })
        });
        Self { server: server.await }
    }

    pub(crate) fn builder(&self) -> A2aAgentBuilder {
        A2aAgent::builder(self.server.url())
    }

    pub(crate) async fn agent(&self) -> A2aAgent {
        self.builder().connect().await.unwrap()
    }

    /// The methods of all requests so far.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.calls().iter().map(method_of).collect()
    }

    /// The requests so far, without those of the card.
    pub(crate) fn calls(&self) -> Vec<Request> {
        self.server.requests().into_iter().filter(|request| request.path != CARD).collect()
    }

    /// Waits for a request of a method.
    pub(crate) async fn called(&self, method: &str) {
        loop {
            let seen = self.server.counts().requests;
            if self.methods().iter().any(|called| called == method) {
                return;
            }
            self.server.wait_until(method, |counts| counts.requests > seen).await;
        }
    }
}

fn method_of(request: &Request) -> String {
    request.json()["method"].as_str().unwrap_or(&request.path).to_owned()
}

/// A card with interfaces of this server: binding, version and path.
pub(crate) fn card(host: &str, interfaces: &[(&str, &str, &str)]) -> Value {
    let interface = |(binding, version, path): &(&str, &str, &str)| json!({"url": format!("http://{host}{path}"), "protocolBinding": binding, "protocolVersion": version});
    json!({
        "name": "Peer",
        "description": "Responds as a test says.",
        "version": "1",
        "capabilities": {"streaming": true},
        "supportedInterfaces": interfaces.iter().map(interface).collect::<Vec<_>>(),
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [],
    })
}

pub(crate) fn task(state: &str) -> Value {
    json!({"task": {"id": "t1", "contextId": "c1", "status": {"state": state}}})
}

pub(crate) fn status(state: &str, text: &str) -> Value {
    let message = json!({"messageId": format!("m-{text}"), "role": "ROLE_AGENT", "parts": [{"text": text}]});
    json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {"state": state, "message": message}}})
}

pub(crate) fn ended(state: &str) -> Value {
    json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {"state": state}}})
}

pub(crate) fn chunk(text: &str, appends: bool) -> Value {
    let artifact = json!({"artifactId": "a1", "parts": [{"text": text}]});
    json!({"artifactUpdate": {"taskId": "t1", "contextId": "c1", "artifact": artifact, "append": appends}})
}

/// A task with the texts as parts of one artifact.
pub(crate) fn whole_task(state: &str, texts: &[&str]) -> Value {
    let parts: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
    let artifacts = json!([{"artifactId": "a1", "parts": parts}]);
    json!({"id": "t1", "contextId": "c1", "status": {"state": state}, "artifacts": artifacts})
}

pub(crate) const WORKING: &str = "TASK_STATE_WORKING";
pub(crate) const COMPLETED: &str = "TASK_STATE_COMPLETED";
pub(crate) const CANCELED: &str = "TASK_STATE_CANCELED";
pub(crate) const INPUT_REQUIRED: &str = "TASK_STATE_INPUT_REQUIRED";

/// The events of a prompt, and its end.
pub(crate) struct Prompted {
    pub(crate) text: String,
    pub(crate) reasoning: Vec<String>,
    pub(crate) end: Result<AgentResponse, AgentError>,
}

impl Prompted {
    #[track_caller]
    pub(crate) fn response(self) -> AgentResponse {
        self.end.unwrap()
    }

    /// The error of the remote agent.
    #[track_caller]
    pub(crate) fn error(self) -> A2aError {
        match self.end {
            Err(AgentError::Promptable { name, source }) => {
                assert_eq!(name, "Peer");
                *source.downcast().unwrap()
            }
            Err(other) => panic!("{other:?}"),
            Ok(response) => panic!("a response: {response:?}"),
        }
    }
}

pub(crate) async fn prompt(agent: &dyn Promptable, request: impl Into<PromptRequest>) -> Prompted {
    let mut events = agent.stream(request.into());
    let (mut text, mut reasoning) = (String::new(), Vec::new());
    let end = loop {
        match events.next().await.expect("an end") {
            Ok(AgentEvent::TextDelta { text: delta }) => text.push_str(&delta),
            Ok(AgentEvent::ReasoningDelta { text }) => reasoning.push(text),
            Ok(AgentEvent::Result { response }) => break Ok(*response),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    assert!(events.next().await.is_none());
    Prompted { text, reasoning, end }
}
