//! Loopback server: takes requests, responds from a script, and reports events to the test.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::delivery::Outcome;
use crate::recording::Recording;
use crate::request::{Connection, ReadError, Request};
use crate::response::{Message, Response};

/// Maximum time that a test waits for an event before it fails instead of hanging.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP/1.1 server on `127.0.0.1`, on its own port, for the lifetime of this value.
///
/// It runs on the runtime on which it was started. Dropping it closes its port and all connections.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

/// Counts of a [`Server`]'s events so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: usize,
    /// Accepted connections that are closed by now.
    pub closed: usize,
    /// Requests read completely.
    pub requests: usize,
    /// Responses written as scripted.
    pub completed: usize,
    /// Times that a response reached a gate or a stall.
    pub stalled: usize,
    /// Responses that the client abandoned.
    pub client_gone: usize,
    /// Connections that sent something else than HTTP, such as a TLS handshake.
    pub malformed: usize,
}

struct State {
    script: Mutex<Script>,
    requests: Mutex<Vec<Request>>,
    counts: watch::Sender<Counts>,
}

enum Script {
    Sequence(VecDeque<Response>),
    Repeat(Response),
    Handler(Arc<Handler>),
}

type Handler = dyn Fn(&Request) -> Response + Send + Sync;

impl Server {
    /// Sends the first response for the first request, and so on, over all connections. Requests beyond the last
    /// response get status 501, which no client retries, and a body that says so.
    pub async fn sequence(responses: impl IntoIterator<Item = Response>) -> Self {
        Self::start(Script::Sequence(responses.into_iter().collect())).await
    }

    /// Sends the same response for every request.
    pub async fn repeat(response: Response) -> Self {
        Self::start(Script::Repeat(response)).await
    }

    /// Sends the response that the function returns for each request.
    pub async fn handler(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::start(Script::Handler(Arc::new(handler))).await
    }

    /// Sends the responses of a recording, in order.
    pub async fn replay(recording: &Recording) -> Self {
        Self::sequence(recording.exchanges.iter().map(Response::from)).await
    }

    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap_or_else(|error| panic!("binding a loopback port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("asking for the bound port: {error}"));
        let state = Arc::new(State {
            script: Mutex::new(script),
            requests: Mutex::new(Vec::new()),
            counts: watch::Sender::new(Counts::default()),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Self { address, state, accepting }
    }

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the same port as `https://`: the handshake gets a plain-text response and fails.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns every request so far, in the order of completion.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }

    /// Returns the counts of events so far.
    pub fn counts(&self) -> Counts {
        *self.state.counts.borrow()
    }

    /// Waits until a response reaches a stall or a gate: all preceding bytes were written.
    pub async fn stalled(&self) {
        self.wait_until("a response to stall", |counts| counts.stalled > 0).await;
    }

    /// Waits until a client abandons a response.
    pub async fn client_gone(&self) {
        self.wait_until("a client to go away", |counts| counts.client_gone > 0).await;
    }

    /// Returns the number of open connections.
    pub fn open_connections(&self) -> usize {
        let Counts { connections, closed, .. } = self.counts();
        connections - closed
    }

    /// Waits until the requests of a killed client have been handled, including those that it sent just before. `open` connections
    /// were open before the client connected. The server gets one request more.
    ///
    /// # Errors
    ///
    /// Returns the error of a connection to the server.
    pub async fn settled(&self, open: usize) -> std::io::Result<()> {
        // Connections are accepted in their order: those of the client come before this one.
        let mut last = TcpStream::connect(self.address).await?;
        last.write_all(b"GET / HTTP/1.1\r\nhost: last\r\nconnection: close\r\n\r\n").await?;
        last.read_to_end(&mut Vec::new()).await?;
        drop(last);
        self.wait_until("connections to close", |counts| counts.connections - counts.closed <= open).await;
        Ok(())
    }

    /// Waits until the condition holds. Panics with `what` after 30 seconds.
    pub async fn wait_until(&self, what: &str, condition: impl Fn(&Counts) -> bool) {
        let mut counts = self.state.counts.subscribe();
        // This server holds the sender, so only the deadline can fail.
        if tokio::time::timeout(TEST_TIMEOUT, counts.wait_for(|counts| condition(counts))).await.is_err() {
            panic!("waited {TEST_TIMEOUT:?} for {what}: {:?}", self.counts());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address).field("counts", &self.counts()).finish()
    }
}

impl State {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    /// Records the request and picks its response.
    fn respond(&self, mut request: Request) -> Response {
        let mut requests = lock(&self.requests);
        request.index = requests.len();
        requests.push(request.clone());
        drop(requests);
        self.count(|counts| counts.requests += 1);
        let handler = match &mut *lock(&self.script) {
            Script::Sequence(responses) => {
                return responses.pop_front().unwrap_or_else(|| {
                    let Request { index, method, path, .. } = &request;
                    let text = format!("the script has no response for request {index}: {method} {path}");
                    Response::new(501).content_type("text/plain").body(text)
                });
            }
            Script::Repeat(response) => return response.clone(),
            Script::Handler(handler) => Arc::clone(handler),
        };
        handler(&request)
    }
}

/// Accepts connections. This task owns them, so they end with it.
async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                state.count(|counts| counts.connections += 1);
                connections.spawn(serve(stream, number, Arc::clone(&state)));
                number += 1;
            }
            Some(_) = connections.join_next() => state.count(|counts| counts.closed += 1),
        }
    }
}

async fn serve(stream: TcpStream, number: usize, state: Arc<State>) {
    // Without it the kernel joins small chunks before it sends them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut connection = Connection::new(stream, number);
    loop {
        let request = match connection.read_request().await {
            Ok(Some(request)) => request,
            Ok(None) | Err(ReadError::Io) => return,
            Err(ReadError::Malformed) => {
                state.count(|counts| counts.malformed += 1);
                // The client may have closed the connection already.
                let _ =
                    connection.stream.write_all(b"HTTP/1.1 400 \r\nconnection: close\r\n\r\nthis is not HTTP").await;
                return;
            }
        };
        let keeps_alive = request.keeps_alive();
        let head_only = request.method == "HEAD";
        let response = state.respond(request);
        let bodyless = head_only || matches!(response.message, Message::Http { status: 204 | 304, .. });
        let stalled = || state.count(|counts| counts.stalled += 1);
        match connection.deliver(&response, bodyless, stalled).await {
            Outcome::ClientGone => return state.count(|counts| counts.client_gone += 1),
            Outcome::KeepAlive if keeps_alive => state.count(|counts| counts.completed += 1),
            Outcome::KeepAlive | Outcome::Close => {
                return state.count(|counts| counts.completed += 1);
            }
        }
    }
}

/// Ignores poisoning, so that the panic of another test keeps its message.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
