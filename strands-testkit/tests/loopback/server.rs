//! Requests and responses of a loopback server, observed over a bare socket.

use crate::client::Client;
use bytes::Bytes;
use serde_json::json;
use strands_testkit::{Framing, Recording, Response, Server, recordings};

#[tokio::test]
async fn sends_responses_in_order_on_one_connection() {
    let server = Server::sequence([
        Response::new(200).body("one"),
        Response::json(429, &json!({"message": "slow down"})).header("retry-after", "2"),
    ])
    .await;
    let mut client = Client::connect(server.address()).await;
    client.post("/a?x=1", r#"{"n": 1}"#).await;
    assert_eq!(client.read_until("one").await, "HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\none");
    client.post("/b", "").await;
    assert_eq!(
        client.read_until("}").await,
        "HTTP/1.1 429 \r\ncontent-type: application/json\r\nretry-after: 2\r\ncontent-length: 23\r\n\r\n\
         {\"message\":\"slow down\"}"
    );
    client.post("/c", "").await;
    let beyond = client.read_until("request 2: POST /c").await;
    assert!(beyond.starts_with("HTTP/1.1 501 "), "{beyond}");

    let requests = server.requests();
    let seen: Vec<_> = requests.iter().map(|r| (r.index, r.connection, r.method.as_str(), r.path.as_str())).collect();
    assert_eq!(seen, [(0, 0, "POST", "/a"), (1, 0, "POST", "/b"), (2, 0, "POST", "/c")]);
    assert_eq!(requests[0].json(), json!({"n": 1}));
    assert_eq!(requests[0].parameter("x"), Some("1"));
    assert_eq!(requests[0].header("host"), Some("x"));
    server.wait_until("the last response to be counted", |counts| counts.completed == 3).await;
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test]
async fn separates_pipelined_and_split_requests() {
    let server = Server::handler(|request| Response::new(200).body(request.body.clone())).await;
    let mut client = Client::connect(server.address()).await;
    let chunked = "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\none\r\n2\r\n!!\r\n0\r\nt: u\r\n\r\n";
    let plain = "POST /b HTTP/1.1\r\ncontent-length: 3\r\nconnection: close\r\n\r\ntwo";
    for byte in chunked.bytes().chain(plain.bytes()) {
        client.send([byte]).await;
    }
    let (bytes, end) = client.read_to_end().await;
    end.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text, "HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\none!!HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\ntwo");
}

#[tokio::test]
async fn supports_expect_continue() {
    let server = Server::repeat(Response::new(200)).await;
    let mut client = Client::connect(server.address()).await;
    client.send("PUT /o HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n");
    assert_eq!(server.requests()[0].body, "body");
}

#[tokio::test]
async fn omits_the_body_if_http_forbids_it() {
    let server = Server::handler(|request| match request.method.as_str() {
        "HEAD" => Response::new(200).body("never sent"),
        _ => Response::new(204).framing(Framing::Chunked),
    })
    .await;
    let mut client = Client::connect(server.address()).await;
    client.send("HEAD / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 200 \r\n\r\n");
    client.send("DELETE / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 204 \r\n\r\n");
}

#[tokio::test]
async fn counts_and_rejects_other_protocols() {
    let server = Server::repeat(Response::new(200)).await;
    let mut client = Client::connect(server.address()).await;
    client.send([22u8, 3, 1, 0, 5, 1, 0, 0, 1, 0]).await;
    let (bytes, _) = client.read_to_end().await;
    assert!(bytes.starts_with(b"HTTP/1.1 400 "), "{bytes:?}");
    assert_eq!((server.counts().malformed, server.counts().requests), (1, 0));
}

#[tokio::test]
async fn dropping_closes_the_port_and_its_connections() {
    let server = Server::repeat(Response::new(200).body("ok")).await;
    let address = server.address();
    let mut client = Client::connect(address).await;
    client.post("/", "").await;
    client.read_until("ok").await;
    drop(server);
    let (bytes, _) = client.read_to_end().await;
    assert_eq!(bytes, b"");
    // The port is free again.
    std::net::TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn replays_a_recording_byte_for_byte() {
    let exchanges = Recording::parse(
        br#"[{"request": {"method": "POST", "path": "/"},
              "response": {"status": 200, "content_type": "text/event-stream", "body": "data: 1\n\n"}},
             {"request": {"method": "POST", "path": "/"},
              "response": {"status": 404, "content_type": "application/json", "body": "{}"}}]"#,
    )
    .unwrap();
    replay(Recording { name: "made up".to_owned(), exchanges }).await;
    for recording in ["bedrock", "anthropic"].into_iter().filter_map(recordings).flatten() {
        replay(recording).await;
    }
}

async fn replay(recording: Recording) {
    let server = Server::replay(&recording).await;
    for exchange in &recording.exchanges {
        let mut client = Client::connect(server.address()).await;
        client.send("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
        let (bytes, end) = client.read_to_end().await;
        end.unwrap();
        let (head, body) = bytes.split_at(bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4);
        let head = std::str::from_utf8(head).unwrap();
        let response = &exchange.response;
        assert!(head.starts_with(&format!("HTTP/1.1 {} \r\n", response.status)), "{}: {head}", recording.name);
        assert!(head.contains(&format!("content-type: {}\r\n", response.content_type)), "{}: {head}", recording.name);
        let expected = if head.contains("chunked") {
            [format!("{:x}\r\n", response.body.len()).as_bytes(), &response.body, b"\r\n0\r\n\r\n"].concat().into()
        } else {
            response.body.clone()
        };
        assert_eq!(Bytes::copy_from_slice(body), expected, "{}", recording.name);
    }
}
