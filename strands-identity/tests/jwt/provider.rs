//! Keys of an issuer over HTTP: when they are fetched, and what happens while the issuer is down.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands_identity::{Audit, JwtError, JwtReason, JwtVerifier, JwtVerifierBuilder, MemoryAudit};
use strands_testkit::{Gate, Response, Server};

use crate::support::{AUDIENCE, ISSUER, Key, builder, claims, key_set, now, reasons};

/// An issuer whose response can be changed.
struct Issuer {
    server: Server,
    response: Arc<Mutex<Response>>,
}

impl Issuer {
    async fn start(response: Response) -> Self {
        let response = Arc::new(Mutex::new(response));
        let served = Arc::clone(&response);
        let server = Server::handler(move |_| served.lock().unwrap().clone()).await;
        Self { server, response }
    }

    async fn with(keys: &[(&Key, &str)]) -> Self {
        Self::start(jwks(keys)).await
    }

    fn respond(&self, response: Response) {
        *self.response.lock().unwrap() = response;
    }

    fn settings(&self) -> JwtVerifierBuilder {
        builder().jwks_url(format!("{}/jwks.json", self.server.url())).allow_http(true)
    }

    fn verifier(&self) -> JwtVerifier {
        self.settings().build().unwrap()
    }

    fn fetches(&self) -> usize {
        self.server.requests().len()
    }
}

fn jwks(keys: &[(&Key, &str)]) -> Response {
    Response::json(200, &key_set(keys.iter().map(|(key, id)| key.jwk(id))))
}

fn token(key: &Key, id: &str) -> String {
    key.token(&json!({"alg": "EdDSA", "kid": id}), &claims(json!({})))
}

fn reason<T>(result: Result<T, JwtError>) -> Option<JwtReason> {
    result.err().map(|error| error.reason().clone())
}

/// Moves the clock of fetches without waiting. Sockets work in real time.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn all_callers_share_one_fetch() {
    let key = Key::ed25519();
    let gate = Gate::default();
    let issuer = Issuer::start(jwks(&[(&key, "1")]).hold_head(&gate)).await;
    let verifier = issuer.verifier();
    assert_eq!(issuer.fetches(), 0, "keys are fetched when they are needed");
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token(&key, "1"));
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    issuer.server.stalled().await;
    gate.open();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().subject, "alice");
    }
    verifier.load_keys().await.unwrap();
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_a_minute() {
    let (key, rogue) = (Key::ed25519(), Key::ed25519());
    let issuer = Issuer::with(&[(&key, "1")]).await;
    let verifier = issuer.settings().refresh_keys_after(Duration::from_secs(3600)).build().unwrap();
    verifier.verify(&token(&key, "1")).await.unwrap();
    for minute in 1..=3 {
        // 1,000 at once, and some more until the minute is over.
        for (second, ids) in [(0, 1000), (20, 10), (40, 10)] {
            for id in 0..ids {
                let refused = verifier.verify(&token(&rogue, &format!("{minute}-{second}-{id}"))).await;
                assert_eq!(reason(refused), Some(JwtReason::UnknownKey));
            }
            pass(20).await;
        }
        assert_eq!(issuer.fetches(), 1 + minute);
    }
    verifier.verify(&token(&key, "1")).await.unwrap();
}

#[tokio::test]
async fn a_rotated_key_is_known_at_once_and_a_withdrawn_one_is_refused() {
    let (old, new) = (Key::ed25519(), Key::ed25519());
    let issuer = Issuer::with(&[(&old, "old")]).await;
    let verifier = issuer.verifier();
    verifier.verify(&token(&old, "old")).await.unwrap();

    issuer.respond(jwks(&[(&old, "old"), (&new, "new")]));
    for (key, id) in [(&new, "new"), (&old, "old"), (&new, "new")] {
        verifier.verify(&token(key, id)).await.unwrap();
    }
    assert_eq!(issuer.fetches(), 2);

    issuer.respond(jwks(&[(&new, "new")]));
    verifier.verify(&token(&old, "old")).await.unwrap();
    pass(15 * 60).await;
    assert_eq!(reason(verifier.verify(&token(&old, "old")).await), Some(JwtReason::UnknownKey));
    verifier.verify(&token(&new, "new")).await.unwrap();
    assert_eq!(issuer.fetches(), 3);

    // All keys withdrawn: not an outage.
    issuer.respond(jwks(&[]));
    pass(15 * 60).await;
    assert_eq!(reason(verifier.verify(&token(&new, "new")).await), Some(JwtReason::UnknownKey));
}

