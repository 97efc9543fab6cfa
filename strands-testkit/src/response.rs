//! Scripted responses: the HTTP message and its delivery.

use bytes::Bytes;
use serde_json::Value;

use crate::fault::{Cut, Delivery, Framing, Gate, Hold, Splits};
use crate::recording::Exchange;

/// One scripted response.
///
/// Offsets count bytes of the body, before any chunked encoding. An offset beyond the end has no effect.
///
/// ```
/// use strands_testkit::{Framing, Response, Splits};
///
/// let response = Response::new(200)
///     .content_type("text/event-stream")
///     .body("data: {}\n\n")
///     .framing(Framing::Chunked)
///     .splits(Splits::Random { seed: 42, max: 3 })
///     .stall_at(8);
/// # drop(response);
/// ```
#[derive(Clone, Debug)]
pub struct Response {
    pub(crate) message: Message,
    pub(crate) body: Bytes,
    pub(crate) delivery: Delivery,
}

/// Head of the response.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Http {
        status: u16,
        headers: Vec<(String, String)>,
    },
    /// No HTTP: only the body is sent, then the connection is closed.
    Raw,
}

impl Response {
    /// Creates an empty response with this status.
    pub fn new(status: u16) -> Self {
        Self {
            message: Message::Http { status, headers: Vec::new() },
            body: Bytes::new(),
            delivery: Delivery::default(),
        }
    }

    /// Creates a JSON response.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status).content_type("application/json").body(body.to_string())
    }

    /// Creates a stream of Amazon event-stream frames, chunked as Bedrock sends it.
    pub fn eventstream(body: impl Into<Bytes>) -> Self {
        Self::new(200).content_type("application/vnd.amazon.eventstream").body(body).framing(Framing::Chunked)
    }

    /// Creates a stream of server-sent events, chunked.
    pub fn sse(body: impl Into<Bytes>) -> Self {
        Self::new(200).content_type("text/event-stream").body(body).framing(Framing::Chunked)
    }

    /// Creates a stream of JSON documents, one on each line, chunked.
    pub fn json_lines(body: impl Into<Bytes>) -> Self {
        Self::new(200).content_type("application/x-ndjson").body(body).framing(Framing::Chunked)
    }

    /// Creates a response that sends these bytes instead of HTTP and closes the connection.
    pub fn garbage(bytes: impl Into<Bytes>) -> Self {
        Self { message: Message::Raw, body: bytes.into(), delivery: Delivery::default() }
    }

    /// Appends a header, which is sent unchanged.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Message::Http { headers, .. } = &mut self.message {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Adds the `content-type` header.
    #[must_use]
    pub fn content_type(self, value: &str) -> Self {
        self.header("content-type", value)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the framing of the body.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.delivery.framing = framing;
        self
    }

    /// Sets the splits of the body into chunks that are written and flushed separately.
    #[must_use]
    pub fn splits(mut self, splits: Splits) -> Self {
        self.delivery.splits = splits;
        self
    }

    /// Ends the body after `offset` bytes.
    #[must_use]
    pub fn cut_at(mut self, offset: usize, cut: Cut) -> Self {
        self.delivery.cut = Some((offset, cut));
        self
    }

    /// Sends `offset` bytes of the body and then stalls until the client closes the connection.
    #[must_use]
    pub fn stall_at(mut self, offset: usize) -> Self {
        self.delivery.holds.push((offset, Hold::Stall));
        self
    }

    /// Sends `offset` bytes of the body and then waits at the gate.
    #[must_use]
    pub fn hold_at(mut self, offset: usize, gate: &Gate) -> Self {
        self.delivery.holds.push((offset, Hold::Gate(gate.clone())));
        self
    }

    /// Takes the request and sends nothing, not even a head, until the client closes the connection.
    #[must_use]
    pub fn stall_head(mut self) -> Self {
        self.delivery.head = Some(Hold::Stall);
        self
    }

    /// Waits at the gate before the first byte of the head.
    #[must_use]
    pub fn hold_head(mut self, gate: &Gate) -> Self {
        self.delivery.head = Some(Hold::Gate(gate.clone()));
        self
    }
}

/// Converts a recorded response: whole if it is a document, chunked if it is a stream.
impl From<&Exchange> for Response {
    fn from(exchange: &Exchange) -> Self {
        let recorded = &exchange.response;
        let streamed =
            ["eventstream", "event-stream", "ndjson"].iter().any(|kind| recorded.content_type.contains(kind));
        let framing = if streamed { Framing::Chunked } else { Framing::ContentLength };
        Self::new(recorded.status).content_type(&recorded.content_type).body(recorded.body.clone()).framing(framing)
    }
}
