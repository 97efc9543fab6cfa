//! The client of all sides: one connection of hyper, and a reader of server-sent events.

use axum::http::{Method, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::net::TcpSocket;

/// A connection of a user.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    user: String,
}

impl Connection {
    /// Connects with a buffer of this size for received bytes, or the system's default.
    pub(crate) async fn open(port: u16, user: &str, buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(size) = buffer {
            socket.set_recv_buffer_size(size).unwrap();
        }
        socket.set_nodelay(true).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async { drop(connection.await) });
        Self { sender, user: user.to_owned() }
    }

    pub(crate) async fn post(&mut self, path: &str, prompt: &str, session_id: Option<&str>) -> Response<Incoming> {
        let body = match session_id {
            Some(id) => format!(r#"{{"prompt":"{prompt}","session_id":"{id}"}}"#),
            None => format!(r#"{{"prompt":"{prompt}","new_session":true}}"#),
        };
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    pub(crate) async fn events_after(&mut self, run_id: &str, last_event_id: &str) -> Response<Incoming> {
        let request = self.request(Method::GET, &format!("/runs/{run_id}/events"));
        self.send(request.header("last-event-id", last_event_id).body(Full::default()).unwrap()).await
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let authorization = format!("Bearer {}", self.user);
        Request::builder().method(method).uri(path).header("host", "localhost").header("authorization", authorization)
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        if response.status() != 200 {
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            panic!("{status}: {}", String::from_utf8_lossy(&body));
        }
        response
    }
}

/// Returns the text of a field of JSON. It must have no escapes.
pub(crate) fn field<'a>(json: &'a [u8], name: &str) -> Option<&'a str> {
    let quoted = format!("\"{name}\":\"");
    let start = memmem::find(json, quoted.as_bytes())? + quoted.len();
    let length = memchr::memchr(b'"', &json[start..])?;
    std::str::from_utf8(&json[start..start + length]).ok()
}

/// A server-sent event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) is_error: bool,
    pub(crate) data: Vec<u8>,
}

impl Event {
    pub(crate) fn is(&self, kind: &str) -> bool {
        field(&self.data[..self.data.len().min(64)], "type") == Some(kind)
    }
}

/// The events of a response.
pub(crate) struct Events {
    body: Incoming,
    buffer: Vec<u8>,
    read: usize,
}

impl Events {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), buffer: Vec::new(), read: 0 }
    }

    /// Returns the next event, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(length) = memmem::find(&self.buffer[self.read..], b"\n\n") {
                let event = parse(&self.buffer[self.read..self.read + length]);
                self.read += length + 2;
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            let frame = self.body.frame().await?.ok()?;
            self.buffer.extend_from_slice(frame.data_ref()?);
        }
    }
}

/// Parses an event. A comment is none.
fn parse(lines: &[u8]) -> Option<Event> {
    let mut event = Event::default();
    for line in lines.split(|byte| *byte == b'\n') {
        if let Some(id) = line.strip_prefix(b"id: ") {
            event.id = Some(String::from_utf8(id.to_vec()).unwrap());
        } else if let Some(data) = line.strip_prefix(b"data: ") {
            event.data = data.to_vec();
        } else if line == b"event: failure" {
            event.is_error = true;
        }
    }
    (!event.data.is_empty()).then_some(event)
}
