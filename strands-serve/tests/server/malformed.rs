//! Requests that are not valid HTTP, or that two servers could read differently.

use tokio::io::AsyncWriteExt as _;

use crate::rig::{Running, rest};

/// Counts the responses of one connection.
fn responses(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test]
async fn rejects_malformed_requests() {
    let server = Running::start(|server| server).await;
    let cases: [(&str, &[u8]); 12] = [
        ("HTTP/0.9", b"GET /\r\n\r\n"),
        ("an unknown version", b"GET / HTTP/3.7\r\nHost: a\r\n\r\n"),
        ("no request", b"\x16\x03\x01\x02\x00\x01\x00"),
        ("NUL in the path", b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a space in the path", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n"),
        ("NUL in a header", b"GET / HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n"),
        ("two lengths", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
        ("a negative length", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nxy"),
        ("a length with a sign", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nxy"),
        ("an unknown coding", b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n"),
    ];
    for (case, request) in cases {
        let mut stream = server.connect().await;
        stream.write_all(request).await.unwrap();
        let response = rest(&mut stream).await;
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 400 "), "{case}: {response}");
        assert!(responses(&response) <= 1, "{case}: {response}");
    }
    assert!(server.get("/").await.ends_with("hello"));
}

/// Bytes after the body that a server must not take for a request of their own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_request_with_length_and_chunks_is_the_last_of_its_connection() {
    let server = Running::start(|server| server).await;
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: \tchunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "transfer-encoding: CHUNKED\r\nContent-Length: 5",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let response = server.send(request).await;
        assert_eq!(responses(&response), 1, "{headers}: {response}");
    }
}

#[tokio::test]
async fn malformed_chunks_end_the_connection() {
    let server = Running::start(|server| server).await;
    for chunks in ["x\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "1\nx\r\n0\r\n\r\n", "1\r\nxy\r\n0\r\n\r\n"] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{SMUGGLED}");
        let response = server.send(request).await;
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 400 "), "{chunks:?}: {response}");
        assert!(responses(&response) <= 1 && !response.contains("src/"), "{chunks:?}: {response}");
    }
}

#[tokio::test]
async fn answers_pipelined_requests_in_order() {
    let server = Running::start(|server| server).await;
    let response = server
        .send(
            "GET /after?200 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
             GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .await;
    assert_eq!(responses(&response), 2, "{response}");
    assert!(response.find("done") < response.find("hello"), "{response}");
}

#[tokio::test]
async fn asks_for_a_body_with_100_continue_only_if_it_is_read() {
    let server = Running::start(|server| server).await;
    let request = |length: usize| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let response = server.send(request(2) + "xy").await;
    assert!(response.starts_with("HTTP/1.1 100 ") && response.ends_with("xy"), "{response}");
    let response = server.send(request(1 << 30)).await;
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
}

#[tokio::test]
async fn an_upgrade_to_http2_without_tls_is_ignored() {
    let server = Running::start(|server| server).await;
    let response = server
        .send(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        )
        .await;
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("hello"), "{response}");
}
