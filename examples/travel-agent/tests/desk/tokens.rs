//! Tokens at the MCP server: nothing happens without a valid one, and the user is its claim.

use serde_json::{Value, json};
use strands::{
    identity::{Audit, MemoryAudit},
    serve::axum::http::StatusCode,
};
use travel_agent::mcp_server::{ServiceTokens, authorize};

use crate::support::*;

/// An order of Alice, which is within policy.
fn order() -> Value {
    json!({
        "destination": "New York", "departure_date": "2026-11-23", "return_date": "2026-11-25", "purpose": "business",
        "outbound_flight": "CD173", "return_flight": "CD222",
    })
}

/// Returns values of `Authorization` that are not valid, with their names.
fn invalid() -> Vec<(&'static str, Option<String>)> {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let valid = claims("alice", &["traveler"]);
    let with = |name: &str, value: Value| {
        let mut claims = valid.clone();
        claims[name] = value;
        signed(&header, &claims, SECRET)
    };
    let without = |name: &str| {
        let mut claims = valid.clone();
        claims.as_object_mut().unwrap().shift_remove(name);
        signed(&header, &claims, SECRET)
    };
    let good = signed(&header, &valid, SECRET);
    let unsigned = signed(&json!({"alg": "none"}), &valid, SECRET);
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    let mut parts: Vec<&str> = good.split('.').collect();
    let other = signed(&header, &claims("bob", &["manager"]), "another secret of at least 32 bytes");
    parts[1] = other.split('.').nth(1).unwrap();
    let tokens = [
        ("another secret", signed(&header, &valid, "another secret of at least 32 bytes")),
        ("no signature", unsigned),
        ("claims of another token", parts.join(".")),
        ("another algorithm", signed(&json!({"alg": "HS512"}), &valid, SECRET)),
        ("a public key algorithm", signed(&json!({"alg": "RS256"}), &valid, SECRET)),
        (
            "a key of its own",
            signed(&json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}, "kid": "../x"}), &valid, "a"),
        ),
        ("expired", with("exp", json!(now() - 3600))),
        ("without an end", without("exp")),
        ("not valid yet", with("nbf", json!(now() + 3600))),
        ("another audience", with("aud", json!("travel-agent"))),
        ("without an audience", without("aud")),
        ("another issuer", with("iss", json!("https://id.example"))),
        ("another agent", with("sub", json!("another-agent"))),
        ("the user as the agent", with("sub", json!("alice"))),
        ("without a user", without("user_id")),
        ("an empty user", with("user_id", json!(""))),
        ("a user that is no text", with("user_id", json!({"$ne": ""}))),
        ("empty", String::new()),
        ("no token", "x".repeat(10_000)),
    ];
    let mut all: Vec<_> = tokens.into_iter().map(|(name, token)| (name, Some(format!("Bearer {token}")))).collect();
    all.extend([
        ("none", None),
        ("another scheme", Some(format!("Basic {good}"))),
        ("no scheme", Some(good.clone())),
        ("two tokens", Some(format!("Bearer {good}, Bearer {good}"))),
    ]);
    all
}

