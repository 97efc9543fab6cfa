//! Clients that are slow, silent, or do not read.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::rig::{HELD, PATIENCE, Running, SOON, rest};

/// Sends one byte each 50 ms until the server closes the connection, and returns how long that took.
async fn dripped(server: &Running, start: &[u8]) -> Duration {
    let began = Instant::now();
    let mut stream = server.connect().await;
    stream.write_all(start).await.unwrap();
    let mut byte = [0; 64];
    loop {
        assert!(began.elapsed() < PATIENCE, "the connection stays open");
        let _ = stream.write_all(b"x").await;
        if matches!(timeout(Duration::from_millis(50), stream.read(&mut byte)).await, Ok(Ok(0) | Err(_))) {
            return began.elapsed();
        }
    }
}

#[tokio::test]
async fn closes_a_connection_with_a_slow_header() {
    let server = Running::start(|server| server.header_timeout(SOON)).await;
    for start in ["", "GET / HT", "GET / HTTP/1.1\r\nA: b", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let time = dripped(&server, start.as_bytes()).await;
        assert!(time < 8 * SOON, "{start:?}: {time:?}");
    }
}

#[tokio::test]
async fn the_header_timeout_holds_for_each_request_of_a_connection() {
    let server = Running::start(|server| server.header_timeout(SOON)).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut response = [0; 1024];
        let length = stream.read(&mut response).await.unwrap();
        assert!(response[..length].ends_with(b"hello"));
        // An idle connection is not slow.
        sleep(2 * SOON).await;
    }
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn closes_idle_connections() {
    let server = Running::start(|server| server.idle_timeout(SOON)).await;
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut used = server.connect().await;
    used.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(rest(&mut used).await.ends_with("hello"));
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_though_it_answers_pings() {
    let server = Running::start(|server| server.idle_timeout(SOON)).await;
    let mut stream = server.connect().await;
    // The preface, and empty settings; then a ping each 50 ms.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let began = Instant::now();
    let mut buffer = [0; 256];
    while began.elapsed() < PATIENCE {
        let _ = stream.write_all(b"\0\0\x08\x06\0\0\0\0\0pingping").await;
        if matches!(timeout(Duration::from_millis(50), stream.read(&mut buffer)).await, Ok(Ok(0) | Err(_))) {
            return;
        }
    }
    panic!("the connection stays open");
}

#[tokio::test]
async fn a_request_may_take_longer_than_the_idle_and_the_header_timeout() {
    let server = Running::start(|server| server.idle_timeout(SOON).header_timeout(SOON)).await;
    assert!(server.get("/after?1200").await.ends_with("done"));
}

#[tokio::test]
async fn a_slow_body_gets_status_408() {
    let server = Running::start(|server| server.body_timeout(SOON)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx").await.unwrap();
    let response = rest(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 408 ") && response.contains("connection: close"), "{response}");
}

#[tokio::test]
async fn closes_a_connection_that_does_not_read() {
    let server = Running::start(|server| server.write_timeout(SOON).max_connections(1)).await;
    let mut stalled = server.connect().await;
    stalled.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // The only connection is free again.
    let response = timeout(PATIENCE, server.get("/")).await.unwrap();
    assert!(response.ends_with("hello"), "{response}");
}

/// Sends pings, each 50 ms, until a condition is met.
async fn pinging_until(stream: &mut TcpStream, condition: impl Fn() -> bool) {
    let began = Instant::now();
    let mut buffer = [0; 4096];
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "nothing happens");
        stream.write_all(b"\0\0\x08\x06\0\0\0\0\0pingping").await.unwrap();
        let _ = timeout(Duration::from_millis(50), stream.read(&mut buffer)).await;
    }
}

#[tokio::test]
async fn releases_an_http2_response_that_is_not_read_though_the_connection_is_in_use() {
    let server = Running::start(|server| server.write_timeout(SOON)).await;
    // Settings with windows of 0 and of 4 bytes; then `GET /held`.
    for window in [0, 4] {
        let mut stream = server.connect().await;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, window]).await.unwrap();
        stream.write_all(b"\0\0\x0c\x01\x05\0\0\0\x01\x82\x86\x41\x01a\x04\x05/held").await.unwrap();
        pinging_until(&mut stream, || HELD.load(Ordering::SeqCst) == 1).await;
        pinging_until(&mut stream, || HELD.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test]
async fn half_closed_connections_end() {
    let server = Running::start(|server| server.max_connections(1)).await;
    for request in ["", "GET / HTTP/1.1\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await;
    }
    assert!(server.get("/").await.ends_with("hello"));
}