#[tokio::test]
async fn keys_are_used_while_the_issuer_is_down_until_they_are_too_old() {
    let key = Key::ed25519();
    let issuer = Issuer::with(&[(&key, "1")]).await;
    let verifier = issuer.settings().max_key_age(Duration::from_secs(3600)).build().unwrap();
    verifier.verify(&token(&key, "1")).await.unwrap();

    issuer.respond(Response::new(503));
    pass(15 * 60).await;
    for _ in 0..100 {
        verifier.verify(&token(&key, "1")).await.unwrap();
    }
    assert_eq!(issuer.fetches(), 2, "one attempt a minute");
    pass(60).await;
    verifier.verify(&token(&key, "1")).await.unwrap();
    issuer.server.wait_until("second attempt", |counts| counts.requests == 3).await;

    pass(3600).await;
    let error = verifier.verify(&token(&key, "1")).await.unwrap_err();
    assert_eq!(error.reason(), &JwtReason::KeysUnavailable);
    assert!(error.is_unavailable());
    assert_eq!(error.to_string(), "the token can't be verified at the moment");

    issuer.respond(jwks(&[(&key, "1")]));
    pass(5).await;
    verifier.verify(&token(&key, "1")).await.unwrap();
}

#[tokio::test]
async fn without_keys_a_new_attempt_is_made_after_five_seconds() {
    let key = Key::ed25519();
    let issuer = Issuer::start(Response::new(500)).await;
    let records = MemoryAudit::new();
    let verifier = issuer.settings().audit(Audit::new(records.clone())).build().unwrap();
    assert!(verifier.load_keys().await.unwrap_err().is_unavailable());
    for _ in 0..100 {
        assert_eq!(reason(verifier.verify(&token(&key, "1")).await), Some(JwtReason::KeysUnavailable));
    }
    assert_eq!((issuer.fetches(), reasons(&records).len()), (1, 100));
    issuer.respond(jwks(&[(&key, "1")]));
    pass(5).await;
    verifier.verify(&token(&key, "1")).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_does_not_respond_delays_callers_once() {
    let key = Key::ed25519();
    let issuer = Issuer::with(&[(&key, "1")]).await;
    let timeout = Duration::from_millis(300);
    let verifier = issuer.settings().fetch_timeout(timeout).build().unwrap();
    verifier.verify(&token(&key, "1")).await.unwrap();

    issuer.respond(Response::new(200).stall_head());
    pass(15 * 60).await;
    let began = std::time::Instant::now();
    verifier.verify(&token(&key, "1")).await.unwrap();
    assert!(began.elapsed() >= timeout, "the first caller waits for newer keys");
    pass(60).await;
    let began = std::time::Instant::now();
    verifier.verify(&token(&key, "1")).await.unwrap();
    assert!(began.elapsed() < timeout, "later ones don't");
    issuer.server.wait_until("second attempt", |counts| counts.requests == 3).await;
}

#[tokio::test]
async fn a_cancelled_caller_neither_stops_nor_repeats_a_fetch() {
    let key = Key::ed25519();
    let gate = Gate::default();
    let issuer = Issuer::start(jwks(&[(&key, "1")]).hold_head(&gate)).await;
    let verifier = issuer.verifier();
    for _ in 0..10 {
        let token = token(&key, "1");
        let cancelled = tokio::time::timeout(Duration::from_millis(10), verifier.verify(&token)).await;
        assert!(cancelled.is_err());
    }
    gate.open();
    verifier.verify(&token(&key, "1")).await.unwrap();
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn a_runtime_that_ends_during_a_fetch_does_not_block_the_next_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let key = Key::ed25519();
    let serving = tokio::runtime::Runtime::new().unwrap();
    let gate = Gate::default();
    let issuer = serving.block_on(Issuer::start(jwks(&[(&key, "1")]).hold_head(&gate)));
    let verifier = issuer.verifier();
    let token = token(&key, "1");
    runtime().block_on(async {
        let cancelled = tokio::time::timeout(Duration::from_millis(50), verifier.verify(&token)).await;
        assert!(cancelled.is_err());
    });
    gate.open();
    runtime().block_on(async {
        assert_eq!(reason(verifier.verify(&token).await), Some(JwtReason::KeysUnavailable));
        pass(5).await;
        verifier.verify(&token).await.unwrap();
    });
    // Without a runtime there is an error, not a panic.
    let other = issuer.verifier();
    let refused = futures_util::FutureExt::now_or_never(other.verify(&token)).unwrap();
    assert_eq!(reason(refused), Some(JwtReason::KeysUnavailable));
}

#[tokio::test]
async fn responses_that_are_no_keys_are_an_outage() {
    let key = Key::ed25519();
    let good = key_set([key.jwk("1")]);
    let padded = format!("{good}{}", " ".repeat(256 * 1024));
    for response in [
        Response::new(302).header("location", "/jwks.json"),
        Response::new(204),
        Response::json(404, &good),
        Response::json(200, &json!({"keys": {}})),
        Response::json(200, &json!({"keys": vec![key.jwk("1"); 101]})),
        Response::new(200).body(padded),
        Response::new(200).body(r#"{"keys":[],"keys":[]}"#),
        Response::new(200).body("<html>"),
        Response::garbage("garbage"),
    ] {
        let issuer = Issuer::start(response).await;
        assert_eq!(reason(issuer.verifier().verify(&token(&key, "1")).await), Some(JwtReason::KeysUnavailable));
        assert_eq!(issuer.fetches(), 1, "redirects are not followed");
    }
}

#[tokio::test]
async fn an_unusable_key_of_an_issuer_refuses_its_own_tokens_alone() {
    let (leaked, key) = (Key::ed25519(), Key::ed25519());
    let mut private = leaked.jwk("leaked");
    private["d"] = "AQAB".into();
    let keys = key_set([private, key.jwk("1"), json!({"kty": "RSA", "use": "enc", "kid": "enc"}), json!(7)]);
    let issuer = Issuer::start(Response::json(200, &keys)).await;
    let verifier = issuer.verifier();
    verifier.verify(&token(&key, "1")).await.unwrap();
    let refused = reason(verifier.verify(&token(&leaked, "leaked")).await);
    assert_eq!(refused, Some(JwtReason::UnusableKey("it has private parts, so it is compromised")));
    assert_eq!(issuer.fetches(), 1);
}

/// Serves a discovery document and keys.
async fn discovery(document: impl Fn(&str) -> Value + Send + Sync + 'static, key: &Key) -> Server {
    let keys = key_set([key.jwk("1")]);
    Server::handler(move |request| {
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        match request.path.as_str() {
            "/.well-known/openid-configuration" | "/tenant/.well-known/openid-configuration" => {
                Response::json(200, &document(&origin))
            }
            "/keys" => Response::json(200, &keys),
            _ => Response::new(404),
        }
    })
    .await
}

fn discovering(issuer: &str) -> JwtVerifier {
    JwtVerifier::builder().oidc_discovery(issuer).audience(AUDIENCE).allow_http(true).clock(now).build().unwrap()
}

#[tokio::test]
async fn discovers_the_keys_of_an_issuer() {
    let key = Key::ed25519();
    for path in ["", "/", "/tenant", "/tenant/"] {
        let document =
            move |origin: &str| json!({"issuer": format!("{origin}{path}"), "jwks_uri": format!("{origin}/keys")});
        let server = discovery(document, &key).await;
        let issuer = format!("{}{path}", server.url());
        let token = key.token(&json!({"alg": "EdDSA", "kid": "1"}), &claims(json!({"iss": issuer})));
        assert_eq!(discovering(&issuer).verify(&token).await.unwrap().issuer, Some(issuer.clone()), "{path}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn refuses_the_discovery_document_of_another_issuer() {
    type Document = fn(&str) -> Value;
    let key = Key::ed25519();
    for document in [
        (|origin| json!({"issuer": ISSUER, "jwks_uri": format!("{origin}/keys")})) as Document,
        |origin| json!({"issuer": format!("{origin}/"), "jwks_uri": format!("{origin}/keys")}),
        |origin| json!({"jwks_uri": format!("{origin}/keys")}),
        |origin| json!({"issuer": origin}),
        |origin| json!({"issuer": origin, "jwks_uri": "/keys"}),
        |origin| json!({"issuer": origin, "jwks_uri": "file:///keys"}),
        |_| json!([]),
    ] {
        let server = discovery(document, &key).await;
        let issuer = server.url();
        let token = key.token(&json!({"alg": "EdDSA", "kid": "1"}), &claims(json!({"iss": issuer})));
        assert_eq!(reason(discovering(&issuer).verify(&token).await), Some(JwtReason::KeysUnavailable));
        assert_eq!(server.requests().len(), 1);
    }
}
