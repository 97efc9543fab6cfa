//! TLS: trust, versions of HTTP, and certificates that are replaced.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use strands_serve::tls::TlsFiles;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rig::{PATIENCE, Running, SOON, rest};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a certificate for `localhost`.
fn issue(authority: &Authority, folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles::load(folder.join("tls.crt"), folder.join("tls.key")).unwrap()
}

fn client(authority: &Authority, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // A resumed session has no certificate to look at.
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

async fn connect(server: &Running, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = server.connect().await;
    TlsConnector::from(Arc::clone(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn get(server: &Running, config: &Arc<ClientConfig>) -> io::Result<(String, Vec<u8>)> {
    let mut stream = connect(server, config).await?;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok((response, certificate))
}

#[tokio::test]
async fn serves_clients_that_trust_the_certificate_and_no_others() {
    let (folder, trusted) = (tempfile::tempdir().unwrap(), authority());
    issue(&trusted, folder.path());
    let server = Running::start(|server| server.tls(files(folder.path()))).await;
    let (response, _) = get(&server, &client(&trusted, &[])).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("hello"), "{response}");
    let error = get(&server, &client(&authority(), &[])).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    for (offered, expected) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = connect(&server, &client(&trusted, offered)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected.as_bytes()));
    }
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "a default provider is installed");
    // Plain HTTP to the port of HTTPS.
    let response = server.get("/").await;
    assert!(!response.contains("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn closes_a_connection_with_a_slow_handshake() {
    let (folder, trusted) = (tempfile::tempdir().unwrap(), authority());
    issue(&trusted, folder.path());
    let server = Running::start(|server| server.tls(files(folder.path())).header_timeout(SOON)).await;
    let mut silent = server.connect().await;
    assert_eq!(timeout(8 * SOON, rest(&mut silent)).await.unwrap(), "");
}

#[tokio::test]
async fn a_running_server_uses_new_files_when_they_are_valid() {
    let (folder, trusted) = (tempfile::tempdir().unwrap(), authority());
    issue(&trusted, folder.path());
    let watched = files(folder.path()).check_interval(Duration::from_millis(20));
    let server = Running::start(|server| server.tls(watched)).await;
    let config = client(&trusted, &[]);
    let (_, first) = get(&server, &config).await.unwrap();
    std::fs::write(folder.path().join("tls.crt"), "broken").unwrap();
    sleep(SOON).await;
    assert_eq!(get(&server, &config).await.unwrap().1, first);
    issue(&trusted, folder.path());
    let replaced = async {
        while get(&server, &config).await.unwrap().1 == first {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, replaced).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaces_the_certificate_under_load_without_a_failed_request() {
    let (folder, trusted) = (tempfile::tempdir().unwrap(), authority());
    issue(&trusted, folder.path());
    let files = files(folder.path());
    let server = Arc::new(Running::start(|server| server.tls(files.clone())).await);
    let config = client(&trusted, &[]);
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (server, config) = (Arc::clone(&server), Arc::clone(&config));
            tokio::spawn(async move {
                let mut seen = std::collections::HashSet::new();
                for _ in 0..25 {
                    let (response, certificate) = get(&server, &config).await.expect("a request failed");
                    assert!(response.ends_with("hello"), "{response}");
                    seen.insert(certificate);
                }
                seen.len()
            })
        })
        .collect();
    let mut swaps = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        sleep(Duration::from_millis(20)).await;
        issue(&trusted, folder.path());
        files.reload().unwrap();
        swaps += 1;
    }
    let mut most = 0;
    for client in clients {
        most = most.max(client.await.unwrap());
    }
    assert!(swaps > 1 && most > 1, "{swaps} certificates, of which a client saw {most}");
}
