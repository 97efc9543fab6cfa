//! Redirects to a loopback address: how a program on the user's computer receives the response to an authorization.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

use super::discovery::parameter;

/// Limit of a user's visit.
const VISIT_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Limit of one connection. Browsers open some that they don't use.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 16;
const MOST_HEAD_BYTES: usize = 16 * 1024;

const DONE: &str = "The authorization is complete. You can close this page.";
const NOT_FOUND: &str = "This is not the page of an authorization that is under way.";

/// An address for redirects.
#[derive(Clone, Copy)]
pub(super) struct Loopback {
    port: u16,
}

impl Loopback {
    pub(super) fn new(port: u16) -> Self {
        Self { port }
    }

    pub(super) fn redirect_uri(self) -> String {
        // RFC 8252 advises against `localhost`, which may be another address.
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Listens, lets the user visit a URL, and returns the URL of the redirect with the same state.
    pub(super) async fn visit(self, url: String, open: impl FnOnce(&str)) -> io::Result<String> {
        let state = Url::parse(&url).ok().and_then(|url| parameter(&url, "state"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        open(&url);
        let redirected = timeout(VISIT_TIMEOUT, self.redirect(&listener, state.as_deref())).await;
        redirected
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the user did not authorize in time")))
    }

    async fn redirect(self, listener: &TcpListener, state: Option<&str>) -> io::Result<String> {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                    connections.push(timeout(CONNECTION_TIMEOUT, self.serve(accepted?.0, state)));
                }
                Some(served) = connections.next() => {
                    if let Ok(Ok(Some(redirect))) = served {
                        return Ok(redirect);
                    }
                }
            }
        }
    }

    /// Serves one request. Returns the URL of the redirect if it is one.
    async fn serve(self, mut stream: TcpStream, state: Option<&str>) -> io::Result<Option<String>> {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if head.len() > MOST_HEAD_BYTES || stream.read_buf(&mut head).await? == 0 {
                return Ok(None);
            }
        }
        let redirect = self.target(&head).filter(|redirect| parameter(redirect, "state").as_deref() == state);
        let (status, text) = if redirect.is_some() { ("200 OK", DONE) } else { ("404 Not Found", NOT_FOUND) };
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}",
            text.len(),
        );
        // The authorization is complete also if the browser is gone.
        if stream.write_all(response.as_bytes()).await.is_ok() {
            let _ = stream.shutdown().await;
        }
        Ok(redirect.map(Url::into))
    }

    /// URL that a request for the redirect URI is for.
    fn target(self, head: &[u8]) -> Option<Url> {
        let line = head.split(|byte| *byte == b'\r').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return None };
        let (path, query) = target.split_once('?')?;
        let mut url = Url::parse(&self.redirect_uri()).ok()?;
        url.set_query(Some(query));
        (path == url.path()).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    async fn free_port() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port()
    }

    async fn get(port: u16, target: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn returns_the_redirect_with_the_state_of_the_authorization() {
        let port = free_port().await;
        let (opened, opens) = oneshot::channel();
        let visit = Loopback::new(port).visit("https://as.example.com/authorize?state=right".to_owned(), |url| {
            opened.send(url.to_owned()).unwrap();
        });
        let visit = tokio::spawn(visit);
        assert_eq!(opens.await.unwrap(), "https://as.example.com/authorize?state=right");

        // A connection that a browser opens and does not use.
        let _idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        for target in ["/favicon.ico", "/callback", "/callback?code=1&state=wrong", "/other?code=1&state=right"] {
            assert!(get(port, target).await.starts_with("HTTP/1.1 404"), "{target}");
        }
        assert!(get(port, "/callback?code=1&state=right&iss=a%26b").await.starts_with("HTTP/1.1 200"));

        let redirect = visit.await.unwrap().unwrap();
        assert_eq!(redirect, format!("http://127.0.0.1:{port}/callback?code=1&state=right&iss=a%26b"));
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error() {
        let port = free_port().await;
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let visit = Loopback::new(port).visit("https://as.example.com/".to_owned(), |_| panic!("opened"));
        assert_eq!(visit.await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn endless_requests_are_cut() {
        let port = free_port().await;
        let visit = tokio::spawn(Loopback::new(port).visit("https://as.example.com/?state=s".to_owned(), |_| {}));
        tokio::task::yield_now().await;
        let mut stream = loop {
            if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                break stream;
            }
            tokio::task::yield_now().await;
        };
        let sent = timeout(Duration::from_secs(5), async { while stream.write_all(&[b'a'; 4096]).await.is_ok() {} });
        assert!(sent.await.is_ok());
        visit.abort();
    }
}
