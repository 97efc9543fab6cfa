//! The sequence of a graceful shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use strands_serve::ServerEnd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::rig::{PATIENCE, Running, SOON, rest};

#[tokio::test]
async fn running_requests_finish_and_idle_connections_are_closed() {
    let server = Running::start(|server| server).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
    let mut busy = server.connect().await;
    busy.write_all(b"GET /after?600 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    sleep(SOON).await;
    let address = server.address;
    let task = server.stop();
    assert_eq!(timeout(SOON, rest(&mut idle)).await.unwrap(), "");
    assert!(TcpStream::connect(address).await.is_err(), "the listener is open");
    let response = rest(&mut busy).await;
    assert!(response.contains("connection: close") && response.ends_with("done"), "{response}");
    assert_eq!(timeout(PATIENCE, task).await.unwrap().unwrap(), ServerEnd::Drained);
}

#[tokio::test]
async fn connections_that_wait_in_the_queue_are_served() {
    let server = Running::start(|server| server).await;
    // One thread: the server does not run until this task waits.
    let mut waiting = std::net::TcpStream::connect(server.address).unwrap();
    let task = server.stop();
    sleep(SOON).await;
    std::io::Write::write_all(&mut waiting, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    waiting.set_nonblocking(true).unwrap();
    let response = rest(&mut TcpStream::from_std(waiting).unwrap()).await;
    assert!(response.ends_with("hello"), "{response}");
    assert_eq!(timeout(PATIENCE, task).await.unwrap().unwrap(), ServerEnd::Drained);
}

#[tokio::test]
async fn new_work_is_refused_before_the_listener_closes_and_the_server_waits_for_the_drain() {
    let (refused, drained) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let flags = (Arc::clone(&refused), Arc::clone(&drained));
    let server = Running::draining(
        |server| server.drain_timeout(PATIENCE),
        move |timeout| {
            flags.0.store(true, Ordering::SeqCst);
            assert_eq!(timeout, PATIENCE);
            async move {
                sleep(2 * SOON).await;
                flags.1.store(true, Ordering::SeqCst);
            }
        },
    )
    .await;
    let address = server.address;
    let task = server.stop();
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(refused.load(Ordering::SeqCst) && !drained.load(Ordering::SeqCst));
    assert_eq!(timeout(PATIENCE, task).await.unwrap().unwrap(), ServerEnd::Drained);
    assert!(drained.load(Ordering::SeqCst));
}

#[tokio::test]
async fn responses_that_do_not_end_are_cut_after_the_deadline() {
    let server = Running::start(|server| server.drain_timeout(SOON)).await;
    let mut endless = server.connect().await;
    endless.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 65536];
        while endless.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    });
    sleep(SOON).await;
    let began = Instant::now();
    assert_eq!(timeout(PATIENCE, server.stop()).await.unwrap().unwrap(), ServerEnd::DeadlinePassed);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    timeout(PATIENCE, reading).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_that_does_not_end_is_dropped_after_the_deadline() {
    let server = Running::draining(|server| server.drain_timeout(SOON), |_| std::future::pending()).await;
    let began = Instant::now();
    assert_eq!(timeout(PATIENCE, server.stop()).await.unwrap().unwrap(), ServerEnd::Drained);
    assert!(began.elapsed() >= SOON && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
