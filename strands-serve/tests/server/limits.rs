//! Limits of sizes and numbers.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use strands_serve::{Server, ServerError};

use crate::rig::{PATIENCE, Running, SOON, rest};

#[tokio::test]
async fn an_address_in_use_is_an_error_at_once() {
    let server = Running::start(|server| server).await;
    let error = Server::bind(server.address).await.unwrap_err();
    assert!(matches!(error, ServerError::AddressInUse { address } if address == server.address), "{error:?}");
    assert!(error.to_string().contains("choose another port"), "{error}");
}

#[tokio::test]
async fn addresses_that_are_none_are_named() {
    for address in ["127.0.0.1", "127.0.0.1:99999", "no such host:80"] {
        let error = Server::bind(address).await.unwrap_err();
        assert!(error.to_string().contains(&format!("`{address}`")), "{error}");
    }
    // An address of another machine (documentation range).
    let error = Server::bind("192.0.2.1:0").await.unwrap_err();
    assert!(matches!(error, ServerError::Listen { .. }), "{error:?}");
}

#[tokio::test]
async fn large_headers_get_status_431() {
    let server = Running::start(|server| server.max_header_bytes(16 * 1024).max_headers(20)).await;
    let one = format!("A: {}\r\n", "x".repeat(200 * 1024));
    let many = "A: b\r\n".repeat(21);
    let path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(200 * 1024));
    for (headers, fits) in [(one.as_str(), false), (&many, false), ("A: b\r\n", true)] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        let response = server.send(request).await;
        let expected = if fits { "HTTP/1.1 200 " } else { "HTTP/1.1 431 " };
        assert!(response.starts_with(expected), "{response}");
    }
    let response = server.send(path).await;
    assert!(response.starts_with("HTTP/1.1 414 ") || response.starts_with("HTTP/1.1 431 "), "{response}");
}

#[tokio::test]
async fn the_response_to_a_large_body_is_not_lost() {
    let server = Running::start(|server| server).await;
    let mut request = b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n".to_vec();
    request.resize(request.len() + 8_000_000, b'x');
    for _ in 0..5 {
        let mut stream = server.connect().await;
        // A reset would be an error here, and many clients would not read the response after it.
        stream.write_all(&request).await.expect("the connection is reset");
        let response = rest(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_free_one() {
    let server = Running::start(|server| server.max_connections(2)).await;
    let (first, second) = (server.connect().await, server.connect().await);
    sleep(SOON).await;
    let mut third = server.connect().await;
    third.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    assert!(timeout(SOON, third.read(&mut byte)).await.is_err(), "a third connection is served");
    drop(first);
    assert!(rest(&mut third).await.ends_with("hello"));
    drop(second);
}

#[tokio::test]
async fn a_flood_of_connections_does_not_stop_the_server() {
    let server = Running::start(|server| server.max_connections(50).idle_timeout(SOON)).await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(server.connect().await);
    }
    let response = timeout(PATIENCE, server.get("/")).await.unwrap();
    assert!(response.ends_with("hello"), "{response}");
}

#[tokio::test]
async fn a_panic_is_status_500_without_details() {
    let server = Running::start(|server| server).await;
    let response = server.get("/panic").await;
    assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
    assert!(!response.contains("secret") && !response.contains("panic"), "{response}");
    assert!(server.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn the_longest_duration_means_no_timeout() {
    let none = std::time::Duration::MAX;
    let server = Running::start(|server| {
        server.header_timeout(none).body_timeout(none).idle_timeout(none).write_timeout(none).drain_timeout(none)
    });
    let server = server.await;
    assert!(server.get("/").await.ends_with("hello"));
    assert_eq!(server.stop().await.unwrap(), strands_serve::ServerEnd::Drained);
}
