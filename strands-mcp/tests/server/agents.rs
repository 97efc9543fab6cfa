//! Agents as tools.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::{
    CallToolRequest, ClientRequest as McpRequest, NumberOrString, ProgressToken, RequestMetaObject, ServerResult,
};
use rmcp::service::PeerRequestOptions;
use serde_json::json;
use strands::mcp::axum::http::request::Parts;
use strands::mcp::{Caller, McpServer, Refusal};
use strands::metrics::Usage;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, tool, tools};

use crate::client::{AGES, Client, call, connected, connected_to, served, text, until};
use crate::raw_http::{message, post, stateless};

/// Deletes a file.
#[tool(approval)]
fn delete(path: String, deleted: &Arc<AtomicUsize>) -> String {
    deleted.fetch_add(1, Ordering::Relaxed);
    format!("deleted {path}")
}

#[derive(Clone)]
struct User(String);

/// The user's name.
#[tool]
fn whoami(user: &User) -> String {
    user.0.clone()
}

fn calling(tool: &str, input: serde_json::Value) -> ScriptedModel {
    let (tool, turns) = (tool.to_owned(), AtomicUsize::new(0));
    ScriptedModel::from_fn(move |_| match turns.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => ScriptedTurn::tool_use(tool.clone(), input.clone()),
        _ => ScriptedTurn::text("It is done.").with_usage(Usage::new(10, 3)),
    })
}

fn deleting(deleted: &Arc<AtomicUsize>) -> AgentBuilder {
    Agent::builder().model(calling("delete", json!({"path": "/a"}))).tools(tools![Delete]).inject(Arc::clone(deleted))
}

#[tokio::test]
async fn an_agent_is_one_tool_with_progress_and_usage() {
    let agent =
        Agent::builder().model(calling("whoami", json!({}))).tools(tools![Whoami]).inject(User("Ann".to_owned()));
    let recorder = Client::default();
    let client =
        connected(McpServer::new([agent.name("ask").description("Asks.")]).unwrap(), recorder.clone(), AGES[1]).await;
    let mut request = CallToolRequest::new(call("ask", json!({"input": "Who am I?"})));
    let mut meta = RequestMetaObject::new();
    meta.set_progress_token(ProgressToken(NumberOrString::Number(1)));
    request.params.meta = Some(meta);
    let options = PeerRequestOptions::no_options();
    let handle = client.send_request_with_option(McpRequest::CallToolRequest(request), options).await.unwrap();
    let ServerResult::CallToolResult(result) = handle.await_response().await.unwrap() else { panic!("no result") };
    assert_eq!(text(&result), "It is done.");
    let usage = result.meta.unwrap()["io.github.strands-rs/usage"].clone();
    assert_eq!((&usage["inputTokens"], &usage["outputTokens"]), (&json!(20), &json!(8)));
    let progress = Arc::clone(&recorder.progress);
    until("progress", || progress.lock().unwrap().len() >= 2).await;
    let messages: Vec<_> = progress.lock().unwrap().iter().filter_map(|(_, message)| message.clone()).collect();
    assert_eq!(messages[0], "calling `whoami`");
    assert_eq!(messages[1..].concat(), "It is done.");
}

