//! Servers that are stopped and started again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use strands_core::serde_json::json;
use strands_core::{Agent, ToolProvider as _};
use strands_mcp::{McpClient, McpError};

use crate::server::{AGES, Server};
use crate::{agent, calling, client, soon, text};

#[tokio::test]
async fn calls_go_on_after_a_restart() {
    for age in AGES {
        let mut server = Server::start(age).await;
        let client = client(&server);
        for times in 1..=5 {
            assert_eq!(text(&client.call_tool("write", json!({})).await.unwrap()), times.to_string());
            server.restart().await;
        }
    }
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_comes_back() {
    for age in AGES {
        let mut server = Server::start(age).await;
        let client = client(&server);
        client.connect().await.unwrap();
        server.stop().await;
        let (output, ()) = tokio::join!(client.call_tool("write", json!({})), async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            server.restart().await;
        });
        assert_eq!(text(&output.unwrap()), "1", "{age:?}");
    }
}

#[tokio::test]
async fn calls_to_a_lost_server_fail_in_the_time_that_is_set_and_go_on_soon_after_it_is_back() {
    for age in AGES {
        let mut server = Server::start(age).await;
        let client = McpClient::http(server.url()).reconnect_timeout(Duration::from_millis(400)).build().unwrap();
        client.connect().await.unwrap();
        server.stop().await;
        // Pauses that grow without the limit would last longer after a few of them.
        for _ in 0..8 {
            let started = Instant::now();
            let error = client.call_tool("write", json!({})).await.unwrap_err();
            assert!(matches!(error, McpError::Connect { .. }), "{age:?} {error:?}");
            assert!(started.elapsed() < Duration::from_secs(2), "{age:?} {:?}", started.elapsed());
        }
        server.restart().await;
        let started = Instant::now();
        assert_eq!(text(&client.call_tool("write", json!({})).await.unwrap()), "1", "{age:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{age:?} {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_repeated() {
    for age in AGES {
        let mut server = Server::start(age).await;
        let client = client(&server);
        client.connect().await.unwrap();
        let state = std::sync::Arc::clone(&server.state);
        let (output, ()) = tokio::join!(client.call_tool("wait", json!({})), async {
            state.started.notified().await;
            server.restart().await;
        });
        let error = output.unwrap_err();
        assert!(matches!(error, McpError::OutcomeUnknown { .. }), "{age:?} {error:?}");
        assert_eq!(server.state.written.load(Ordering::SeqCst), 1);
        assert_eq!(text(&client.call_tool("write", json!({})).await.unwrap()), "2");
    }
}

#[tokio::test]
async fn the_model_is_told_that_an_outcome_is_unknown() {
    for age in AGES {
        let mut server = Server::start(age).await;
        let (client, model) = (client(&server), calling(&["wait", "write"]));
        let mut agent = agent(&client, &model).build().await.unwrap();
        let state = std::sync::Arc::clone(&server.state);
        let (response, ()) = tokio::join!(agent.prompt("go"), async {
            state.started.notified().await;
            server.restart().await;
        });
        response.unwrap();
        let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).cloned().collect();
        assert_eq!(results.iter().map(|result| result.is_error()).collect::<Vec<_>>(), [true, false], "{age:?}");
        let text = format!("{:?}", results[0].content);
        assert!(text.contains("may have executed") && text.contains("check before you call it again"), "{text}");
    }
}

#[tokio::test]
async fn an_optional_server_that_is_down_is_tried_again() {
    for age in AGES {
        let mut server = Server::start(age).await;
        server.stop().await;
        let required = Agent::builder().model(calling(&[])).tool_provider(client(&server)).build().await;
        assert!(required.unwrap_err().to_string().contains("test"));

        let client = McpClient::http(server.url()).name("test").optional().build().unwrap();
        let mut agent = agent(&client, &calling(&["write"])).build().await.unwrap();
        assert_eq!(agent.tools().iter().count(), 0);
        let before = client.generation();
        server.restart().await;
        soon(async {
            while client.generation() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        agent.prompt("go").await.unwrap();
        assert_eq!(server.state.written.load(Ordering::SeqCst), 1, "{age:?}");
    }
}

#[tokio::test]
async fn a_server_that_was_never_reached_fails_at_once() {
    let client = McpClient::http("http://127.0.0.1:9/mcp").build().unwrap();
    let error = client.call_tool("write", json!({})).await.unwrap_err();
    assert!(matches!(error, McpError::Connect { .. }), "{error:?}");
}
