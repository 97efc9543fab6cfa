//! Addresses that fail before HTTP begins.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
use tokio::net::TcpStream;
use tokio::net::{TcpListener, TcpSocket};

/// A port that refuses connections for the lifetime of this value.
///
/// It is bound but does not listen, so that no other process can take it.
#[derive(Debug)]
pub struct RefusedPort {
    address: SocketAddr,
    _bound: TcpSocket,
}

impl RefusedPort {
    /// Binds a loopback port.
    pub fn bind() -> Self {
        let (socket, address) = bound_socket();
        Self { address, _bound: socket }
    }

    /// Returns `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address of the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A port whose connections are never established: an attempt neither succeeds nor fails, so only a connect timeout
/// ends it. Linux only: on other systems a full queue refuses connections, or is never full.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct UnansweredPort {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: TcpStream,
}

#[cfg(target_os = "linux")]
impl UnansweredPort {
    /// Binds a port and fills its queue of pending connections; the kernel ignores further attempts.
    pub async fn bind() -> Self {
        let (socket, address) = bound_socket();
        let listener = socket.listen(0).unwrap_or_else(|error| panic!("listening on {address}: {error}"));
        // A queue of length 0 holds one connection.
        let waiting =
            TcpStream::connect(address).await.unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
        Self { address, _listener: listener, _waiting: waiting }
    }

    /// Returns `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address of the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A port that accepts connections and never sends a byte, neither to TLS handshakes nor to requests.
#[derive(Debug)]
pub struct SilentPort {
    address: SocketAddr,
    _listener: TcpListener,
}

impl SilentPort {
    /// Binds a loopback port; the kernel accepts up to 1024 connections, and none is served.
    pub fn bind() -> Self {
        let (socket, address) = bound_socket();
        let listener = socket.listen(1024).unwrap_or_else(|error| panic!("listening on {address}: {error}"));
        Self { address, _listener: listener }
    }

    /// Returns `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns `https://127.0.0.1:<port>`.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }
}

fn bound_socket() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap_or_else(|error| panic!("opening a socket: {error}"));
    let bound = socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).and_then(|()| socket.local_addr());
    let address = bound.unwrap_or_else(|error| panic!("binding a loopback port: {error}"));
    (socket, address)
}

#[cfg(feature = "tls")]
pub use tls::UntrustedTls;

#[cfg(feature = "tls")]
mod tls {
    //! TLS server with an untrusted certificate.

    use std::net::SocketAddr;
    use std::sync::Arc;

    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tokio::task::{AbortHandle, JoinSet};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use crate::server::TEST_TIMEOUT;

    /// A TLS server on loopback with a new self-signed certificate for `localhost` and `127.0.0.1`.
    ///
    /// A client that verifies certificates aborts the handshake; completed handshakes are counted.
    #[derive(Debug)]
    pub struct UntrustedTls {
        address: SocketAddr,
        outcomes: Arc<watch::Sender<(usize, usize)>>,
        accepting: AbortHandle,
    }

    impl UntrustedTls {
        /// Creates the certificate and starts listening.
        pub async fn start() -> Self {
            let acceptor = TlsAcceptor::from(Arc::new(config()));
            let listener = TcpListener::bind(("127.0.0.1", 0))
                .await
                .unwrap_or_else(|error| panic!("binding a loopback port: {error}"));
            let address = listener.local_addr().unwrap_or_else(|error| panic!("asking for the bound port: {error}"));
            let outcomes = Arc::new(watch::Sender::new((0, 0)));
            let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&outcomes))).abort_handle();
            Self { address, outcomes, accepting }
        }

        /// Returns `https://localhost:<port>`. The name matches the certificate, so only the missing trust is wrong.
        pub fn url(&self) -> String {
            format!("https://localhost:{}", self.address.port())
        }

        /// Returns the address of the server.
        pub fn address(&self) -> SocketAddr {
            self.address
        }

        /// Waits until a client has rejected the certificate.
        pub async fn rejected(&self) {
            let mut outcomes = self.outcomes.subscribe();
            if tokio::time::timeout(TEST_TIMEOUT, outcomes.wait_for(|(_, rejected)| *rejected > 0)).await.is_err() {
                panic!("waited {TEST_TIMEOUT:?} for a client to reject the certificate");
            }
        }

        /// Returns the number of clients that completed the handshake although the certificate is untrusted.
        pub fn trusted(&self) -> usize {
            self.outcomes.borrow().0
        }
    }

    impl Drop for UntrustedTls {
        fn drop(&mut self) {
            self.accepting.abort();
        }
    }

    async fn accept(listener: TcpListener, acceptor: TlsAcceptor, outcomes: Arc<watch::Sender<(usize, usize)>>) {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    handshakes.spawn(acceptor.accept(stream));
                }
                Some(Ok(handshake)) = handshakes.join_next() => outcomes.send_modify(|(trusted, rejected)| {
                    *(if handshake.is_ok() { trusted } else { rejected }) += 1;
                }),
            }
        }
    }

    fn config() -> ServerConfig {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .unwrap_or_else(|error| panic!("making a certificate: {error}"));
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key))
            .unwrap_or_else(|error| panic!("setting up TLS: {error}"))
    }
}
