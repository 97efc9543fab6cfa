//! Agents as tools that wait for responses of clients: requests that are repeated, invalid, late or refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use strands::hook::{BeforeToolCall, Hook, HookResult};
use strands::mcp::McpServer;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, ToolRunner, async_trait, tool, tools};

use crate::client::{AGES, Client, call, connected_to, served};
use crate::raw_http::{message, post, stateless};

/// Counts of what happened.
#[derive(Default)]
struct Seen {
    started: AtomicUsize,
    deleted: AtomicUsize,
}

/// Deletes a file.
#[tool(approval)]
fn delete(path: String, seen: &Arc<Seen>) -> String {
    seen.deleted.fetch_add(1, Ordering::Relaxed);
    format!("deleted {path}")
}

fn agent(seen: &Arc<Seen>) -> AgentBuilder {
    let started = Arc::clone(seen);
    let model = ScriptedModel::from_fn(move |request| {
        if request.messages.last().is_some_and(|last| last.is_prompt()) {
            started.started.fetch_add(1, Ordering::Relaxed);
            return ScriptedTurn::tool_use("delete", json!({"path": "/a"}));
        }
        ScriptedTurn::text("It is done.")
    });
    Agent::builder().name("ask").model(model).tools(tools![Delete]).inject(Arc::clone(seen))
}

/// A call of a client with protocol 2026-07-28.
struct Requests {
    url: String,
    params: Value,
}

impl Requests {
    async fn to(server: McpServer) -> Self {
        let params = json!({"name": "ask", "arguments": {"input": "Delete it."}});
        Self { url: served(server).await, params }
    }

    async fn send(&mut self) -> Value {
        let (headers, request) = stateless(1, "tools/call", self.params.clone());
        message(&post(&self.url, &headers, &request).await)
    }

    /// Sends the call, or what was asked for, and notes the state. Returns the message of the only question.
    async fn asked(&mut self) -> String {
        let asked = self.send().await;
        let requests = asked["result"]["inputRequests"].as_object().unwrap_or_else(|| panic!("{asked}"));
        assert_eq!(requests.len(), 1, "{asked}");
        let (key, request) = requests.iter().next().unwrap();
        self.params["requestState"] = asked["result"]["requestState"].clone();
        self.params["inputResponses"] = json!({key: null});
        request["params"]["message"].as_str().unwrap().to_owned()
    }

    /// Sets the response to the question.
    fn respond(&mut self, response: Value) {
        let responses = self.params["inputResponses"].as_object_mut().unwrap();
        responses.values_mut().for_each(|value| *value = response.clone());
    }

    async fn result(&mut self) -> (bool, String) {
        let result = self.send().await["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned();
        (result["isError"] == true, text)
    }
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"approve": true}})
}

#[tokio::test]
async fn a_state_without_a_valid_response_asks_again_and_starts_nothing() {
    let seen = Arc::new(Seen::default());
    let mut requests = Requests::to(McpServer::new([agent(&seen)]).unwrap()).await;
    let question = requests.asked().await;
    requests.params.as_object_mut().unwrap().remove("inputResponses");
    assert_eq!(requests.asked().await, question);
    requests.respond(json!({"action": "maybe"}));
    assert_eq!(requests.asked().await, question);
    requests.respond(yes());
    assert_eq!(requests.result().await, (false, "It is done.".to_owned()));
    assert_eq!((seen.started.load(Ordering::Relaxed), seen.deleted.load(Ordering::Relaxed)), (1, 1));
    // The state is used up.
    let refused = requests.send().await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("used up"), "{refused}");
}

#[tokio::test]
async fn a_state_that_no_process_has_starts_nothing() {
    let seen = Arc::new(Seen::default());
    let server = || McpServer::new([agent(&seen)]).unwrap().request_state_key([1; 32]);
    let mut requests = Requests::to(server()).await;
    requests.asked().await;
    requests.url = served(server()).await;
    for response in [None, Some(yes())] {
        match response {
            None => drop(requests.params.as_object_mut().unwrap().remove("inputResponses")),
            Some(response) => requests.params["inputResponses"] = json!({"approval": response}),
        }
        let (is_error, text) = requests.result().await;
        assert!(is_error && text.contains("no longer has the state"), "{text}");
    }
    assert_eq!((seen.started.load(Ordering::Relaxed), seen.deleted.load(Ordering::Relaxed)), (1, 0));
}

/// A hook of the server, which asks or fails when it is told so.
#[derive(Default)]
struct Gate {
    asks: AtomicBool,
    fails: AtomicBool,
}

#[async_trait]
impl Hook for Gate {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        if self.fails.load(Ordering::Relaxed) {
            return Err("the gate is broken".into());
        }
        if self.asks.load(Ordering::Relaxed) && event.interrupt("gate", "It is late. Go on?") == Some("no".into()) {
            event.deny = Some("come back tomorrow".to_owned());
        }
        Ok(())
    }
}

async fn gated(seen: &Arc<Seen>) -> (Requests, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let runner = ToolRunner::new([agent(seen)]).unwrap().hook(Arc::clone(&gate));
    (Requests::to(McpServer::from_runner(runner)).await, gate)
}

#[tokio::test]
async fn a_hook_may_ask_while_an_agent_waits() {
    for (response, expected, deleted) in [("yes", (false, "It is done."), 1), ("no", (true, "come back tomorrow"), 0)] {
        let seen = Arc::new(Seen::default());
        let (mut requests, gate) = gated(&seen).await;
        assert!(requests.asked().await.contains("delete"));
        gate.asks.store(true, Ordering::Relaxed);
        requests.respond(yes());
        assert_eq!(requests.asked().await, "It is late. Go on?");
        // The agent gets the response of before.
        requests.respond(json!({"action": "accept", "content": {"response": response}}));
        let (is_error, text) = requests.result().await;
        assert_eq!((is_error, text.as_str()), expected);
        assert_eq!((seen.started.load(Ordering::Relaxed), seen.deleted.load(Ordering::Relaxed)), (1, deleted));
    }
}

#[tokio::test]
async fn a_request_that_failed_before_its_tool_can_be_sent_again() {
    let seen = Arc::new(Seen::default());
    let (mut requests, gate) = gated(&seen).await;
    requests.asked().await;
    requests.respond(yes());
    gate.fails.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let failed = requests.send().await;
        assert!(failed["error"]["message"].as_str().unwrap().contains("failed within the server"), "{failed}");
    }
    gate.fails.store(false, Ordering::Relaxed);
    assert_eq!(requests.result().await, (false, "It is done.".to_owned()));
    assert_eq!((seen.started.load(Ordering::Relaxed), seen.deleted.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn clients_never_share_the_context_of_an_agent() {
    let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{:?}", request.messages)));
    let template = Agent::builder().name("ask").model(model);
    let kept = template.as_tool().name("kept").keeps_context(true);
    let url = served(McpServer::new(tools![kept, template]).unwrap()).await;
    for age in AGES {
        let (ann, bob) = (
            connected_to(&url, Client::default(), age, None).await,
            connected_to(&url, Client::default(), age, None).await,
        );
        ann.call_tool(call("kept", json!({"input": "My secret is xyzzy."}))).await.unwrap_err();
        bob.call_tool(call("kept", json!({"input": "Which secrets do you know?"}))).await.unwrap_err();
        ann.call_tool(call("ask", json!({"input": "My secret is xyzzy."}))).await.unwrap();
        let told = bob.call_tool(call("ask", json!({"input": "Which secrets do you know?"}))).await.unwrap();
        assert!(!format!("{told:?}").contains("xyzzy"), "{told:?}");
    }
}
