//! Callers of HTTP requests: their values, refusals, and what belongs to them.

use serde_json::json;
use strands::hook::{Hook, HookResult, SelectTools};
use strands::mcp::axum::http::request::Parts;
use strands::mcp::{Caller, IdentifyCaller, McpServer, Refusal};
use strands::{async_trait, tool, tools};

use crate::client::{AGES, Client, call, connected_to, served, text};
use crate::raw_http::{initialize, message, post, send, stateless};

#[derive(Clone)]
struct User(String);

/// The name of the user.
#[tool]
fn whoami(user: &User, caller: &Caller) -> String {
    format!("{} ({})", user.0, caller.id().unwrap_or_default())
}

/// Asks the user.
#[tool(approval)]
fn pay() -> &'static str {
    "paid"
}

fn identify(request: &Parts) -> Result<Caller, Refusal> {
    let token = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    match token.and_then(|token| token.strip_prefix("Bearer ")) {
        None => Err(Refusal::unauthorized("Bearer realm=\"test\"")),
        Some("mallory") => Err(Refusal::forbidden("mallory may not use this server")),
        Some(name) => Ok(Caller::new(name).inject(User(name.to_uppercase()))),
    }
}

fn server() -> McpServer {
    McpServer::new(tools![Whoami, Pay]).unwrap().inject(User("nobody".to_owned())).identify_caller(identify)
}

#[tokio::test]
async fn tools_get_the_values_of_the_caller() {
    let url = served(server()).await;
    for age in AGES {
        for name in ["ann", "bob"] {
            let client = connected_to(&url, Client::default(), age, Some(name)).await;
            let result = client.call_tool(call("whoami", json!({}))).await.unwrap();
            assert_eq!(text(&result), format!("{} ({name})", name.to_uppercase()));
        }
    }
}

struct OnlyAnnPays;

#[async_trait]
impl Hook for OnlyAnnPays {
    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        if event.context.injected::<User>().is_none_or(|user| user.0 != "ANN") {
            event.hide("pay");
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_caller_does_not_see_hidden_tools() {
    let url = served(server().hook(OnlyAnnPays)).await;
    for age in AGES {
        for (name, expected) in [("ann", vec!["whoami", "pay"]), ("bob", vec!["whoami"])] {
            let client = connected_to(&url, Client::default(), age, Some(name)).await;
            let listed = client.list_all_tools().await.unwrap();
            assert_eq!(listed.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_the_response() {
    let url = served(server()).await;
    let refused = post(&url, &[], &initialize()).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer realm=\"test\"")));
    let refused = post(&url, &[("Authorization", "Bearer mallory")], &initialize()).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("mallory may not use this server"));
}

#[tokio::test]
async fn a_session_belongs_to_its_caller() {
    let url = served(server()).await;
    let opened = post(&url, &[("Authorization", "Bearer ann")], &initialize()).await;
    let session = opened.header("mcp-session-id").unwrap();
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    for (name, status) in [("bob", 404), ("ann", 200)] {
        let authorization = format!("Bearer {name}");
        let headers = [("Authorization", authorization.as_str()), ("Mcp-Session-Id", session)];
        assert_eq!(post(&url, &headers, &ping).await.status, status);
    }
    let headers = [("Authorization", "Bearer bob"), ("Mcp-Session-Id", session)];
    assert_eq!(send(&url, "DELETE", &headers, b"").await.status, 404);
}

#[tokio::test]
async fn the_state_of_a_call_belongs_to_its_caller() {
    let url = served(server()).await;
    let (mut headers, request) = stateless(1, "tools/call", json!({"name": "pay", "arguments": {}}));
    headers.push(("Authorization", "Bearer ann"));
    let state = message(&post(&url, &headers, &request).await)["result"]["requestState"].clone();
    let answers = json!({"approval": {"action": "accept", "content": {"approve": true}}});
    let params = json!({"name": "pay", "arguments": {}, "requestState": state, "inputResponses": answers});
    for (authorization, expected) in [("Bearer bob", None), ("Bearer ann", Some("paid"))] {
        let (mut headers, request) = stateless(2, "tools/call", params.clone());
        headers.push(("Authorization", authorization));
        let response = message(&post(&url, &headers, &request).await);
        assert_eq!(response["result"]["content"][0]["text"].as_str(), expected, "{response}");
    }
}

#[tokio::test]
async fn an_identification_can_wait() {
    struct Database;

    #[async_trait]
    impl IdentifyCaller for Database {
        async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
            tokio::task::yield_now().await;
            identify(request)
        }
    }

    let url = served(McpServer::new(tools![Whoami]).unwrap().identify_caller(Database)).await;
    let client = connected_to(&url, Client::default(), AGES[1], Some("ann")).await;
    assert_eq!(text(&client.call_tool(call("whoami", json!({}))).await.unwrap()), "ANN (ann)");
}
