//! The MCP server on HTTP: methods, sizes and hosts.

use serde_json::json;
use strands::{
    identity::Audit,
    serve::axum::{
        body::Body,
        http::{Request, StatusCode},
    },
};

use crate::support::*;

#[tokio::test]
async fn accepts_posts_alone() {
    let router = router_of(&store(), Audit::default());
    let bearer = format!("Bearer {}", token("alice", &["traveler"]));
    for version in ["2025-06-18", "2026-07-28"] {
        for method in ["GET", "DELETE", "PUT", "PATCH"] {
            let mut request = request(method, Some(&bearer), &json!({}));
            request.headers_mut().insert("mcp-protocol-version", version.parse().unwrap());
            let (status, text) = respond(&router, request).await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} in {version}: {text}");
        }
    }
}

#[tokio::test]
async fn bounds_the_body_and_checks_the_host() {
    let router = router_of(&store(), Audit::default());
    let bearer = format!("Bearer {}", token("alice", &["traveler"]));
    let huge = call("search_policies", &json!({"query": "x".repeat(300 * 1024)}));
    let (status, _) = respond(&router, request("POST", Some(&bearer), &huge)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut other = request("POST", Some(&bearer), &call("my_bookings", &json!({})));
    other.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_eq!(respond(&router, other).await.0, StatusCode::FORBIDDEN);
    let health = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(respond(&router, health).await, (StatusCode::OK, "ok".to_owned()));
}

#[tokio::test]
async fn responds_with_json() {
    let router = router_of(&store(), Audit::default());
    let bearer = format!("Bearer {}", token("alice", &["traveler"]));
    let listed = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let (status, text) = respond(&router, request("POST", Some(&bearer), &listed)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    for tool in ["get_travel_policies", "get_cars", "book_trip", "my_profile"] {
        assert!(text.contains(&format!("\"name\":\"{tool}\"")), "{tool}");
    }
    let called = request("POST", Some(&bearer), &call("my_bookings", &json!({})));
    let (status, text) = respond(&router, called).await;
    assert!(status == StatusCode::OK && text.starts_with('{'), "a call is no stream: {status} {text}");
    for bad in ["", "{", "[]", "null", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#] {
        let mut request = request("POST", Some(&bearer), &json!({}));
        *request.body_mut() = Body::from(bad);
        let (status, text) = respond(&router, request).await;
        assert!(status.is_client_error() || text.contains("error"), "{bad}: {status} {text}");
    }
}
