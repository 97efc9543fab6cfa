//! Servers and clients of this crate together: one program's tools in the agent of another, through two hops, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use strands::mcp::{McpClient, McpServer};
use strands::models::StopReason;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, Prompt, tool, tools};

use crate::client::{AGES, Client, call, connected, served, text};

/// Deletes a file.
#[tool(approval)]
fn delete(path: String, deleted: &Arc<AtomicUsize>) -> String {
    deleted.fetch_add(1, Ordering::Relaxed);
    format!("deleted {path}")
}

/// A sum.
#[tool(output)]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn server(deleted: &Arc<AtomicUsize>) -> McpServer {
    McpServer::new(tools![Add, Delete]).unwrap().inject(Arc::clone(deleted))
}

#[tokio::test]
async fn an_agent_uses_a_server_and_approves_its_calls() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let client = McpClient::http(served(server(&deleted)).await).connect().await.unwrap();
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("add", json!({"a": 20, "b": 22})),
        ScriptedTurn::tool_use("delete", json!({"path": "/a"})),
        ScriptedTurn::text("done"),
    ]);
    let mut agent = Agent::builder().model(model).tool_provider(client).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let [interrupt] = &response.interrupts[..] else { panic!("{response:?}") };
    assert_eq!(interrupt.reason["message"], r#"Allow the call of `delete` with {"path":"/a"}?"#);
    assert_eq!(deleted.load(Ordering::Relaxed), 0);
    let approval = interrupt.respond(json!({"action": "accept", "content": {"approve": true}}));
    let response = agent.prompt(Prompt::none()).resume([approval]).await.unwrap();
    assert_eq!((response.text().as_str(), deleted.load(Ordering::Relaxed)), ("done", 1));
    let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).cloned().collect();
    assert!(format!("{:?}", results[0].content).contains("42"), "{results:?}");
}

#[tokio::test]
async fn a_server_passes_on_the_questions_of_another_one() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let origin = served(server(&deleted)).await;
    for age in AGES {
        let before = deleted.load(Ordering::Relaxed);
        let behind = McpClient::http(&origin).connect().await.unwrap();
        let proxy = McpServer::new(tools![]).unwrap().tool_provider(behind);
        let user = Client::answering([json!({"action": "accept", "content": {"approve": true}})]);
        let client = connected(proxy, user.clone(), age).await;
        let names: Vec<_> = client.list_all_tools().await.unwrap().iter().map(|tool| tool.name.to_string()).collect();
        assert_eq!(names, ["add", "delete"]);
        let sum = client.call_tool(call("add", json!({"a": 1, "b": 2}))).await.unwrap();
        assert_eq!(sum.structured_content, Some(json!({"result": 3})), "{sum:?}");
        let result = client.call_tool(call("delete", json!({"path": "/a"}))).await.unwrap();
        assert_eq!(text(&result), "deleted /a", "{age:?}");
        assert_eq!(deleted.load(Ordering::Relaxed) - before, 1);
        assert_eq!(user.asked.lock().unwrap().len(), 1);
    }
}
