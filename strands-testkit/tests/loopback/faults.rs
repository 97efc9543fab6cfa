//! Body faults, waits and splits, observed over a bare socket.

use std::io::ErrorKind;

use crate::client::Client;
use strands_testkit::{Cut, Framing, Gate, Response, Server, Splits};

/// Returns the bytes that one request receives, and the final result of the connection.
async fn fetch(response: Response) -> (String, std::io::Result<()>) {
    let server = Server::repeat(response).await;
    let mut client = Client::connect(server.address()).await;
    client.send("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    let (bytes, end) = client.read_to_end().await;
    (String::from_utf8(bytes).unwrap(), end)
}

/// Returns the part of a response after its head.
async fn fetch_body(response: Response) -> String {
    let (text, end) = fetch(response).await;
    end.unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn sends_one_chunk_for_each_split() {
    let chunked = Response::new(200).body("abcdef").framing(Framing::Chunked);
    assert_eq!(fetch_body(chunked.clone()).await, "6\r\nabcdef\r\n0\r\n\r\n");
    let split = chunked.clone().splits(Splits::At(vec![1, 4]));
    assert_eq!(fetch_body(split).await, "1\r\na\r\n3\r\nbcd\r\n2\r\nef\r\n0\r\n\r\n");
    let split = chunked.splits(Splits::Every(4));
    assert_eq!(fetch_body(split).await, "4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n");
    let empty = Response::new(200).framing(Framing::Chunked);
    assert_eq!(fetch_body(empty).await, "0\r\n\r\n");
}

#[tokio::test]
async fn splits_do_not_change_the_body() {
    let body: String = (0..500).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    for seed in 0..20 {
        let response = Response::new(200).body(body.clone()).splits(Splits::Random { seed, max: 40 });
        assert_eq!(fetch_body(response).await, body, "seed {seed}");
    }
    let response = Response::new(200).body(body.clone()).splits(Splits::Every(1)).framing(Framing::UntilClose);
    let (text, end) = fetch(response).await;
    end.unwrap();
    assert_eq!(text, format!("HTTP/1.1 200 \r\nconnection: close\r\n\r\n{body}"));
}

#[tokio::test]
async fn closes_before_the_announced_length() {
    let whole = Response::new(200).body("abcdef");
    for offset in 0..=6 {
        let (text, end) = fetch(whole.clone().cut_at(offset, Cut::Close)).await;
        end.unwrap();
        assert_eq!(text, format!("HTTP/1.1 200 \r\ncontent-length: 6\r\n\r\n{}", "abcdef".get(..offset).unwrap()));

        let body = fetch_body(whole.clone().framing(Framing::Chunked).cut_at(offset, Cut::Close)).await;
        let announced = format!("6\r\n{}", "abcdef".get(..offset).unwrap());
        assert!(body.starts_with(&announced), "{offset}: {body}");
        assert!(!body.contains("0\r\n\r\n"), "{offset}: {body}");
    }
    let (_, end) = fetch(whole.clone().cut_at(7, Cut::Close)).await;
    end.unwrap();
}

#[tokio::test]
async fn a_clean_cut_sends_a_shorter_message() {
    let whole = Response::new(200).body("abcdef");
    assert_eq!(fetch(whole.clone().cut_at(2, Cut::Clean)).await.0, "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nab");
    let chunked = whole.framing(Framing::Chunked).splits(Splits::At(vec![1]));
    assert_eq!(fetch_body(chunked.cut_at(2, Cut::Clean)).await, "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_reset_is_a_socket_error() {
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::UntilClose] {
        let (_, end) = fetch(Response::new(200).body("abcdef").framing(framing).cut_at(3, Cut::Reset)).await;
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "{framing:?}");
    }
}

#[tokio::test]
async fn sends_garbage_unchanged() {
    let (text, end) = fetch(Response::garbage("\0\0 not http")).await;
    end.unwrap();
    assert_eq!(text, "\0\0 not http");
}

#[tokio::test]
async fn stalls_until_the_client_closes() {
    let server = Server::repeat(Response::new(200).body("abcdef").stall_at(2)).await;
    let mut client = Client::connect(server.address()).await;
    client.post("/", "").await;
    server.stalled().await;
    assert!(client.read_until("ab").await.ends_with("\r\n\r\nab"));
    assert_eq!(server.counts().client_gone, 0);
    drop(client);
    server.client_gone().await;
    assert_eq!(server.counts().completed, 0);
}

#[tokio::test]
async fn a_stalled_head_sends_nothing() {
    let server = Server::repeat(Response::new(200).stall_head()).await;
    let mut client = Client::connect(server.address()).await;
    client.post("/", "").await;
    server.stalled().await;
    let mut buffer = [0; 1];
    let nothing = client.stream.try_read(&mut buffer).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    drop(client);
    server.client_gone().await;
}

#[tokio::test]
async fn holds_a_response_at_gates() {
    let (head, middle, end) = (Gate::new(), Gate::new(), Gate::new());
    let response = Response::sse("abcdef").hold_head(&head).hold_at(3, &middle).hold_at(6, &end);
    let server = Server::repeat(response).await;
    let mut client = Client::connect(server.address()).await;
    client.post("/", "").await;
    server.stalled().await;
    head.open();
    assert!(client.read_until("3\r\nabc\r\n").await.starts_with("HTTP/1.1 200 \r\n"));
    middle.open();
    assert_eq!(client.read_until("def\r\n").await, "3\r\ndef\r\n");
    server.wait_until("the last gate", |counts| counts.stalled == 3).await;
    end.open();
    assert_eq!(client.read_until("0\r\n\r\n").await, "0\r\n\r\n");
    // An open gate stays open.
    client.post("/", "").await;
    client.read_until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_gate_before_a_cut_delays_it() {
    for offset in [0, 3, 6] {
        let gate = Gate::new();
        let response = Response::new(200).body("abcdef").hold_at(offset, &gate).cut_at(offset, Cut::Close);
        let server = Server::repeat(response).await;
        let mut client = Client::connect(server.address()).await;
        client.post("/", "").await;
        server.stalled().await;
        gate.open();
        let (bytes, end) = client.read_to_end().await;
        end.unwrap();
        let expected = format!("HTTP/1.1 200 \r\ncontent-length: 6\r\n\r\n{}", "abcdef".get(..offset).unwrap());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}

#[tokio::test]
async fn notices_a_client_that_abandons_a_long_body() {
    let server = Server::repeat(Response::new(200).body(vec![b'x'; 64 << 20])).await;
    let mut client = Client::connect(server.address()).await;
    client.post("/", "").await;
    client.stream.readable().await.unwrap();
    drop(client);
    server.client_gone().await;
}
