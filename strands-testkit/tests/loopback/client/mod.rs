//! Minimal client over a bare socket, so that no HTTP library stands between a test and the bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) received: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a POST request with a body.
    pub(crate) async fn post(&mut self, path: &str, body: &str) {
        let length = body.len();
        self.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    /// Reads until the received bytes end with this text.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        while !self.received.ends_with(end.as_bytes()) {
            let read = self.stream.read_buf(&mut self.received).await.unwrap();
            assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&self.received));
        }
        String::from_utf8(std::mem::take(&mut self.received)).unwrap()
    }

    /// Reads until the connection ends, and returns its final result.
    pub(crate) async fn read_to_end(mut self) -> (Vec<u8>, std::io::Result<()>) {
        loop {
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return (self.received, Ok(())),
                Ok(_) => {}
                Err(error) => return (self.received, Err(error)),
            }
        }
    }
}
