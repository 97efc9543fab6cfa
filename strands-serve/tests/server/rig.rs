//! A server in a task, and raw connections to it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use strands_serve::{Server, ServerEnd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower_http::limit::RequestBodyLimitLayer;

pub(crate) const SOON: Duration = Duration::from_millis(300);
/// Longer than anything that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<ServerEnd>,
}

impl Running {
    /// Serves with a drain that has nothing to wait for.
    pub(crate) async fn start(options: impl FnOnce(Server) -> Server) -> Self {
        Self::draining(options, |_| async {}).await
    }

    pub(crate) async fn draining<D, F>(options: impl FnOnce(Server) -> Server, drain: D) -> Self
    where
        D: FnOnce(Duration) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let server = options(Server::bind("127.0.0.1:0").await.unwrap());
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve_with(router(), drain, async {
            let _ = stopped.await;
        }));
        Self { address, stop, task }
    }

    pub(crate) fn stop(self) -> JoinHandle<ServerEnd> {
        self.stop.send(()).unwrap();
        self.task
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection, and returns all that comes back until the server closes it.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may close while the client still sends.
        let _ = stream.write_all(request.as_ref()).await;
        rest(&mut stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await
    }
}

/// Returns all that a connection sends until it is closed.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/after", get(after))
        .route("/stream", get(stream))
        .route("/held", get(held))
        .route("/panic", get(panics))
        .layer(RequestBodyLimitLayer::new(2 * 1024 * 1024))
}

/// Responds after some milliseconds.
async fn after(axum::extract::RawQuery(query): axum::extract::RawQuery) -> &'static str {
    sleep(Duration::from_millis(query.unwrap().parse().unwrap())).await;
    "done"
}

/// Responds without an end.
async fn stream() -> Body {
    Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 65536]))))
}

/// Number of bodies of `/held` in memory.
pub(crate) static HELD: AtomicUsize = AtomicUsize::new(0);

struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Responds without an end, and counts the bodies.
async fn held() -> Body {
    HELD.fetch_add(1, Ordering::SeqCst);
    let held = Held;
    Body::from_stream(futures_util::stream::repeat_with(move || {
        let _ = &held;
        Ok::<_, Infallible>(Bytes::from_static(b"x"))
    }))
}

async fn panics() {
    panic!("secret")
}
