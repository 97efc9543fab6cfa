//! Tokens and headers: to whom they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strands::a2a::{A2aAgent, A2aError};
use strands_testkit::{Response, Server};

use crate::peer::{CARD, COMPLETED, Peer, WORKING, card, ended, prompt, task};

async fn completing() -> Peer {
    Peer::new(|call| call.stream(&[task(WORKING), ended(COMPLETED)])).await
}

#[tokio::test]
async fn each_request_has_the_token_of_the_callback() {
    let peer = completing().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let builder = peer.builder().header("x-api-key", "key").bearer_token_fn(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, std::io::Error>(format!("token-{number}")) }
    });
    assert!(!format!("{builder:?}").contains("key"));
    let agent = builder.connect().await.unwrap();
    assert!(!format!("{agent:?}").contains(&peer.server.url()));
    prompt(&agent, "hi").await.response();
    prompt(&agent, "hi").await.response();
    let requests = peer.server.requests();
    assert_eq!(requests.len(), 3);
    for (number, request) in requests.iter().enumerate() {
        assert!(request.sends_credential("authorization", &format!("Bearer token-{number}")), "{request:?}");
        assert!(request.sends_credential("x-api-key", "key"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_failing_callback_sends_nothing() {
    let peer = completing().await;
    let failing = peer.builder().bearer_token_fn(|| async { Err::<String, _>("locked out") });
    let error = failing.connect().await.unwrap_err();
    assert_eq!(format!("{error:?}"), "the callback of the bearer token failed: locked out");
    let invalid = peer.builder().bearer_token("secret\ntoken").connect().await.unwrap_err();
    assert!(matches!(&invalid, A2aError::Token { .. }) && !format!("{invalid:?}").contains("secret"));
    assert!(peer.server.requests().is_empty());
}

/// The card names an endpoint of another server.
#[tokio::test]
async fn another_origin_gets_no_credentials() {
    let endpoint = completing().await;
    let host = endpoint.server.address().to_string();
    let cards = Server::handler(move |request| match request.path.as_str() {
        CARD => Response::json(200, &card(&host, &[("JSONRPC", "1.0", "/rpc")])),
        path => panic!("{path}"),
    });
    let cards = cards.await;
    let builder = || A2aAgent::builder(cards.url()).bearer_token("secret").header("x-api-key", "key");
    let refused = builder().connect().await.unwrap_err();
    assert!(
        matches!(&refused, A2aError::Origin { endpoint: found, .. } if *found == endpoint.server.url()),
        "{refused}"
    );
    let agent = builder().allow_origin(endpoint.server.url()).connect().await.unwrap();
    prompt(&agent, "hi").await.response();
    let [request] = endpoint.server.requests().try_into().unwrap();
    assert_eq!((request.header("authorization"), request.header("x-api-key")), (None, None));
    assert!(cards.requests().iter().all(|request| request.sends_credential("authorization", "Bearer secret")));
}

#[tokio::test]
async fn a_token_is_not_sent_over_plain_http_to_another_host() {
    for url in ["http://example.com", "http://10.0.0.1", "http://localhost.example.com"] {
        let with_token = A2aAgent::builder(url).bearer_token("secret").connect().await;
        assert!(matches!(with_token, Err(A2aError::PlaintextToken { .. })), "{with_token:?}");
        let with_header = A2aAgent::builder(url).header("X-Api-Key", "secret").connect().await;
        assert!(matches!(with_header, Err(A2aError::PlaintextToken { .. })), "{with_header:?}");
        let in_url = A2aAgent::connect(url.replacen("http://", "http://user:secret@", 1)).await.unwrap_err();
        assert!(matches!(&in_url, A2aError::PlaintextToken { .. }) && !format!("{in_url:?}").contains("secret"));
    }
}
