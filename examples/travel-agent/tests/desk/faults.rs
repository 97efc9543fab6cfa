//! Faults of the MCP server: the model gets an error that it can explain, nothing hangs, and a turn can be cancelled.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use strands::{
    CancellationToken,
    identity::{Audit, Identity},
    mcp::McpServer,
    models::StopReason,
    serve::axum::{
        Router,
        body::to_bytes,
        extract::Request,
        http::StatusCode,
        middleware::{Next, from_fn},
        routing::any,
    },
    testing::{ScriptedModel, ScriptedTurn},
    tool, tools,
};
use tokio::{net::TcpListener, sync::Notify};
use travel_agent::{
    access::Role,
    agent::TravelAgent,
    desk::{Desk, DeskSecret, RemoteDesk},
    services::Services,
};

use crate::support::*;

fn ana() -> Identity {
    user("ana", Role::Traveler)
}

fn remote(url: &str) -> Desk {
    Desk::Remote(Arc::new(RemoteDesk::new(url, secret()).unwrap()))
}

/// Returns the result of `get_travel_policies` that a model gets.
async fn policies(desk: Desk) -> String {
    let model =
        ScriptedModel::new([ScriptedTurn::tool_use("get_travel_policies", json!({})), ScriptedTurn::text("Done.")]);
    let services = (CLOCK, Services::local().unwrap());
    let agent = TravelAgent::new(model, desk, services, Audit::default()).unwrap();
    let mut agent = agent.call_agent(&ana()).await.unwrap().build().await.unwrap();
    agent.prompt("What is the policy?").await.unwrap();
    let results = agent.messages().iter().flat_map(|message| message.tool_results());
    serde_json::to_string(&results.collect::<Vec<_>>()).unwrap()
}

#[tokio::test]
async fn explains_a_desk_that_is_down() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (desk, started) = (remote(&format!("http://{free}/mcp")), Instant::now());
    let result = policies(desk.clone()).await;
    assert!(result.contains("can't be reached now") && !result.contains(&free.port().to_string()), "{result}");
    // A trip whose costs are unknown is not authorized.
    assert!(desk.above_cost_limit(&ana(), &json!({"destination": "New York"})).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn comes_back_with_the_desk() {
    let store = store();
    let server = DeskServer::start(&store).await;
    let (desk, address) = (server.desk(), server.address.to_string());
    assert!(policies(desk.clone()).await.contains("hotel_caps"));
    drop(server);
    let later = tokio::spawn({
        let desk = desk.clone();
        async move { policies(desk).await }
    });
    let router = router_of(&store, Audit::default());
    // The port is free once the connections of the server that was killed are closed.
    while TcpListener::bind(&address).await.is_err() {
        tokio::task::yield_now().await;
    }
    let _server = DeskServer::at(&address, router).await;
    assert!(later.await.unwrap().contains("hotel_caps"), "the call waits for a server that restarts");
    assert!(policies(desk).await.contains("hotel_caps"));
}

#[tokio::test]
async fn explains_a_token_that_is_refused() {
    let server = DeskServer::start(&store()).await;
    let secret = DeskSecret::Value("another secret of at least 32 bytes".into());
    let desk = Desk::Remote(Arc::new(RemoteDesk::new(&server.url(), secret).unwrap()));
    let result = policies(desk.clone()).await;
    assert!(result.contains("refuses this user"), "{result}");
    assert!(desk.above_cost_limit(&ana(), &json!({})).await.is_err());
}

#[tokio::test]
async fn explains_responses_of_another_server() {
    for status in [StatusCode::OK, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::NOT_FOUND] {
        let router = Router::new().route("/mcp", any(move || async move { (status, "<html>hello</html>") }));
        let server = DeskServer::at("127.0.0.1:0", router).await;
        let result = policies(server.desk()).await;
        assert!(result.contains("error") && !result.contains("<html>"), "{status}: {result}");
    }
}

/// Something else.
#[tool]
fn launch_rockets() -> &'static str {
    "launched"
}

