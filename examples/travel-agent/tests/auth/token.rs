//! The token endpoint.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use strands::{
    identity::JwtVerifier,
    serve::axum::http::{Request, StatusCode},
};
use tempfile::tempdir;
use travel_agent::auth::{AUDIENCE, CLIENT_ID};

use super::browser::{ISSUER, Page, Pairs, Rig};

#[track_caller]
fn refused(page: &Page, expected: &str) {
    assert_eq!(page.json()["error"], expected, "{}", page.text);
    let status = if expected == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    assert_eq!(page.status, status);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.headers.contains_key("www-authenticate"), expected == "invalid_client");
}

async fn verifier(rig: &Rig, audience: &str) -> JwtVerifier {
    let keys = rig.get("/jwks.json").await.text;
    let verifier = JwtVerifier::builder().jwks(keys).issuer(ISSUER).audience(audience);
    verifier.name_claim("username").roles_claim("roles").build().unwrap()
}

#[tokio::test]
async fn tokens_are_verified_by_the_agent() {
    let rig = Rig::new();
    for (username, role) in [("alice", "traveler"), ("bob", "manager"), ("carol", "auditor"), ("bob2", "manager")] {
        let page = rig.exchange(&rig.code(username).await, &[]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert_eq!(page.header("cache-control"), "no-store");
        let tokens = page.json();
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&"Bearer".into(), &600.into()));
        assert_eq!(tokens["scope"], "openid profile");
        let access = tokens["access_token"].as_str().unwrap();
        let identity = verifier(&rig, AUDIENCE).await.verify(access).await.unwrap();
        assert_eq!(identity.subject, format!("employee-{username}"));
        assert_eq!(identity.name.as_deref(), Some(username));
        assert!(identity.has_role(role), "{identity:?}");
        let id = tokens["id_token"].as_str().unwrap();
        let claims = verifier(&rig, CLIENT_ID).await.verify(id).await.unwrap().claims;
        assert_eq!(claims["nonce"], Value::from("a nonce"));
        assert!(verifier(&rig, AUDIENCE).await.verify(id).await.is_err(), "an id token is no access token");
        let refreshed = rig.refresh(tokens["refresh_token"].as_str().unwrap(), &[]).await.json();
        let access = refreshed["access_token"].as_str().unwrap();
        assert!(verifier(&rig, AUDIENCE).await.verify(access).await.is_ok());
    }
}

#[tokio::test]
async fn a_code_is_valid_once_for_the_same_client() {
    let rig = Rig::new();
    let code = rig.code("alice").await;
    assert_eq!(rig.exchange(&code, &[]).await.status, StatusCode::OK);
    refused(&rig.exchange(&code, &[]).await, "invalid_grant");
    let wrong: &[(Pairs<'_>, &str)] = &[
        (&[("code_verifier", "another-verifier-of-at-least-43-characters-01234")], "invalid_grant"),
        (&[("code_verifier", "short")], "invalid_grant"),
        (&[("code_verifier", "")], "invalid_request"),
        (&[("redirect_uri", "http://127.0.0.1:8080/")], "invalid_grant"),
        (&[("redirect_uri", "")], "invalid_grant"),
        (&[("code", "a.b")], "invalid_grant"),
        (&[("code", "")], "invalid_request"),
        (&[("client_id", "other")], "invalid_client"),
        (&[("client_id", "")], "invalid_client"),
        (&[("client_secret", "secret")], "invalid_client"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("grant_type", "")], "invalid_request"),
    ];
    for (changes, expected) in wrong {
        refused(&rig.exchange(&rig.code("alice").await, changes).await, expected);
    }
    let code = rig.code("alice").await;
    refused(&rig.exchange(&code, wrong[0].0).await, "invalid_grant");
    refused(&rig.exchange(&code, &[]).await, "invalid_grant");
}

#[tokio::test]
async fn other_forms_of_requests_are_refused() {
    let rig = Rig::new();
    let json = Request::post("/token").header("content-type", "application/json");
    refused(&rig.send(json, "{}".to_owned()).await, "invalid_request");
    let twice = "grant_type=refresh_token&grant_type=authorization_code".to_owned();
    refused(&rig.post("/token", twice).await, "invalid_request");
    assert_eq!(rig.get("/token").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let large = format!("grant_type={}", "a".repeat(64 * 1024));
    assert_eq!(rig.post("/token", large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let basic = Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "Basic dHJhdmVsLXBhZ2U6c2VjcmV0");
    refused(&rig.send(basic, "grant_type=authorization_code".to_owned()).await, "invalid_client");
}

#[tokio::test]
async fn a_refresh_token_can_not_be_widened_or_forged() {
    let rig = Rig::new();
    let code = rig.code("alice").await;
    let tokens = rig.exchange(&code, &[]).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let narrow = rig.refresh(refresh, &[("scope", "profile")]).await.json();
    assert_eq!((&narrow["scope"], narrow.get("id_token")), (&"profile".into(), None));
    refused(&rig.refresh(refresh, &[("scope", "openid admin")]).await, "invalid_scope");
    refused(&rig.refresh(refresh, &[("client_id", "other")]).await, "invalid_client");
    refused(&rig.refresh("", &[]).await, "invalid_request");
    let cut = refresh.get(1..).unwrap();
    for forged in [cut, &code, tokens["access_token"].as_str().unwrap(), tokens["id_token"].as_str().unwrap()] {
        refused(&rig.refresh(forged, &[]).await, "invalid_grant");
    }
    let other = Rig::new();
    refused(&other.refresh(refresh, &[]).await, "invalid_grant");
}

/// Seconds that the clock of the next test is ahead.
static AHEAD: AtomicU64 = AtomicU64::new(0);

fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_796_000_000 + AHEAD.load(Ordering::SeqCst))
}

#[tokio::test]
async fn codes_and_sessions_end_and_outlive_the_process() {
    let rig = Rig::with_clock(clock, tempdir().unwrap());
    let (code, late) = (rig.code("alice").await, rig.code("alice").await);
    AHEAD.store(59, Ordering::SeqCst);
    let rig = Rig::with_clock(clock, rig.folder);
    let tokens = rig.exchange(&code, &[]).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    AHEAD.store(60, Ordering::SeqCst);
    refused(&rig.exchange(&late, &[]).await, "invalid_grant");
    AHEAD.store(12 * 60 * 60 - 1, Ordering::SeqCst);
    let rig = Rig::with_clock(clock, rig.folder);
    let renewed = rig.refresh(&refresh, &[]).await.json();
    let renewed = renewed["refresh_token"].as_str().unwrap();
    AHEAD.store(12 * 60 * 60, Ordering::SeqCst);
    refused(&rig.refresh(&refresh, &[]).await, "invalid_grant");
    refused(&rig.refresh(renewed, &[]).await, "invalid_grant");
}

#[tokio::test]
async fn pages_of_this_machine_may_read_tokens() {
    let rig = Rig::new();
    for (origin, allowed) in [
        ("http://127.0.0.1:8080", true),
        ("http://localhost:1", true),
        ("https://evil.example", false),
        ("http://localhost.evil.example", false),
        ("null", false),
    ] {
        let request = Request::options("/token")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        let page = rig.send(request, String::new()).await;
        let expected = if allowed { origin } else { "" };
        assert_eq!(page.header("access-control-allow-origin"), expected);
    }
    let request = Request::get("/authorize").header("origin", "http://127.0.0.1:8080");
    let page = rig.send(request, String::new()).await;
    assert_eq!(page.header("access-control-allow-origin"), "", "scripts can't read the form");
}
