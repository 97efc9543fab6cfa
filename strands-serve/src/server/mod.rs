//! HTTP server: listening, limits of connections, TLS, signals and graceful shutdown.
//!
//! It is built on hyper's connections directly. axum-server has no limit of connections, no timeout for idle HTTP/2
//! connections or for clients that stop reading, and resets connections that wait in the listener's queue when it stops.

mod activity;
mod connection;
mod error;
mod listening;
mod request;
mod response_body;
mod socket;
mod stop;
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, ToSocketAddrs, lookup_host};

use activity::Timeouts;
use connection::HeaderLimits;
pub use error::ServerError;
use listening::Listening;
use stop::Signals;
pub use stop::stop_signal;

/// Longest timeout, 100 years: that long from now is still a time, and so `Duration::MAX` means none.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// HTTP/1.1 and HTTP/2 server for an [`axum::Router`], with bounds for everything that a client can occupy.
///
/// ```no_run
/// use std::time::Duration;
/// use strands::serve::Server;
///
/// # use strands::serve::{AgentService, http::HttpHost, http::DevelopmentIdentity};
/// # async fn example(service: AgentService, authentication: DevelopmentIdentity) -> Result<(), Box<dyn std::error::Error>> {
/// let router = HttpHost::new(service.clone(), authentication).into_router();
/// let server = Server::bind("127.0.0.1:8080").await?.drain_timeout(Duration::from_secs(60));
/// eprintln!("listening on http://{}", server.local_addr());
/// server.serve(router, |timeout| service.shutdown(timeout)).await?;
/// # Ok(()) }
/// ```
///
/// Without [`tls`](Self::tls) it expects a reverse proxy that adds TLS, or a loopback address.
#[must_use]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    timeouts: Timeouts,
    headers: HeaderLimits,
    max_connections: usize,
    drain_timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<tls::TlsFiles>,
}

/// End of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ServerEnd {
    /// All requests got their responses.
    Drained,
    /// Connections were still open a few seconds after the deadline, and were closed.
    DeadlinePassed,
    /// A second signal ended the server at once.
    SecondSignal,
}

impl Server {
    /// Listens on an address, such as `"127.0.0.1:8080"`; port 0 picks a free one. Clients can connect from now on, and are
    /// served by [`serve`](Self::serve).
    ///
    /// # Errors
    ///
    /// Returns [`ServerError::Address`] if it is not an address, and [`ServerError::AddressInUse`],
    /// [`ServerError::NotAllowed`] or [`ServerError::Listen`] if listening fails.
    pub async fn bind(address: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ServerError> {
        let unknown = |source| ServerError::Address { address: format!("{address:?}").replace('"', ""), source };
        let mut failure = unknown(io::Error::new(io::ErrorKind::NotFound, "no address"));
        for candidate in lookup_host(&address).await.map_err(unknown)? {
            let listening = TcpListener::bind(candidate).await;
            match listening.and_then(|listener| Ok((listener.local_addr()?, listener))) {
                Ok((address, listener)) => return Ok(Self::new(listener, address)),
                Err(error) => failure = ServerError::listen(candidate, error),
            }
        }
        Err(failure)
    }

    fn new(listener: TcpListener, address: SocketAddr) -> Self {
        Self {
            listener,
            address,
            timeouts: Timeouts {
                header: Duration::from_secs(10),
                body: Duration::from_secs(60),
                idle: Duration::from_secs(75),
                write: Duration::from_secs(30),
            },
            headers: HeaderLimits { bytes: 32 * 1024, count: 100, streams: 100 },
            max_connections: 8192,
            drain_timeout: Duration::from_secs(20),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Returns the address on which the server listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves HTTPS with these certificates, instead of plain HTTP. TLS 1.2 and 1.3; the versions of HTTP by ALPN.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, files: tls::TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Sets the timeout of a request's header, from its first byte on, and of the TLS handshake. A slower connection is closed.
    /// Default: 10 seconds.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.header = timeout.min(LONGEST);
        self
    }

    /// Sets the timeout of a request's whole body. A slower request gets status 408. Default: 60 seconds.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.body = timeout.min(LONGEST);
        self
    }

    /// Sets the longest wait for the next request of a connection. Default: 75 seconds. It should be longer than that of a load
    /// balancer in front, which would otherwise send requests to connections that are being closed.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.idle = timeout.min(LONGEST);
        self
    }

    /// Sets the longest wait for a client that does not read its response: then its connection is closed, or on HTTP/2 that response
    /// alone ends. Default: 30 seconds.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.write = timeout.min(LONGEST);
        self
    }

    /// Sets the maximum size of a request's header, in bytes. A larger one gets status 431. Default: 32 KiB; at least 8 KiB.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.headers.bytes = bytes;
        self
    }

    /// Sets the maximum number of lines in a request's HTTP/1.1 header. More get status 431. Default: 100.
    pub fn max_headers(mut self, count: usize) -> Self {
        self.headers.count = count;
        self
    }

    /// Sets the maximum number of concurrent requests on one HTTP/2 connection. Default: 100.
    pub fn max_streams(mut self, streams: u32) -> Self {
        self.headers.streams = streams;
        self
    }

    /// Sets the maximum number of open connections. Further ones wait in the queue of the operating system until one is closed.
    /// Default: 8192. Each needs a file descriptor: see `ulimit -n`.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.clamp(1, u32::MAX as usize / 16);
        self
    }

    /// Sets the time that running requests have to finish after a signal to stop. Default: 20 seconds. With the 10 seconds for
    /// cancelled turns and last responses, that is the time after which Kubernetes kills a process.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout.min(LONGEST);
        self
    }

    /// Serves until SIGTERM or Ctrl-C, then shuts down gracefully:
    ///
    /// 1. `drain` is called with the [drain timeout](Self::drain_timeout): with [`AgentService::shutdown`](crate::AgentService::shutdown),
    ///    new turns are refused, `/readyz` has status 503, and turns that still run after that time are cancelled.
    /// 2. The listener is closed. Connections are closed as soon as they have no request in progress.
    /// 3. When `drain` has completed, or 6 seconds after the drain timeout, connections have 4 more seconds for their last
    ///    responses. The rest is closed.
    ///
    /// A second signal ends the server at once.
    ///
    /// # Errors
    ///
    /// Returns [`ServerError::Signals`] if signals can't be received.
    pub async fn serve<D, F>(self, router: Router, drain: D) -> Result<ServerEnd, ServerError>
    where
        D: FnOnce(Duration) -> F,
        F: Future,
    {
        let mut signals = Signals::new().map_err(|source| ServerError::Signals { source })?;
        let mut listening = Listening::new(self, router);
        tokio::select! {
            () = listening.accept() => (),
            () = signals.next() => (),
        }
        tracing::info!("stopping; a second signal ends the server at once");
        tokio::select! {
            end = listening.stop(drain) => Ok(end),
            () = signals.next() => Ok(ServerEnd::SecondSignal),
        }
    }

    /// Serves until `stop` completes, then shuts down as [`serve`](Self::serve) does. Signals are left to the program.
    pub async fn serve_with<D, F>(self, router: Router, drain: D, stop: impl Future<Output = ()>) -> ServerEnd
    where
        D: FnOnce(Duration) -> F,
        F: Future,
    {
        let mut listening = Listening::new(self, router);
        tokio::select! {
            () = listening.accept() => (),
            () = stop => (),
        }
        listening.stop(drain).await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
