//! Interrupts as questions to the client's user.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use strands::mcp::{ClientRequest, McpServer};
use strands::{ToolContext, ToolError, tool, tools};

use crate::client::{AGES, Age, Client, call, connected, connected_to, served, text};
use crate::raw_http::{message, post, stateless};

/// Deletes a file.
#[tool(approval)]
fn delete(path: String, deleted: &Arc<AtomicUsize>) -> String {
    deleted.fetch_add(1, Ordering::Relaxed);
    format!("deleted {path}")
}

/// Books a seat.
#[tool]
fn book(ctx: &ToolContext) -> Result<String, ToolError> {
    let name = ctx.interrupt("name", "What is your name?")?;
    let seats = json!({"type": "object", "properties": {"seat": {"type": "string"}}});
    let seat = ctx.interrupt("seat", ClientRequest::form("Which seat?", seats))?;
    Ok(format!("{name} {}", seat["content"]["seat"]))
}

fn server(deleted: &Arc<AtomicUsize>) -> McpServer {
    McpServer::new(tools![Delete, Book]).unwrap().inject(Arc::clone(deleted))
}

#[tokio::test]
async fn approvals_are_questions() {
    for age in AGES {
        let deleted = Arc::new(AtomicUsize::new(0));
        let url = served(server(&deleted)).await;
        let yes = json!({"action": "accept", "content": {"approve": true}});
        let no = json!({"action": "decline"});
        for (answer, expected, count) in [(no, "the user did not approve this call", 0), (yes, "deleted /a", 1)] {
            let user = Client::answering([answer.clone(), answer]);
            for client in [
                connected(server(&deleted), user.clone(), age).await,
                connected_to(&url, user.clone(), age, None).await,
            ] {
                let before = deleted.load(Ordering::Relaxed);
                let result = client.call_tool(call("delete", json!({"path": "/a"}))).await.unwrap();
                assert_eq!(text(&result), expected, "{age:?}");
                assert_eq!(deleted.load(Ordering::Relaxed) - before, count);
            }
            assert_eq!(user.asked.lock().unwrap()[0], r#"Allow the call of `delete` with {"path":"/a"}?"#);
        }
    }
}

#[tokio::test]
async fn a_tool_can_ask_several_times() {
    for age in AGES {
        let answers = [
            json!({"action": "accept", "content": {"response": "Ann"}}),
            json!({"action": "accept", "content": {"seat": "12A"}}),
        ];
        let client = connected(server(&Arc::default()), Client::answering(answers), age).await;
        let result = client.call_tool(call("book", json!({}))).await.unwrap();
        assert_eq!(text(&result), r#""Ann" "12A""#, "{age:?}");
    }
}

#[tokio::test]
async fn a_client_without_a_user_gets_a_typed_error() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let client = connected(server(&deleted), Client::default(), Age::Legacy).await;
    let result = client.call_tool(call("delete", json!({"path": "/a"}))).await.unwrap();
    assert_eq!(result.is_error, Some(true));
    assert!(text(&result).contains("needs input"), "{}", text(&result));
    let client = connected(server(&deleted), Client::default(), Age::Stateless).await;
    let error = client.call_tool(call("delete", json!({"path": "/a"}))).await.unwrap_err().to_string();
    assert!(error.contains("-32021"), "{error}");
    assert_eq!(deleted.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_unanswered_question_ends_after_a_time() {
    #[derive(Clone)]
    struct Absent(Client);
    impl rmcp::ClientHandler for Absent {
        fn get_info(&self) -> rmcp::model::ClientConfig {
            self.0.get_info()
        }

        async fn create_elicitation(
            &self,
            _request: rmcp::model::ElicitRequestParams,
            _context: rmcp::service::RequestContext<rmcp::RoleClient>,
        ) -> Result<rmcp::model::ElicitResult, rmcp::model::ErrorData> {
            std::future::pending().await
        }
    }
    use rmcp::ServiceExt as _;
    let (near, far) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(far);
    tokio::spawn(server(&Arc::default()).input_timeout(Duration::from_millis(50)).serve(reader, writer));
    let client = Absent(Client::answering([json!({})])).serve(tokio::io::split(near)).await.unwrap();
    let result = client.call_tool(call("book", json!({}))).await.unwrap();
    assert!(text(&result).contains("did not respond to the tool's question"), "{}", text(&result));
}

/// Sends a call of protocol 2026-07-28 and returns the response.
async fn send(url: &str, params: Value) -> Value {
    let (headers, request) = stateless(1, "tools/call", params);
    message(&post(url, &headers, &request).await)
}

#[tokio::test]
async fn another_process_with_the_same_key_continues_a_call() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let key = |byte: u8| [byte; 32];
    let asking = served(server(&deleted).request_state_key(key(1))).await;
    let mut params = json!({"name": "delete", "arguments": {"path": "/a"}});
    let asked = send(&asking, params.clone()).await;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    params["requestState"] = asked["result"]["requestState"].clone();
    params["inputResponses"] = json!({"approval": {"action": "accept", "content": {"approve": true}}});

    let other_key = served(server(&deleted).request_state_key(key(2))).await;
    let rejected = send(&other_key, params.clone()).await;
    assert_eq!(rejected["error"]["code"], -32602, "{rejected}");

    let mut changed = params.clone();
    changed["arguments"]["path"] = json!("/b");
    let rejected = send(&asking, changed).await;
    assert_eq!(rejected["error"]["message"], "the arguments differ from those of the first request");

    let mut other_tool = params.clone();
    other_tool["name"] = json!("book");
    assert_eq!(send(&asking, other_tool).await["error"]["code"], -32602);
    assert_eq!(deleted.load(Ordering::Relaxed), 0);

    let rotated = served(server(&deleted).request_state_key(key(2)).older_request_state_key(key(1))).await;
    let same_key = served(server(&deleted).request_state_key(key(1))).await;
    for url in [rotated, same_key] {
        let done = send(&url, params.clone()).await;
        assert_eq!(done["result"]["content"][0]["text"], "deleted /a", "{done}");
    }
    assert_eq!(deleted.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_answer_that_arrives_twice_runs_a_tool_once() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let url = served(server(&deleted)).await;
    let mut params = json!({"name": "delete", "arguments": {"path": "/a"}});
    params["requestState"] = send(&url, params.clone()).await["result"]["requestState"].clone();
    // Without a response the question is asked again, with a state that is as good as the first.
    let again = send(&url, params.clone()).await;
    assert_eq!(again["result"]["resultType"], "input_required", "{again}");
    params["inputResponses"] = json!({"approval": {"action": "accept", "content": {"approve": true}}});
    let answers = futures_util::future::join_all((0..8).map(|_| send(&url, params.clone()))).await;
    params["requestState"] = again["result"]["requestState"].clone();
    let later = send(&url, params).await;
    let done = answers.iter().chain([&later]).filter(|answer| answer["result"]["content"].is_array());
    assert_eq!((done.count(), deleted.load(Ordering::Relaxed)), (1, 1));
    assert!(later["error"]["message"].as_str().unwrap().contains("used up"), "{later}");
}

#[tokio::test]
async fn an_old_state_is_rejected() {
    let url = served(server(&Arc::default()).request_state_lifetime(Duration::ZERO)).await;
    let mut params = json!({"name": "delete", "arguments": {"path": "/a"}});
    params["requestState"] = send(&url, params.clone()).await["result"]["requestState"].clone();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let rejected = send(&url, params).await;
    assert!(rejected["error"]["message"].as_str().unwrap().contains("expired"), "{rejected}");
}
