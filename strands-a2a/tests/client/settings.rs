//! Agent cards and settings.

use std::time::Duration;

use strands::Promptable;
use strands::a2a::{A2aAgent, A2aError};
use strands::serde_json::json;
use strands_testkit::{Response, Server, ports};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::peer::{Peer, card};

#[tokio::test]
async fn the_card_names_and_describes_the_agent() {
    let peer = Peer::new(|call| panic!("{}", call.method)).await;
    let agent = peer.agent().await;
    assert_eq!((agent.name(), agent.description()), ("Peer", "Responds as a test says."));
    let agent = peer.builder().name("other").description("Books.").connect().await.unwrap();
    assert_eq!((agent.name(), agent.description()), ("other", "Books."));
}

#[tokio::test]
async fn cards_that_are_not_valid_are_errors() {
    let too_large = json!({"name": "x".repeat(2_000_000), "supportedInterfaces": []}).to_string();
    let no_endpoint = |host: &str| card(host, &[("GRPC", "1.0", "/")]).to_string();
    for (response, is_expected) in [
        (Response::new(404), (|error| matches!(error, A2aError::Http { status: 404, .. })) as fn(&A2aError) -> bool),
        (Response::new(401), |error| matches!(error, A2aError::Unauthorized { .. })),
        (Response::new(302).header("location", "http://127.0.0.1:1/"), |error| {
            matches!(error, A2aError::Http { status: 302, .. })
        }),
        (Response::new(200).body("<html>"), |error| matches!(error, A2aError::Card { .. })),
        (Response::new(200).body("{}"), |error| matches!(error, A2aError::Card { .. })),
        (Response::new(200).body(too_large), |error| matches!(error, A2aError::TooLarge { limit: 1_048_576 })),
        (Response::new(200).body(no_endpoint("a.example")), |error| matches!(error, A2aError::NoEndpoint { .. })),
    ] {
        let server = Server::repeat(response).await;
        let error = A2aAgent::connect(server.url()).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn servers_that_can_not_be_reached_are_errors() {
    let refused = ports::RefusedPort::bind();
    let error = A2aAgent::connect(refused.url()).await.unwrap_err();
    assert!(matches!(error, A2aError::Connection { .. }), "{error:?}");
}

#[tokio::test]
async fn settings_are_checked_before_a_request() {
    let builder = || A2aAgent::builder("http://127.0.0.1:1");
    for case in [
        A2aAgent::builder("not a URL"),
        builder().timeout(Duration::ZERO),
        builder().connect_timeout(Duration::ZERO),
        builder().task_timeout(Duration::ZERO),
        builder().max_response_bytes(0),
        builder().name(""),
        builder().header("a b", "c"),
        builder().header("a", "b\n"),
        builder().header("A2A-Version", "1.0"),
        builder().allow_origin("agents.example.com"),
        builder().proxy("not a URL"),
        builder().trust_pem("no PEM"),
    ] {
        let error = case.connect().await.unwrap_err();
        assert!(matches!(error, A2aError::Setting { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_card_that_comes_byte_by_byte_is_too_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await.unwrap();
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while connection.write_all(b" ").await.is_ok() {
            ticks.tick().await;
        }
    });
    let timeout = Duration::from_millis(200);
    let connected = A2aAgent::builder(url).timeout(timeout).connect();
    let connected = tokio::time::timeout(Duration::from_secs(10), connected).await.expect("a deadline");
    assert!(matches!(connected, Err(A2aError::Timeout { timeout: after }) if after == timeout), "{connected:?}");
}
