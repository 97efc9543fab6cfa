//! Ports that fail before HTTP begins.

use std::io::ErrorKind;
use std::time::Duration;

use strands_testkit::ports::{RefusedPort, SilentPort};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn refuses_every_connection() {
    let port = RefusedPort::bind();
    for _ in 0..3 {
        assert_eq!(TcpStream::connect(port.address()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    assert!(port.url().starts_with("http://127.0.0.1:"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_unanswered_port_ends_with_the_connect_timeout() {
    let port = strands_testkit::ports::UnansweredPort::bind().await;
    let attempt = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(port.address())).await;
    assert!(attempt.is_err(), "the attempt ended by itself: {attempt:?}");
}

#[tokio::test]
async fn a_silent_port_accepts_and_sends_nothing() {
    let port = SilentPort::bind();
    let address = port.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let read = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
    assert!(read.is_err(), "something came: {read:?}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn clients_reject_the_certificate() {
    use std::sync::Arc;

    use strands_testkit::ports::UntrustedTls;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let server = UntrustedTls::start().await;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let error = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    server.rejected().await;
    assert_eq!(server.trusted(), 0);
    assert!(server.url().starts_with("https://localhost:"));
}
