//! The identity for development accepts clients on this machine alone, and no requests of pages of other sites.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::Request;
use strands_identity::Identity;
use strands_serve::http::{DevelopmentIdentity, HttpHost};
use tower::ServiceExt as _;

use crate::support::rig;

#[tokio::test]
async fn only_loopback_clients_and_hosts_are_accepted() {
    let router = HttpHost::new(rig().service, DevelopmentIdentity::new(Identity::new("developer"))).into_router();
    let status = async |peer: Option<&str>, host: Option<&str>| {
        let mut request = Request::get("/sessions").body(axum::body::Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        }
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    for host in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"] {
        assert_eq!(status(Some("127.0.0.1:5000"), Some(host)).await, 200, "{host}");
    }
    assert_eq!(status(Some("[::1]:5000"), Some("localhost")).await, 200);
    assert_eq!(status(Some("[::ffff:127.0.0.1]:5000"), Some("localhost")).await, 200);
    // A name that resolves to this machine, as in DNS rebinding.
    for host in
        ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io", "192.168.0.7", "0.0.0.0", "", "[::]"]
    {
        assert_eq!(status(Some("127.0.0.1:5000"), Some(host)).await, 403, "{host}");
    }
    for peer in ["192.168.0.7:5000", "[2001:db8::1]:5000", "0.0.0.0:5000"] {
        assert_eq!(status(Some(peer), Some("localhost")).await, 403, "{peer}");
    }
    assert_eq!(status(None, Some("localhost")).await, 403);
    assert_eq!(status(Some("127.0.0.1:5000"), None).await, 403);
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let router = HttpHost::new(rig().service, DevelopmentIdentity::new(Identity::new("developer"))).into_router();
    let status = async |origin: &str| {
        let request = Request::get("/sessions").header("host", "localhost:8080").header("origin", origin);
        let mut request = request.body(axum::body::Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo("127.0.0.1:5000".parse::<SocketAddr>().unwrap()));
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    for origin in ["http://localhost:3000", "http://127.0.0.1:8080", "https://localhost", "http://[::1]:5173"] {
        assert_eq!(status(origin).await, 200, "{origin}");
    }
    for origin in ["https://evil.example.com", "null", "", "http://localhost.evil.example.com", "file://", "localhost"]
    {
        assert_eq!(status(origin).await, 403, "{origin}");
    }
}