#[tokio::test]
async fn a_server_cannot_add_or_change_tools() {
    let other = McpServer::new(tools![LaunchRockets]).unwrap().into_router();
    let server = DeskServer::at("127.0.0.1:0", other).await;
    let result = policies(server.desk()).await;
    assert!(result.contains("has no tool `get_travel_policies` for this user"), "{result}");
    let agent = travel_agent(server.desk()).call_agent(&ana()).await.unwrap().build().await.unwrap();
    assert!(agent.tools().iter().all(|tool| tool.spec().name != "launch_rockets"));
}

/// Returns a desk that accepts connections and does not respond.
async fn silent() -> (Desk, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let desk = remote(&format!("http://{}/mcp", listener.local_addr().unwrap()));
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    (desk, task)
}

#[tokio::test(start_paused = true)]
async fn a_desk_that_does_not_respond_ends_in_an_error() {
    let (desk, _task) = silent().await;
    let started = tokio::time::Instant::now();
    assert!(desk.above_cost_limit(&ana(), &json!({})).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(5), "less than the time of a decision: {:?}", started.elapsed());
    let result = policies(desk).await;
    assert!(result.contains("can't be reached now") || result.contains("did not respond"), "{result}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_desk_that_ended_fails_soon_and_is_there_at_once_when_it_is_back() {
    let store = store();
    let server = DeskServer::start(&store).await;
    let (desk, address) = (server.desk(), server.address.to_string());
    assert!(policies(desk.clone()).await.contains("hotel_caps"));
    drop(server);
    while TcpListener::bind(&address).await.is_err() {
        tokio::task::yield_now().await;
    }
    // A turn has a call of its own before the tool's. The bounds allow for a machine that is busy with other tests.
    for _ in 0..4 {
        let started = Instant::now();
        let result = policies(desk.clone()).await;
        assert!(result.contains("can't be reached now"), "{result}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    let _server = DeskServer::at(&address, router_of(&store, Audit::default())).await;
    let started = Instant::now();
    assert!(policies(desk).await.contains("hotel_caps"));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_without_a_response_is_explained_without_names_of_programs() {
    let sent = Arc::new(Notify::new());
    let hangs = Arc::clone(&sent);
    let router = router_of(&store(), Audit::default()).layer(from_fn(move |request: Request, next: Next| {
        let hangs = Arc::clone(&hangs);
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            if String::from_utf8_lossy(&body).contains("get_travel_policies") {
                hangs.notify_one();
                std::future::pending::<()>().await;
            }
            next.run(Request::from_parts(parts, body.into())).await
        }
    }));
    let server = DeskServer::at("127.0.0.1:0", router).await;
    let (result, ()) = tokio::join!(policies(server.desk()), async {
        sent.notified().await;
        // Only the timeout of the call remains.
        tokio::time::pause();
    });
    assert!(result.contains("did not respond; nothing was changed"), "{result}");
    assert!(!result.contains("MCP server"), "{result}");
}

#[tokio::test]
async fn a_call_is_cancelled_at_once() {
    let (desk, _task) = silent().await;
    let model = ScriptedModel::new([ScriptedTurn::tool_use("get_travel_policies", json!({}))]);
    let agent = TravelAgent::new(model.clone(), desk, (CLOCK, Services::local().unwrap()), Audit::default()).unwrap();
    let mut agent = agent.call_agent(&ana()).await.unwrap().build().await.unwrap();
    let token = CancellationToken::new();
    let cancel = async {
        while model.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        token.cancel();
        Instant::now()
    };
    let (response, cancelled) =
        tokio::join!(agent.prompt("What is the policy?").cancel_with(token.clone()).into_future(), cancel);
    assert_eq!(response.unwrap().stop_reason, StopReason::Cancelled);
    // The bound allows for a machine that is busy with other tests.
    assert!(cancelled.elapsed() < Duration::from_millis(500), "{:?}", cancelled.elapsed());
}
