//! Accepting connections, and the sequence of a graceful shutdown.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connection::{Connections, http};
use super::{Server, ServerEnd};

/// Wait after an error of the listener, for example when there are no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time for work to end that is cancelled at the deadline: more than the service gives cancelled turns.
const CANCELLATION: Duration = Duration::from_secs(6);
/// Time for the last responses, after all work has ended.
const LAST_RESPONSES: Duration = Duration::from_secs(4);
/// Maximum number of connections that are taken from the queue of a listener before it is closed.
const MOST_WAITING: usize = 4096;

/// A server that accepts connections. Dropping it closes all of them.
pub(super) struct Listening {
    listener: TcpListener,
    connections: Connections,
    permits: Arc<Semaphore>,
    max_connections: usize,
    drain_timeout: Duration,
    tasks: JoinSet<()>,
    _reload: JoinSet<()>,
}

impl Listening {
    pub(super) fn new(server: Server, router: Router) -> Self {
        #[allow(unused_mut)]
        let mut reload = JoinSet::new();
        #[cfg(feature = "tls")]
        if let Some(tls) = &server.tls {
            reload.spawn(tls.clone().reload_on_changes());
        }
        Self {
            listener: server.listener,
            connections: Connections {
                router,
                http: Arc::new(http(server.headers)),
                timeouts: server.timeouts,
                stop: CancellationToken::new(),
                #[cfg(feature = "tls")]
                tls: server.tls,
            },
            permits: Arc::new(Semaphore::new(server.max_connections)),
            max_connections: server.max_connections,
            drain_timeout: server.drain_timeout,
            tasks: JoinSet::new(),
            _reload: reload,
        }
    }

    /// Accepts connections; never returns.
    pub(super) async fn accept(&mut self) {
        loop {
            let permit = self.permit().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.tasks.spawn(self.connections.clone().serve(stream, peer, permit));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "can't accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Waits until there may be one more connection.
    async fn permit(&self) -> OwnedSemaphorePermit {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return permit;
        }
        tracing::warn!(connections = self.max_connections, "the limit of connections is reached; further ones wait");
        match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Shuts down gracefully.
    pub(super) async fn stop<D, F>(mut self, drain: D) -> ServerEnd
    where
        D: FnOnce(Duration) -> F,
        F: Future,
    {
        let deadline = Instant::now() + self.drain_timeout;
        let mut draining = pin!(drain(self.drain_timeout));
        // The first poll refuses new work, so that connections which are accepted from now on are told to come back.
        let is_drained = poll_fn(|cx| Poll::Ready(draining.as_mut().poll(cx).is_ready())).await;
        for (stream, peer) in Self::close(self.listener) {
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { break };
            self.tasks.spawn(self.connections.clone().serve(stream, peer, permit));
        }
        self.connections.stop.cancel();
        if !is_drained && timeout_at(deadline + CANCELLATION, draining).await.is_err() {
            tracing::warn!("work has not ended at the deadline, and is dropped");
        }
        let all = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
        // An upgraded connection has no task here, but its permit.
        match timeout(LAST_RESPONSES, self.permits.acquire_many(all)).await {
            Ok(_) => ServerEnd::Drained,
            Err(_) => ServerEnd::DeadlinePassed,
        }
    }

    /// Closes the listener, and returns the connections that waited in its queue: the operating system would reset them.
    fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
        // `poll_accept` of tokio would have to wait for an event.
        let Ok(listener) = listener.into_std() else { return Vec::new() };
        let waiting = std::iter::from_fn(|| listener.accept().ok());
        waiting
            .filter_map(|(stream, peer)| {
                stream.set_nonblocking(true).ok()?;
                Some((TcpStream::from_std(stream).ok()?, peer))
            })
            .take(MOST_WAITING)
            .collect()
    }
}
