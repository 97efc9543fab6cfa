//! HTTP client of the hand-written loop: reqwest as in most programs, or hyper's connection alone, which is the least that
//! HTTP costs in Rust.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const KEY: &str = "Bearer test-key";

/// A client with its connections.
pub(crate) enum Transport {
    Reqwest { client: reqwest::Client, url: String },
    Hyper { address: String, connection: Option<SendRequest<Full<Bytes>>> },
}

/// Body of a response.
pub(crate) enum Body {
    Reqwest(reqwest::Response),
    Hyper(Incoming),
}

impl Transport {
    pub(crate) fn new(address: &str, client: Option<reqwest::Client>) -> Self {
        match client {
            Some(client) => Self::Reqwest { client, url: format!("http://{address}/v1/chat/completions") },
            None => Self::Hyper { address: address.to_owned(), connection: None },
        }
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(&mut self, body: Vec<u8>) -> Body {
        match self {
            Self::Reqwest { client, url } => {
                let request = client.post(&*url).header(CONTENT_TYPE, "application/json").header(AUTHORIZATION, KEY);
                Body::Reqwest(request.body(body).send().await.unwrap().error_for_status().unwrap())
            }
            Self::Hyper { address, connection } => {
                let connection = match connection {
                    Some(connection) => connection,
                    None => connection.insert(connect(address).await),
                };
                let request = Request::builder().method(Method::POST).uri("/v1/chat/completions");
                let request = request.header(HOST, &*address).header(CONTENT_TYPE, "application/json");
                let request = request.header(AUTHORIZATION, KEY).body(Full::new(Bytes::from(body))).unwrap();
                connection.ready().await.unwrap();
                let response = connection.send_request(request).await.unwrap();
                assert!(response.status().is_success(), "{}", response.status());
                Body::Hyper(response.into_body())
            }
        }
    }
}

async fn connect(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

impl Body {
    /// Returns the next bytes, or `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        match self {
            Self::Reqwest(response) => response.chunk().await.unwrap(),
            Self::Hyper(body) => loop {
                if let Ok(bytes) = body.frame().await?.unwrap().into_data() {
                    return Some(bytes);
                }
            },
        }
    }
}
