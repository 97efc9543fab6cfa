//! The A2A mode of AgentCore Runtime.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, tool, tools};
use strands_serve::agentcore::{
    AgentCoreContext, ForwardedHeaders, WorkloadAccessToken, a2a_address, a2a_router, a2a_server,
};
use strands_serve::axum::body::{Body, to_bytes};
use tower::ServiceExt as _;

use crate::rig::{Client, Stores, Users, counting, state, text};

/// Tells what the platform has sent.
#[tool(crate = strands_core)]
fn platform(context: &AgentCoreContext, headers: &ForwardedHeaders, token: &WorkloadAccessToken) -> String {
    let custom = headers.get("x-amzn-bedrock-agentcore-runtime-custom-tenant");
    format!("{:?} {custom:?} {}", context.runtime_session_id(), token.expose().len())
}

#[tokio::test]
async fn tools_get_the_values_of_the_platform() {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        Some(result) => ScriptedTurn::text(serde_json::to_string(result).unwrap()),
        None => ScriptedTurn::tool_use("platform", json!({})),
    });
    let agent = Agent::builder().model(model).tools(tools![Platform]).injected_per_prompt::<AgentCoreContext>();
    let agent = agent.injected_per_prompt::<ForwardedHeaders>().injected_per_prompt::<WorkloadAccessToken>();
    let service = Stores::new().service(agent);
    let server = a2a_server(&service, Users).name("desk").description("Helps.").build().unwrap();
    let headers = vec![
        ("x-user", "alice"),
        ("x-amzn-bedrock-agentcore-runtime-session-id", "s-1"),
        ("x-amzn-bedrock-agentcore-runtime-custom-tenant", "t-1"),
        ("workloadaccesstoken", "12345"),
    ];
    let client = Client { router: a2a_router(&server), headers };
    let task = client.send(json!({}), "x").await;
    assert_eq!(state(&task), "TASK_STATE_COMPLETED");
    assert!(
        text(&task).contains(r#"Some(\\\"s-1\\\") Some(\\\"t-1\\\") 5"#)
            || text(&task).contains(r#"Some(\"s-1\") Some(\"t-1\") 5"#),
        "{task}"
    );
}

#[tokio::test]
async fn the_contract_has_a_card_a_ping_and_a_port() {
    let stalling = ScriptedModel::from_fn(|_| ScriptedTurn::text("never").stalling_after(1));
    let service = Stores::new().service(Agent::builder().model(stalling));
    let server = a2a_server(&service, Users).name("desk").description("Helps.").build().unwrap();
    let client = Client { router: a2a_router(&server), headers: Vec::new() };
    let (_, card) = client.get("/.well-known/agent-card.json").await;
    // The platform passes on JSON-RPC alone.
    assert_eq!(
        card["supportedInterfaces"],
        json!([
            {"url": "http://localhost:9000/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": "http://localhost:9000/", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
        ])
    );
    assert_eq!(client.user("alice").get("/tasks").await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/ping").await.1, json!({"status": "Healthy"}));
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]});
    let alice = client.user("alice");
    let params = json!({"message": message, "configuration": {"returnImmediately": true}});
    let task = alice.call("SendMessage", params).await["result"]["task"].take();
    // The task goes on without its client, so that the platform must not stop the process.
    assert_eq!(client.get("/ping").await.1, json!({"status": "HealthyBusy"}));
    alice.call("CancelTask", json!({"id": task["id"]})).await;
    assert_eq!(client.get("/ping").await.1, json!({"status": "Healthy"}));
    assert_eq!(a2a_address().port(), 9000);
}

#[tokio::test]
async fn a_message_of_1_0_is_served_without_the_header_that_the_platform_removes() {
    let service = Stores::new().service(counting());
    let server = a2a_server(&service, Users).name("desk").description("Helps.").build().unwrap();
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}});
    let request = Request::post("/").header("content-type", "application/json").header("x-user", "alice");
    let response = a2a_router(&server).oneshot(request.body(Body::from(call.to_string())).unwrap()).await.unwrap();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let response: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(state(&response["result"]["task"]), "TASK_STATE_COMPLETED");
}
