//! The program's certificates and proxy, which OAuth uses like the client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use http::header::WWW_AUTHENTICATE;
use http::{Method, StatusCode};
use strands_mcp::{ClientCredentials, McpClient, McpError, OAuth, OAuthClient};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::authorization_server::{Behavior, Servers};
use crate::messages;

fn by_secret() -> OAuth {
    OAuth::new(ClientCredentials::new(OAuthClient::with_secret("report", "secret")))
}

/// Listener for TLS with a self-signed certificate.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// Returns the listener, its URL and its certificate.
    async fn bind() -> (Self, String, String) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (Self { listener, acceptor }, url, certified.cert.pem())
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn trusts_the_programs_certificates() {
    let (listener, issuer, pem) = TlsListener::bind().await;
    let servers = Servers::start_at(Behavior::default(), listener, issuer).await;
    let client = || McpClient::http(&servers.server).oauth(by_secret());

    let error = client().connect().await.unwrap_err();
    assert!(matches!(error, McpError::Unauthorized { .. }), "{error:?}");
    assert_eq!(servers.token_requests(), 0);

    client().trust_pem(pem).connect().await.unwrap_or_else(|error| panic!("{}", messages(&error)));
    assert_eq!(servers.token_requests(), 1);
}

/// A proxy that responds for the server, with a challenge, and counts the requests of OAuth.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let router = Router::new().fallback(move |request: Request| {
        let counter = Arc::clone(&counter);
        async move {
            // A request to a proxy has the whole URL.
            assert!(request.uri().authority().is_some(), "{:?}", request.uri());
            if request.method() == Method::POST {
                return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
            }
            counter.fetch_add(1, Ordering::SeqCst);
            StatusCode::BAD_GATEWAY.into_response()
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, requests)
}

#[tokio::test]
async fn sends_its_requests_through_the_programs_proxy() {
    let servers = Servers::start(Behavior::default()).await;
    let (url, requests) = proxy().await;
    let client = McpClient::http(&servers.server).proxy(url).oauth(by_secret());

    assert!(client.connect().await.is_err());

    assert!(requests.load(Ordering::SeqCst) > 0);
    assert_eq!(servers.seen.lock().unwrap().discoveries, 0);
}