#[tokio::test]
async fn an_agents_interrupt_is_a_question() {
    for age in AGES {
        let deleted = Arc::new(AtomicUsize::new(0));
        let yes = json!({"action": "accept", "content": {"approve": true}});
        let user = Client::answering([yes.clone(), yes]);
        let server = || McpServer::new([deleting(&deleted).name("ask")]).unwrap();
        let url = served(server()).await;
        for client in [connected(server(), user.clone(), age).await, connected_to(&url, user.clone(), age, None).await]
        {
            let before = deleted.load(Ordering::Relaxed);
            let result = client.call_tool(call("ask", json!({"input": "Delete it."}))).await.unwrap();
            assert_eq!(text(&result), "It is done.", "{age:?}");
            assert_eq!(deleted.load(Ordering::Relaxed) - before, 1);
        }
        assert_eq!(user.asked.lock().unwrap()[0], r#"Allow the call of `delete` with {"path":"/a"}?"#);
    }
}

#[tokio::test]
async fn an_agent_gets_the_values_of_the_caller() {
    let agent = Agent::builder()
        .model(ScriptedModel::from_fn(|request| match request.messages.last().map(|message| message.text()) {
            Some(text) if text == "Who am I?" => ScriptedTurn::tool_use("whoami", json!({})),
            _ => ScriptedTurn::text(format!("{:?}", request.messages.last().unwrap().content)),
        }))
        .tools(tools![Whoami])
        .injected_per_prompt::<User>();
    let server =
        McpServer::new([agent.name("ask").description("Asks.")]).unwrap().identify_caller(|request: &Parts| {
            let user = request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            Ok::<_, Refusal>(Caller::new(user).inject(User(user.to_owned())))
        });
    let url = served(server).await;
    for age in AGES {
        let client = connected_to(&url, Client::default(), age, Some("ann")).await;
        let result = client.call_tool(call("ask", json!({"input": "Who am I?"}))).await.unwrap();
        assert!(text(&result).contains("Bearer ann"), "{}", text(&result));
    }
}

#[tokio::test]
async fn the_reason_why_an_agent_failed_stays_in_the_log() {
    let agent = Agent::builder().model(ScriptedModel::from_fn(|_| {
        ScriptedTurn::error(strands::models::ModelError::protocol("arn:aws:iam::123456789012:role/secret"))
    }));
    let client =
        connected(McpServer::new([agent.name("ask").description("Asks.")]).unwrap(), Client::default(), AGES[0]).await;
    let result = client.call_tool(call("ask", json!({"input": "Hi."}))).await.unwrap();
    assert_eq!(result.is_error, Some(true));
    assert_eq!(text(&result), "the agent failed within the server; its log has the reason");
}

/// The position in the client's trace.
#[tool]
fn trace(trace: &strands::TraceContext) -> String {
    format!("{trace} {}", trace.tracestate().unwrap_or_default())
}

#[tokio::test]
async fn the_trace_of_a_client_reaches_tools_and_agents() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let agent = Agent::builder()
        .model(ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_use("trace", json!({})),
            _ => ScriptedTurn::text(format!("{:?}", request.messages.last().unwrap().content)),
        }))
        .tools(tools![Trace])
        .injected_per_prompt::<strands::TraceContext>();
    let tools = tools![Trace, agent.name("ask")];
    let client = connected(McpServer::new(tools).unwrap(), Client::default(), AGES[1]).await;
    for mut request in [call("trace", json!({})), call("ask", json!({"input": "Trace."}))] {
        let mut meta = RequestMetaObject::new();
        meta.insert("traceparent".to_owned(), PARENT.into());
        meta.insert("tracestate".to_owned(), "vendor=1".into());
        request.meta = Some(meta);
        let result = client.call_tool(request).await.unwrap();
        assert!(text(&result).contains(&format!("{PARENT} vendor=1")), "{}", text(&result));
    }
}

#[tokio::test]
async fn an_agent_that_another_process_suspended_is_not_run_again() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let server = || McpServer::new([deleting(&deleted).name("ask")]).unwrap().request_state_key([1; 32]);
    let mut params = json!({"name": "ask", "arguments": {"input": "Delete it."}});
    let send = async |url: String, params: serde_json::Value| {
        let (headers, request) = stateless(1, "tools/call", params);
        message(&post(&url, &headers, &request).await)
    };
    let asked = send(served(server()).await, params.clone()).await;
    let key = asked["result"]["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    params["requestState"] = asked["result"]["requestState"].clone();
    params["inputResponses"] = json!({key: {"action": "accept", "content": {"approve": true}}});
    let result = send(served(server()).await, params).await["result"].clone();
    assert_eq!(result["isError"], true, "{result}");
    assert!(result["content"][0]["text"].as_str().unwrap().contains("no longer has the state"), "{result}");
    assert_eq!(deleted.load(Ordering::Relaxed), 0);
}
