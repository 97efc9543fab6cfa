//! Requests that a client sent: read from the socket, recorded for assertions, with credentials redacted.

use std::fmt;
use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Maximum length of a head, in bytes.
const MAX_HEAD: usize = 256 * 1024;
/// Maximum length of a body, in bytes.
const MAX_BODY: usize = 1024 * 1024 * 1024;
/// Maximum number of headers.
const MAX_HEADERS: usize = 128;
/// Replacement for a credential.
const REDACTED: &str = "[redacted]";

/// Headers that carry credentials.
const SECRET_HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
];
/// Query parameters that carry credentials.
const SECRET_PARAMETERS: [&str; 5] = ["key", "api_key", "access_token", "X-Amz-Signature", "X-Amz-Security-Token"];

/// A request that a [`Server`](crate::Server) received.
///
/// Credentials read `[redacted]`, in the fields as in `Debug`, so that a failing assertion prints none;
/// [`sends_credential`](Self::sends_credential) compares them.
#[derive(Clone, Debug)]
pub struct Request {
    /// Zero-based index among all requests of the server.
    pub index: usize,
    /// Zero-based number of the connection: equal numbers mean that a connection was reused.
    pub connection: usize,
    /// HTTP method.
    pub method: String,
    /// Path as sent, percent-encoding included, without the query.
    pub path: String,
    /// Query parameters in order, decoded.
    pub query: Vec<(String, String)>,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, with chunked encoding decoded.
    pub body: Bytes,
    /// Headers and parameters that were redacted.
    credentials: Vec<(String, Credential)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Credential(String);

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Request {
    /// Returns the first header with this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first query parameter with this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True if a redacted header or query parameter had exactly this value, such as `Bearer …` in `authorization`.
    pub fn sends_credential(&self, name: &str, value: &str) -> bool {
        self.credentials.iter().any(|(key, credential)| key == name && credential.0 == value)
    }

    /// Parses the body as JSON. Panics with the body if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} {}: the body is not JSON: {error}: {:?}", self.method, self.path, self.body)
        })
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        !self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// An error returned when no request can be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The bytes are not HTTP; a TLS handshake, for instance.
    Malformed,
    /// The connection failed.
    Io,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// One connection, with the bytes that were read but not yet used.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    buffer: BytesMut,
    number: usize,
}

/// The head of a request, and the framing of its body.
struct Head {
    request: Request,
    length: usize,
    chunked: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, number: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), number }
    }

    /// Reads the next request; `None` if the client closed the connection between two requests.
    pub(crate) async fn read_request(&mut self) -> Result<Option<Request>, ReadError> {
        let head = loop {
            if let Some(head) = parse_head(&mut self.buffer)? {
                break head;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(ReadError::Malformed);
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(ReadError::Io) };
            }
        };
        let mut request = head.request;
        request.connection = self.number;
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = if head.chunked { self.read_chunked().await? } else { self.read_exact(head.length).await? };
        Ok(Some(request))
    }

    /// Reads the available bytes; 0 means that the client has closed the connection.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(16 * 1024);
        self.stream.read_buf(&mut self.buffer).await
    }

    async fn read_exact(&mut self, length: usize) -> Result<Bytes, ReadError> {
        if length > MAX_BODY {
            return Err(ReadError::Malformed);
        }
        while self.buffer.len() < length {
            if self.fill().await? == 0 {
                return Err(ReadError::Io);
            }
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn read_chunked(&mut self) -> Result<Bytes, ReadError> {
        let mut body = BytesMut::new();
        loop {
            let line = self.read_line().await?;
            let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(size)
                .ok()
                .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok())
                .ok_or(ReadError::Malformed)?;
            if size == 0 {
                while !self.read_line().await?.is_empty() {}
                return Ok(body.freeze());
            }
            if size > MAX_BODY - body.len() {
                return Err(ReadError::Malformed);
            }
            body.extend_from_slice(&self.read_exact(size).await?);
            if !self.read_line().await?.is_empty() {
                return Err(ReadError::Malformed);
            }
        }
    }

    /// Reads the next line, without its line ending.
    async fn read_line(&mut self) -> Result<Bytes, ReadError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(2);
                return Ok(line);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(ReadError::Malformed);
            }
            if self.fill().await? == 0 {
                return Err(ReadError::Io);
            }
        }
    }
}

/// Takes a complete head from the buffer.
fn parse_head(buffer: &mut BytesMut) -> Result<Option<Head>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let consumed = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Malformed),
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut head = Head {
        request: Request {
            index: 0,
            connection: 0,
            method: parsed.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            credentials: Vec::new(),
        },
        length: 0,
        chunked: false,
    };
    let request = &mut head.request;
    for header in parsed.headers.iter() {
        let name = header.name.to_ascii_lowercase();
        let value = String::from_utf8_lossy(header.value).into_owned();
        match name.as_str() {
            "content-length" => {
                head.length = value.trim().parse().map_err(|_| ReadError::Malformed)?;
            }
            "transfer-encoding" => head.chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
        let value = if SECRET_HEADERS.contains(&name.as_str()) {
            request.credentials.push((name.clone(), Credential(value)));
            REDACTED.to_owned()
        } else {
            value
        };
        request.headers.push((name, value));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode(name), percent_decode(value));
        let value = if SECRET_PARAMETERS.contains(&name.as_str()) {
            request.credentials.push((name.clone(), Credential(value)));
            REDACTED.to_owned()
        } else {
            value
        };
        request.query.push((name, value));
    }
    buffer.advance(consumed);
    Ok(Some(head))
}

pub(crate) fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
                    decoded.push(high << 4 | low);
                    rest = after;
                } else {
                    decoded.push(b'%');
                }
            }
            _ => decoded.push(*first),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, ReadError> {
        parse_head(&mut BytesMut::from(text))
    }

    #[test]
    fn redacts_credentials_and_compares_them() {
        let text = "POST /v1?key=k-123&alt=sse HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nAccept: */*\r\n\r\n";
        let request = head(text).unwrap().unwrap().request;
        assert!(request.sends_credential("authorization", "Bearer s3cret"));
        assert!(!request.sends_credential("authorization", "Bearer other"));
        assert!(request.sends_credential("key", "k-123"));
        assert_eq!(request.header("authorization"), Some(REDACTED));
        assert_eq!(request.parameter("alt"), Some("sse"));
        let printed = format!("{request:?}");
        assert!(!printed.contains("s3cret") && !printed.contains("k-123"), "{printed}");
    }

    #[test]
    fn waits_for_a_complete_head() {
        let text = "GET /a%3A0?q=a+b%20c&broken=%zz HTTP/1.1\r\ncontent-length: 4\r\n\r\n";
        for length in 0..text.len() {
            assert!(matches!(head(text.get(..length).unwrap()), Ok(None)), "{length} bytes");
        }
        let head = head(text).unwrap().unwrap();
        assert_eq!((head.length, head.chunked), (4, false));
        assert_eq!(head.request.path, "/a%3A0");
        assert_eq!(head.request.parameter("q"), Some("a b c"));
        assert_eq!(head.request.parameter("broken"), Some("%zz"));
    }

    #[test]
    fn rejects_a_tls_handshake() {
        assert!(matches!(parse_head(&mut BytesMut::from(&[22u8, 3, 1, 2, 0, 1][..])), Err(ReadError::Malformed)));
    }
}
