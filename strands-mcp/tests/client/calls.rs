//! Calls: results, errors, progress, timeouts and cancellation.

use std::time::{Duration, Instant};

use strands_core::serde_json::json;
use strands_core::{AgentEvent, StreamExt as _, TraceContext};
use strands_mcp::{McpClient, McpError};

use crate::server::{AGES, Server};
use crate::{agent, calling, client, soon, text};

#[tokio::test]
async fn an_agent_calls_tools_in_both_ages() {
    for age in AGES {
        let server = Server::start(age).await;
        let (client, model) = (client(&server), calling(&["write", "broken", "write"]));
        let mut agent = agent(&client, &model).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).cloned().collect();
        let texts: Vec<_> = results.iter().map(|result| (result.is_error(), format!("{:?}", result.content))).collect();
        assert_eq!(texts.iter().map(|(is_error, _)| *is_error).collect::<Vec<_>>(), [false, true, false], "{age:?}");
        assert!(texts[1].1.contains("no paper") && texts[2].1.contains('2'), "{texts:?}");
        assert_eq!(client.server_instructions().await.unwrap().as_deref(), Some("Be kind."));
    }
}

#[tokio::test]
async fn an_unknown_tool_is_rejected_with_the_servers_message() {
    for age in AGES {
        let server = Server::start(age).await;
        let error = client(&server).call_tool("fly", json!({})).await.unwrap_err();
        assert!(
            matches!(&error, McpError::Rejected { code: -32602, message, .. } if message == "no tool `fly`"),
            "{error:?}"
        );
        let error = client(&server).call_tool("write", json!([1])).await.unwrap_err();
        assert!(matches!(error, McpError::Setting { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn progress_becomes_events_of_the_agent() {
    for age in AGES {
        let server = Server::start(age).await;
        let (client, model) = (client(&server), calling(&["progress"]));
        let mut agent = agent(&client, &model).build().await.unwrap();
        let mut events = agent.prompt("go").stream();
        let mut progress = Vec::new();
        while let Some(event) = events.next().await {
            if let AgentEvent::ToolProgress { data, .. } = event.unwrap() {
                progress.push(data);
            }
        }
        let step = |step: u8| json!({"progress": f64::from(step), "total": 3.0, "message": format!("step {step}")});
        assert_eq!(progress, [step(1), step(2), step(3)], "{age:?}");
    }
}

#[tokio::test]
async fn a_call_times_out_and_is_cancelled_at_the_server() {
    for age in AGES {
        let server = Server::start(age).await;
        let client = McpClient::http(server.url()).timeout(Duration::from_millis(300)).build().unwrap();
        let error = client.call_tool("wait", json!({})).await.unwrap_err();
        assert!(matches!(error, McpError::Timeout { .. }) && error.is_outcome_unknown(), "{error:?}");
        soon(server.state.cancelled.notified()).await;
        assert_eq!(text(&client.call_tool("write", json!({})).await.unwrap()), "2");
    }
}

#[tokio::test]
async fn cancelling_an_invocation_cancels_the_call_at_the_server() {
    for age in AGES {
        let server = Server::start(age).await;
        let (client, model) = (client(&server), calling(&["wait"]));
        let mut agent = agent(&client, &model).build().await.unwrap();
        let token = strands_core::CancellationToken::new();
        let invocation = agent.prompt("go").cancel_with(token.clone());
        let state = std::sync::Arc::clone(&server.state);
        let (response, elapsed) = tokio::join!(invocation, async {
            state.started.notified().await;
            token.cancel();
            let began = Instant::now();
            soon(state.cancelled.notified()).await;
            began.elapsed()
        });
        assert!(response.is_ok(), "{response:?}");
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    }
}

#[tokio::test]
async fn sends_the_trace_and_metadata_of_the_program() {
    for age in AGES {
        let server = Server::start(age).await;
        let meta = |_: &strands_core::ToolContext| [("tenant".to_owned(), json!("acme"))].into_iter().collect();
        let client = McpClient::http(server.url()).request_meta(meta).build().unwrap();
        let mut agent = agent(&client, &calling(&["write"])).build().await.unwrap();
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace: TraceContext = traceparent.parse().unwrap();
        agent.prompt("go").inject(trace.with_state("a=1").unwrap()).await.unwrap();
        let sent = server.state.last_meta.lock().unwrap().clone();
        assert_eq!((&sent["traceparent"], &sent["tracestate"]), (&json!(traceparent), &json!("a=1")));
        assert_eq!(sent["tenant"], "acme");
        assert!(
            sent["idempotencyKey"]
                .as_str()
                .unwrap()
                .ends_with(agent.messages()[1].tool_uses().next().unwrap().tool_use_id.as_str()),
            "{sent:?}"
        );
    }
}