#[tokio::test]
async fn refuses_invalid_tokens_before_a_tool_runs() {
    let (store, audit) = (store(), MemoryAudit::new());
    let router = router_of(&store, Audit::new(audit.clone()));
    let alice = store.traveller("alice").unwrap();
    for (name, authorization) in invalid() {
        for method in ["POST", "GET", "DELETE", "PUT"] {
            let request = request(method, authorization.as_deref(), &call("book_trip", &order()));
            let (status, body) = respond(&router, request).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}, {method}: {body}");
        }
        let tool_ran = audit.records().iter().any(|record| record.tool.is_some());
        assert!(!tool_ran && store.bookings(&alice, true).unwrap().is_empty(), "{name}");
    }
    // The same order with a valid one.
    let (booked, is_error) = called(&router, &token("alice", &["traveler"]), "book_trip", order()).await;
    assert!(!is_error && booked.contains("confirmation_code"), "{booked}");
    assert_eq!(store.bookings(&alice, true).unwrap().len(), 1);
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let router = router_of(&store(), Audit::default());
    let bearer = format!("Bearer {}", token("alice", &["traveler"]));
    let mut request = request("POST", Some(&bearer), &call("my_bookings", &json!({})));
    request.headers_mut().append("authorization", bearer.parse().unwrap());
    assert_eq!(respond(&router, request).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_user_is_that_of_the_token_and_never_an_argument() {
    let store = store();
    let router = router_of(&store, Audit::default());
    let (alice, ana) = (token("alice", &["traveler"]), token("ana", &["traveler"]));
    let (booked, _) = called(&router, &alice, "book_trip", order()).await;
    let code = serde_json::from_str::<Value>(&booked).unwrap()["confirmation_code"].as_str().unwrap().to_owned();
    for arguments in [json!({}), json!({"user": "alice"}), json!({"traveller": {"id": "E1007"}, "user_id": "alice"})] {
        let (bookings, _) = called(&router, &ana, "my_bookings", arguments.clone()).await;
        assert!(!bookings.contains(&code), "{arguments}: {bookings}");
    }
    let (refused, is_error) = called(&router, &ana, "cancel_booking", json!({"confirmation_code": code})).await;
    assert!(is_error && refused.contains("you have no booking"), "{refused}");
    let (profile, _) = called(&router, &ana, "my_profile", json!({"user": "alice"})).await;
    assert!(profile.contains("Ana Silva") || profile.contains("user"), "{profile}");
    assert_eq!(store.bookings(&store.traveller("alice").unwrap(), false).unwrap().len(), 1);
}

#[tokio::test]
async fn roles_are_checked_again() {
    let router = router_of(&store(), Audit::default());
    let denied = async |roles: &[&str], tool: &str, arguments: Value| {
        let (text, is_error) = called(&router, &token("alice", roles), tool, arguments).await;
        is_error && !text.contains("confirmation_code")
    };
    for (roles, books, sees_all) in [
        (&["traveler"][..], true, false),
        (&["manager"], true, true),
        (&["auditor"], false, true),
        (&["traveler", "auditor"], true, true),
        (&["admin", "Manager", "traveler "], false, false),
        (&[], false, false),
    ] {
        assert_eq!(!denied(roles, "book_trip", order()).await, books, "{roles:?} books");
        assert_eq!(!denied(roles, "all_bookings", json!({})).await, sees_all, "{roles:?} sees all bookings");
    }
}

#[tokio::test]
async fn verified_users_become_employees_and_others_do_not() {
    let store = store();
    let router = router_of(&store, Audit::default());
    let bearer = |claims: &Value| format!("Bearer {}", signed(&json!({"alg": "HS256"}), claims, SECRET));
    let mut claims = claims("alice17", &["traveler"]);
    let profile = call("my_profile", &json!({}));
    let (status, text) = respond(&router, request("POST", Some(&bearer(&claims)), &profile)).await;
    assert_eq!((status, text.contains("is not an employee")), (StatusCode::FORBIDDEN, true), "{text}");
    claims["full_name"] = json!("Alice 17");
    for _ in 0..2 {
        let (status, text) = respond(&router, request("POST", Some(&bearer(&claims)), &profile)).await;
        assert!(status == StatusCode::OK && text.contains("Alice 17"), "{text}");
    }
    assert_eq!(store.traveller("alice17").unwrap().name, "Alice 17");
}

#[tokio::test]
async fn the_authorizer_of_the_api_decides_by_the_same_tokens() {
    let tokens = ServiceTokens::new(secret(), Audit::default());
    let event = |authorization: &Option<String>| {
        json!({
            "version": "2.0", "type": "REQUEST", "routeArn": "arn:aws:execute-api:us-east-1:1:a/$default/POST/mcp",
            "identitySource": authorization.as_ref().map(|value| vec![value]),
            "routeKey": "POST /mcp", "rawPath": "/mcp", "headers": {"authorization": authorization, "host": "a"},
        })
    };
    for (name, authorization) in invalid() {
        let decision = authorize(&tokens, &event(&authorization)).await.unwrap();
        assert_eq!(decision, json!({"isAuthorized": false}), "{name}");
    }
    let valid = Some(format!("Bearer {}", token("alice", &["traveler"])));
    let allowed = json!({"isAuthorized": true, "context": {"user_id": "alice"}});
    assert_eq!(authorize(&tokens, &event(&valid)).await.unwrap(), allowed);
    let without_source = json!({"headers": {"authorization": valid}});
    assert_eq!(authorize(&tokens, &without_source).await.unwrap(), allowed);
    assert_eq!(authorize(&tokens, &json!({})).await.unwrap(), json!({"isAuthorized": false}));
}
