//! Collectors over HTTPS, with a certificate authority of their own: trusted only with `OTEL_EXPORTER_OTLP_CERTIFICATE`.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use rcgen::CertifiedKey;
use strands_otel::Telemetry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A collector over TLS, which responds to HTTP/1.1 and closes connections of HTTP/2.
struct TlsCollector {
    endpoint: String,
    certificate: tempfile::NamedTempFile,
    handshakes: Arc<AtomicUsize>,
    authorized: Arc<AtomicUsize>,
}

async fn start() -> TlsCollector {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut certificate = tempfile::NamedTempFile::new().unwrap();
    certificate.write_all(cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (handshakes, authorized) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, with_token) = (Arc::clone(&handshakes), Arc::clone(&authorized));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            // With TLS 1.3, a client may refuse the certificate after the server's part of the handshake.
            let mut buffer = vec![0; 1 << 16];
            let Ok(read @ 1..) = connection.read(&mut buffer).await else { continue };
            counted.fetch_add(1, Ordering::SeqCst);
            if String::from_utf8_lossy(&buffer[..read]).to_lowercase().contains("authorization: bearer t0ken") {
                with_token.fetch_add(1, Ordering::SeqCst);
            }
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            let _ = connection.shutdown().await;
        }
    });
    TlsCollector { endpoint, certificate, handshakes, authorized }
}

impl TlsCollector {
    /// Exports a span. Returns true if the flush succeeded.
    async fn export(&self, protocol: &'static str, trusts: bool) -> bool {
        let (endpoint, path) = (self.endpoint.clone(), self.certificate.path().to_str().unwrap().to_owned());
        let telemetry = Telemetry::builder()
            .variables(move |name| match name {
                "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
                "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
                "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer%20t0ken".to_owned()),
                "OTEL_EXPORTER_OTLP_CERTIFICATE" => trusts.then(|| path.clone()),
                "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
                _ => None,
            })
            .global(false)
            .build()
            .unwrap();
        drop(telemetry.tracer_provider().tracer("test").start("span"));
        telemetry.flush(Duration::from_secs(2)).await.is_ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_with_an_untrusted_certificate_gets_nothing() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = start().await;
        assert!(!collector.export(protocol, false).await, "{protocol}");
        assert_eq!(collector.handshakes.load(Ordering::SeqCst), 0, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_trusted_by_its_certificate_authority() {
    let collector = start().await;
    assert!(collector.export("http/protobuf", true).await);
    assert_eq!(collector.authorized.load(Ordering::SeqCst), 1, "the header is sent over TLS");

    let collector = start().await;
    collector.export("grpc", true).await;
    assert!(collector.handshakes.load(Ordering::SeqCst) > 0, "the client of gRPC sends a request");
}
