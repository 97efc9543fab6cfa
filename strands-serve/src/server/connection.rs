//! One connection: handshake, requests, timeouts, and its end when the server stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Timeouts};
use super::request::respond;
use super::socket::Socket;

/// Time for which a connection without a request stays open when the server stops: its request may be on the way.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// hyper's smallest limit of a header.
const LEAST_HEADER_BYTES: usize = 8 * 1024;
/// Bytes of one HTTP/2 response that wait for the client. The default of hyper is 400 KiB.
const SEND_BUFFER: usize = 64 * 1024;
/// Interval and timeout of pings on HTTP/2.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Limits of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderLimits {
    pub(super) bytes: usize,
    pub(super) count: usize,
    pub(super) streams: u32,
}

/// Values that all connections share.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) router: Router,
    pub(super) http: Arc<Builder<TokioExecutor>>,
    pub(super) timeouts: Timeouts,
    pub(super) stop: CancellationToken,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::TlsFiles>,
}

/// Returns the settings of HTTP/1.1 and HTTP/2.
pub(super) fn http(limits: HeaderLimits) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    let header_bytes = limits.bytes.max(LEAST_HEADER_BYTES);
    http.http1()
        .timer(TokioTimer::new())
        // See `Activity`.
        .header_read_timeout(None)
        .max_headers(limits.count)
        .max_buf_size(header_bytes);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    http
}

impl Connections {
    /// Serves a connection until it ends. A client that fails is no error of the server.
    pub(super) async fn serve(self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        // Events of a stream are small, and must not wait for each other.
        let _ = stream.set_nodelay(true);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let acceptor = tokio_rustls::TlsAcceptor::from(tls.current());
            match tokio::time::timeout(self.timeouts.header, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.http(stream, peer, permit).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
            }
            return;
        }
        self.http(stream, peer, permit).await;
    }

    async fn http<S>(self, stream: S, peer: SocketAddr, permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let socket = Socket::new(stream, Arc::clone(&activity), self.timeouts.write, permit);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let (router, activity) = (self.router.clone(), Arc::clone(&activity));
            let body_timeout = self.timeouts.body;
            async move { Ok::<_, Infallible>(respond(router, request, &activity, body_timeout).await) }
        });
        let mut connection = pin!(self.http.serve_connection_with_upgrades(TokioIo::new(socket), service));
        let stopping = async {
            self.stop.cancelled().await;
            let _ = tokio::time::timeout(FIRST_REQUEST, activity.first_request()).await;
        };
        let mut stopping = pin!(stopping);
        let mut is_stopping = false;
        let mut check = activity.next_check(Instant::now(), &self.timeouts);
        while let Some(at) = check {
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(%peer, %error, "connection failed");
                    }
                    return;
                }
                () = &mut stopping, if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(at) => {
                    activity.release_stalled(Instant::now(), self.timeouts.write);
                    check = activity.next_check(Instant::now(), &self.timeouts);
                }
            }
        }
        tracing::debug!(%peer, "connection closed: no request in time");
    }
}
