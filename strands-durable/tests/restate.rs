//! The public parts of agents on Restate that need no server. `.ci/durable/restate` tests turns.
#![cfg(feature = "restate")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use strands::durable::restate::restate_sdk::endpoint::Endpoint;
use strands::durable::restate::{self, DurableAgent, TcpListener, TurnEvent, TurnEventKind};
use strands::durable::{AgentTemplate, FailureKind, TurnFailure, TurnInfo, TurnRequest};
use strands::testing::ScriptedModel;
use strands::{Agent, AgentBuilder};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

fn template() -> AgentBuilder {
    Agent::builder().model(ScriptedModel::responding("hi"))
}

/// Returns the description of a service, as the server reads it.
async fn description(agent: DurableAgent) -> Value {
    let endpoint = Endpoint::builder().bind(agent).build();
    let accept = "application/vnd.restate.endpointmanifest.v4+json";
    let request = Request::get("/discover").header("accept", accept).body(Body::empty()).unwrap();
    let body = endpoint.handle(request).into_body();
    let manifest: Value = serde_json::from_slice(&to_bytes(Body::new(body), 1 << 20).await.unwrap()).unwrap();
    manifest["services"][0].clone()
}

#[tokio::test]
async fn the_service_describes_its_handlers_and_timeouts() {
    let agent = DurableAgent::new("Travel.Desk-2", template()).unwrap();
    let agent = agent.step_timeout(Duration::from_secs(90)).inactivity_timeout(Duration::from_secs(7));
    let service = description(agent).await;
    assert_eq!((&service["name"], &service["ty"]), (&json!("Travel.Desk-2"), &json!("VIRTUAL_OBJECT")));
    // The step ends in the worker before the server aborts it.
    assert_eq!((&service["inactivityTimeout"], &service["abortTimeout"]), (&json!(7_000), &json!(120_000)));
    let handlers: Vec<(&str, bool)> = service["handlers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|handler| (handler["name"].as_str().unwrap(), handler["ty"] == "SHARED"))
        .collect();
    assert_eq!(
        handlers,
        [
            ("prompt", false),
            ("stream", false),
            ("answer", true),
            ("cancel", true),
            ("watch", true),
            ("granted", true),
            ("history", true)
        ]
    );
    // It reads what a turn has left when it has failed, and not what was there before.
    assert_eq!(service["handlers"][4]["enableLazyState"], true);
}

#[tokio::test]
async fn a_template_may_be_an_async_function() {
    let function = async |turn: TurnInfo| match turn.metadata.get("tenant") {
        Some(_) => Ok(template()),
        None => Err("no tenant"),
    };
    let turn = |metadata: Value| TurnInfo::new("user-17", "inv_1", metadata.as_object().unwrap());
    assert!(AgentTemplate::agent(&function, &turn(json!({"tenant": "acme"}))).await.is_ok());
    let error = AgentTemplate::agent(&function, &turn(json!({}))).await.err().unwrap();
    assert_eq!(error.to_string(), "no tenant");
    assert_eq!(description(DurableAgent::new("Agent", function).unwrap()).await["name"], "Agent");
}

#[test]
fn refuses_names_that_the_server_does_not_accept() {
    for name in ["", "two words", "slash/slash", "-dash"] {
        let error = DurableAgent::new(name, template()).unwrap_err();
        assert_eq!(error.name, name);
        assert!(error.to_string().starts_with(&format!("invalid service name `{name}`")), "{error}");
    }
}

#[test]
fn requests_with_unknown_fields_are_refused() {
    let request: TurnRequest = serde_json::from_value(json!({"prompt": "hi", "metadata": {"tenant": "acme"}})).unwrap();
    assert_eq!(request.metadata["tenant"], "acme");
    assert!(serde_json::from_value::<TurnRequest>(json!({"prompt": "hi", "session": "x"})).is_err());
    let blocks = json!({"prompt": [{"text": "hi"}]});
    assert_eq!(serde_json::to_value(serde_json::from_value::<TurnRequest>(blocks.clone()).unwrap()).unwrap(), blocks);
}

#[test]
fn events_have_a_flat_json_form() {
    let json = json!({
        "run_id": "inv_1", "session_id": "user-17", "attempt": "a", "sequence": 3, "replayed": true,
        "type": "failed", "failure": {"kind": "timeout", "message": "too slow"},
    });
    let event: TurnEvent = serde_json::from_value(json.clone()).unwrap();
    let TurnEventKind::Failed { failure: TurnFailure { kind, .. } } = &event.kind else { panic!("{event:?}") };
    assert_eq!((*kind, kind.status_code()), (FailureKind::Timeout, 504));
    assert_eq!(serde_json::to_value(&event).unwrap(), json);
}

#[tokio::test]
async fn the_server_ends_after_the_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, begun) = oneshot::channel::<()>();
    let endpoint = Endpoint::builder().bind(DurableAgent::new("Agent", template()).unwrap()).build();
    let server = tokio::spawn(restate::serve(listener, endpoint, async { _ = begun.await }));
    let _idle = TcpStream::connect(address).await.unwrap();
    shutdown.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), server).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the listener is still open");
}
