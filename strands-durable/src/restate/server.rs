//! Server of an endpoint on HTTP/2.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use restate_sdk::endpoint::Endpoint;
use restate_sdk::hyper::HyperEndpoint;
use tokio::net::TcpListener;

/// Maximum number of concurrent turns on one connection. For more, the server opens other connections, which a balancer distributes
/// to workers.
const MAX_STREAMS: u32 = 64;

/// Interval of pings to the server, so that turns of a server that is gone end here.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Wait before the next connection if none can be accepted, such as without free file descriptors.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// Time for turns to end after the shutdown has begun.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves an endpoint until the shutdown future completes. Running turns then have 10 seconds to end; the engine continues the
/// others in another worker.
///
/// In contrast to the SDK's `HttpServer`, connections have `TCP_NODELAY`: without it, the small messages of a step wait for
/// acknowledgements of up to 40 ms.
pub async fn serve(listener: TcpListener, endpoint: Endpoint, shutdown: impl Future<Output = ()>) {
    let service = HyperEndpoint::new(endpoint);
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_DELAY).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).max_concurrent_streams(MAX_STREAMS);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the server failed");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("turns were still running at the end of the shutdown; the server continues them elsewhere");
    }
}
