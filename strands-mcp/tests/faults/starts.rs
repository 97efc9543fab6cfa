//! Many servers that are slow to start.

use std::time::{Duration, Instant};

use serde_json::json;
use strands::Agent;
use strands::mcp::{McpClient, McpError};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands_testkit::Gate;

use crate::server::McpServer;
use crate::{Texts as _, soon};

const SERVERS: u64 = 20;
const SLOWEST: Duration = Duration::from_millis(500);

/// A server that responds to the handshake after this time.
async fn slow(delay: Duration) -> McpServer {
    McpServer::with_delay(
        move |method| {
            let gate = Gate::new();
            let opened = gate.clone();
            let delay = if method == "initialize" { delay } else { Duration::ZERO };
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                opened.open();
            });
            gate
        },
        |call| call.json("worked"),
    )
    .await
}

async fn tools_of(clients: impl Iterator<Item = McpClient>) -> (Vec<String>, Duration) {
    let model = ScriptedModel::new([ScriptedTurn::text("Done.")]);
    let builder = clients.fold(Agent::builder().model(model.clone()), |builder, client| builder.tool_provider(client));
    let start = Instant::now();
    let mut agent = soon(builder.build()).await.unwrap();
    let time = start.elapsed();
    soon(agent.prompt("Hello.").into_future()).await.unwrap();
    (model.requests()[0].tools.clone(), time)
}

#[tokio::test]
async fn connects_to_many_servers_in_the_time_of_the_slowest_one() {
    let mut servers = Vec::new();
    for number in 1..=SERVERS {
        servers.push(slow(SLOWEST * u32::try_from(number).unwrap() / u32::try_from(SERVERS).unwrap()).await);
    }
    let clients = servers.iter().enumerate().map(|(number, server)| {
        McpClient::http(server.url()).name(format!("server-{number}")).prefix(format!("s{number}")).build().unwrap()
    });
    let (tools, time) = tools_of(clients).await;
    assert_eq!(tools.len(), 40);
    assert!(time >= SLOWEST && time < 2 * SLOWEST, "{time:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn starts_many_children_in_the_time_of_the_slowest_one() {
    let clients = (1..=SERVERS).map(|number| {
        let delay = SLOWEST.as_secs_f64() * number as f64 / SERVERS as f64;
        let client = crate::children::server(&format!("sleep {delay}"), "text worked");
        client.name(format!("server-{number}")).prefix(format!("s{number}")).build().unwrap()
    });
    let (tools, time) = tools_of(clients).await;
    assert_eq!(tools.len(), 40);
    assert!(time >= SLOWEST && time < 2 * SLOWEST, "{time:?}");
}

/// A server that accepts connections and never responds.
async fn silent() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn an_error_of_connecting_names_the_cause_and_no_key() {
    let (listener, url) = silent().await;
    drop(listener);
    let error = McpClient::http(format!("{url}?key=secret-key")).build().unwrap().connect().await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("refused") && !text.contains("secret-key"), "{text}");
}

#[tokio::test]
async fn concurrent_callers_share_a_failed_attempt() {
    let (_listener, url) = silent().await;
    let client = McpClient::http(url).connect_timeout(Duration::from_millis(300)).build().unwrap();
    let start = Instant::now();
    let attempts = futures_util::future::join_all((0..10).map(|_| client.connect()));
    for attempt in soon(attempts).await {
        assert!(matches!(attempt, Err(McpError::ConnectTimeout { .. })), "{attempt:?}");
    }
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_timeout_of_a_call_begins_after_the_connection() {
    let server = slow(Duration::from_millis(400)).await;
    let client = McpClient::http(server.url()).timeout(Duration::from_millis(300)).build().unwrap();
    assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
    let endless = McpClient::http(server.url()).timeout(Duration::MAX).connect_timeout(Duration::MAX);
    let endless = endless.task_timeout(Duration::MAX).build().unwrap();
    assert_eq!(soon(endless.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
}

#[tokio::test]
async fn a_client_that_is_closed_while_it_connects_has_no_connection() {
    let server = slow(Duration::from_millis(200)).await;
    let client = McpClient::http(server.url()).build().unwrap();
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.close().await;
    let result = soon(connecting).await.unwrap();
    assert!(matches!(result, Err(McpError::Closed { .. })), "{result:?}");
    assert!(!client.is_connected());
}
