//! An OIDC issuer that others wrote, over HTTP, and PyJWT. `.ci/identity/oidc` starts the issuer and runs these tests, one by one.
//!
//! Tokens that it can't make come from an issuer of the tests, over HTTP as well.
#![cfg(feature = "jwt")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
#![expect(clippy::print_stdout, reason = "counts for the operator of the test")]

#[path = "jwt/support.rs"]
#[allow(dead_code, reason = "the tests without an issuer use all of it")]
mod support;

use std::env;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use strands_http::HttpOptions;
use strands_identity::secrecy::ExposeSecret as _;
use strands_identity::{Audit, Identity, JwtVerifier, JwtVerifierBuilder, MemoryAudit, ServiceTokenMinter};
use strands_testkit::{Response, Server};
use tokio::time::Instant;

use support::{Key, OTHER_RSA, RSA, SECRET, b64, claims, hmac_token, key_set, p256_pem, reasons};

const AUDIENCE: &str = "rig-api";

fn url() -> String {
    env::var("STRANDS_OIDC").expect("run .ci/identity/oidc")
}

/// Sends a request to the rig.
async fn rig(path: &str, body: Option<Value>) -> Value {
    let client = HttpOptions::plain_http().builder().unwrap().build().unwrap();
    let url = format!("{}{path}", url());
    let request = match body {
        Some(body) => client.post(url).header("content-type", "application/json").body(body.to_string()),
        None => client.get(url),
    };
    let response = request.send().await.unwrap().error_for_status().unwrap();
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

/// Mints a token.
async fn mint(settings: Value) -> String {
    rig("/__mint", Some(settings)).await["token"].as_str().unwrap().to_owned()
}

/// Returns the number of fetches of keys so far.
async fn fetches() -> u64 {
    rig("/__stats", None).await["jwks"].as_u64().unwrap()
}

fn discovering() -> JwtVerifierBuilder {
    JwtVerifier::builder().oidc_discovery(url()).audience(AUDIENCE).allow_http(true)
}

/// A verifier with an audit.
struct Audited {
    verifier: JwtVerifier,
    records: MemoryAudit,
}

impl Audited {
    fn new(builder: JwtVerifierBuilder) -> Self {
        let records = MemoryAudit::new();
        Self { verifier: builder.audit(Audit::new(records.clone())).build().unwrap(), records }
    }

    async fn refuses(&self, name: &str, token: &str, reason: &str) {
        let before = reasons(&self.records).len();
        let error = self.verifier.verify(token).await.map(|identity| identity.subject).unwrap_err();
        assert_eq!(format!("{error} {error:?}"), "invalid token invalid token", "{name}: no detail for the caller");
        let recorded = reasons(&self.records);
        assert_eq!(recorded[before..], [reason], "{name}");
        println!("refused: {name}: {reason}");
    }
}

/// Moves the clock of fetches without waiting.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn accepts_valid_tokens() {
    let before = fetches().await;
    let verifier = discovering().build().unwrap();
    for settings in [json!({}), json!({"alg": "ES256"}), json!({"claims": {"aud": ["other", AUDIENCE]}})] {
        let identity = verifier.verify(&mint(settings).await).await.unwrap();
        assert_eq!((identity.subject.as_str(), identity.issuer), ("user-1", Some(url())));
        assert_eq!(identity.scopes, ["read", "write"]);
    }
    let by_url = JwtVerifier::builder().jwks_url(format!("{}/jwks.json", url())).issuer(url()).audience(AUDIENCE);
    by_url.allow_http(true).build().unwrap().verify(&mint(json!({})).await).await.unwrap();
    assert_eq!(fetches().await - before, 2, "one for each verifier");
}

#[tokio::test]
async fn refuses_bad_tokens() {
    let audited = Audited::new(discovering());
    audited.verifier.load_keys().await.unwrap();
    // Unknown keys cause one fetch; the others none.
    let current = rig("/jwks.json", None).await["keys"][0]["kid"].clone();
    let before = fetches().await;
    for (name, settings, reason) in [
        ("expired", json!({"ttl": -120}), "expired token"),
        ("not yet valid", json!({"claims": {"nbf": 4_000_000_000_u64}}), "token not valid yet"),
        ("issued in the future", json!({"claims": {"iat": 4_000_000_000_u64}}), "token issued in the future"),
        ("wrong issuer", json!({"claims": {"iss": "http://evil.example.com"}}), "token of another issuer"),
        ("wrong audience", json!({"claims": {"aud": "other"}}), "token for another audience"),
        ("no sub", json!({"claims": {"sub": null}}), "claim `sub` is missing"),
        ("no iss", json!({"claims": {"iss": null}}), "claim `iss` is missing"),
        ("no aud", json!({"claims": {"aud": null}}), "claim `aud` is missing"),
        ("no exp", json!({"claims": {"exp": null}}), "claim `exp` is missing"),
        ("sub is a number", json!({"claims": {"sub": 1}}), "claim `sub` has the wrong type or is empty"),
        ("sub is an array", json!({"claims": {"sub": ["user-1"]}}), "claim `sub` has the wrong type or is empty"),
        ("iss is an array", json!({"claims": {"iss": [url()]}}), "claim `iss` has the wrong type or is empty"),
        ("aud is a number", json!({"claims": {"aud": 1}}), "claim `aud` has the wrong type or is empty"),
        ("aud is an object", json!({"claims": {"aud": {}}}), "claim `aud` has the wrong type or is empty"),
        ("exp is a text", json!({"claims": {"exp": "4000000000"}}), "claim `exp` has the wrong type or is empty"),
        (
            "exp is an array",
            json!({"claims": {"exp": [4_000_000_000_u64]}}),
            "claim `exp` has the wrong type or is empty",
        ),
        ("alg none", json!({"alg": "none"}), "algorithm not allowed"),
        ("HS256 with the public key", json!({"alg": "HS256"}), "algorithm not allowed"),
        ("rogue key with the id of a good one", json!({"key": "rogue", "kid": current}), "invalid signature"),
        (
            "jku",
            json!({"header": {"jku": "https://evil.example.com/jwks.json"}}),
            "the header has a key or refers to one",
        ),
        ("x5u", json!({"header": {"x5u": "https://evil.example.com/x.pem"}}), "the header has a key or refers to one"),
        ("nested", json!({"header": {"cty": "JWT"}}), "nested token"),
        ("too large", json!({"claims": {"pad": "x".repeat(16 * 1024)}}), "token too large"),
    ] {
        audited.refuses(name, &mint(settings).await, reason).await;
    }
    assert_eq!(fetches().await - before, 0);
    audited.refuses("unknown key", &mint(json!({"kid": "unknown"})).await, "unknown key").await;
    audited.refuses("rogue key", &mint(json!({"key": "rogue"})).await, "unknown key").await;
    assert_eq!(fetches().await - before, 1);
    // All the same a good token is accepted afterwards.
    audited.verifier.verify(&mint(json!({})).await).await.unwrap();
}

#[tokio::test]
async fn refuses_bad_tokens_that_no_library_makes() {
    let (key, leaked) = (Key::rsa(RSA), Key::rsa(OTHER_RSA));
    let mut private = leaked.jwk("leaked");
    private["d"] = "AQAB".into();
    let keys = key_set([key.jwk("1"), private]);
    let server = Server::repeat(Response::json(200, &keys)).await;
    let settings = support::builder().jwks_url(server.url()).allow_http(true);
    let audited = Audited::new(settings);
    let header = |changes: Value| {
        let mut header = json!({"alg": "RS256", "kid": "1"});
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        header
    };
    let good = claims(json!({})).to_string();
    audited.verifier.verify(&key.token(&header(json!({})), &claims(json!({})))).await.unwrap();

    let crit = header(json!({"crit": ["tenant"], "tenant": 1}));
    audited.refuses("unknown crit", &key.token(&crit, &claims(json!({}))), "the header has a critical extension").await;
    let twice = good.replacen('{', r#"{"sub":"admin","#, 1);
    let duplicate = key.token_of_texts("RS256", &header(json!({})).to_string(), &twice);
    audited.refuses("duplicate claims", &duplicate, "duplicate member in the header or the claims").await;
    let twice = header(json!({})).to_string().replacen('{', r#"{"alg":"none","#, 1);
    let duplicate = key.token_of_texts("RS256", &twice, &good);
    audited.refuses("duplicate header", &duplicate, "duplicate member in the header or the claims").await;
    let own = header(json!({"jwk": Key::rsa(OTHER_RSA).jwk("1")}));
    audited.refuses("jwk", &leaked.token(&own, &claims(json!({}))), "the header has a key or refers to one").await;
    audited.refuses("encrypted", "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d", "encrypted token").await;
    let inner = key.token(&header(json!({})), &claims(json!({})));
    let nested = key.token_of_texts("RS256", &header(json!({})).to_string(), &format!("\"{inner}\""));
    audited.refuses("token as claims", &nested, "malformed token").await;
    let compromised = leaked.token(&header(json!({"kid": "leaked"})), &claims(json!({})));
    let reason = "unusable key: it has private parts, so it is compromised";
    audited.refuses("key with private parts", &compromised, reason).await;
    let empty = hmac_token(b"", &header(json!({"alg": "HS256"})), &claims(json!({})));
    audited.refuses("empty HMAC key", &empty, "algorithm not allowed").await;
    assert_eq!(server.requests().len(), 1);

    let with_secret = Audited::new(support::builder().hs256_secret(SECRET));
    with_secret.refuses("empty HMAC key", &empty, "invalid signature").await;
    let unsettable = JwtVerifier::builder().hs256_secret("").issuer("i").audience("a").build().unwrap_err();
    println!("refused: empty HMAC key in the settings: {unsettable}");
}

#[tokio::test]
async fn follows_a_rotation_of_keys() {
    let audited = Audited::new(discovering());
    let old = mint(json!({})).await;
    audited.verifier.verify(&old).await.unwrap();
    let before = fetches().await;

    rig("/__rotate", Some(json!({}))).await;
    let new = mint(json!({})).await;
    for token in [&new, &old, &new] {
        audited.verifier.verify(token).await.unwrap();
    }
    assert_eq!(fetches().await - before, 1);

    rig("/__drop_old", Some(json!({}))).await;
    pass(15 * 60).await;
    audited.refuses("key that was dropped", &old, "unknown key").await;
    audited.verifier.verify(&new).await.unwrap();
    println!("fetches for a rotation: {}", fetches().await - before);
}

#[tokio::test]
async fn survives_an_outage() {
    let audited = Audited::new(discovering().max_key_age(Duration::from_secs(3600)));
    let token = mint(json!({"ttl": 100_000})).await;
    audited.verifier.verify(&token).await.unwrap();
    let before = fetches().await;

    rig("/__fail", Some(json!({"n": 1000}))).await;
    pass(15 * 60).await;
    for _ in 0..1000 {
        audited.verifier.verify(&token).await.unwrap();
    }
    assert_eq!(fetches().await - before, 1, "attempts during an outage");
    pass(3600).await;
    let error = audited.verifier.verify(&token).await.unwrap_err();
    assert!(error.is_unavailable(), "too old: {error}");
    rig("/__fail", Some(json!({"n": 0}))).await;
    pass(5).await;
    audited.verifier.verify(&token).await.unwrap();
    println!(
        "an outage: 1,000 tokens accepted with the keys before it, none after the maximum age, all after the outage"
    );
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_a_minute() {
    let seconds: u64 = env::var("STRANDS_OIDC_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let audited = Audited::new(discovering().refresh_keys_after(Duration::from_secs(24 * 3600)));
    let good = mint(json!({"ttl": 100_000})).await;
    audited.verifier.verify(&good).await.unwrap();
    let before = fetches().await;
    // No key has been found before a signature is looked at.
    let unknown = |id: String| format!("{}.e30.AA", b64(json!({"alg": "RS256", "kid": id}).to_string()));
    let began = Instant::now();
    for second in 0..seconds {
        let tokens: Vec<String> = (0..1000).map(|id| unknown(format!("{second}-{id}"))).collect();
        let refused = futures_util::future::join_all(tokens.iter().map(|token| audited.verifier.verify(token))).await;
        assert!(refused.iter().all(Result::is_err));
        audited.verifier.verify(&good).await.unwrap();
        tokio::time::sleep_until(began + Duration::from_secs(second + 1)).await;
    }
    let elapsed = began.elapsed().as_secs();
    let fetched = fetches().await - before;
    assert!((1..=1 + elapsed / 60).contains(&fetched), "{fetched} in {elapsed} s");
    println!("{} unknown keys in {elapsed} s: {fetched} fetches", seconds * 1000);

    for further in 1..=3 {
        pass(60).await;
        for id in 0..1000 {
            audited.verifier.verify(&unknown(format!("{further}-{id}"))).await.unwrap_err();
        }
        assert_eq!(fetches().await - before, fetched + further, "one for each further minute");
    }
    assert!(reasons(&audited.records).iter().all(|reason| reason == "unknown key"));
}

fn pyjwt(arguments: &[&str], input: Option<&Value>) -> Value {
    let python = env::var("STRANDS_OIDC_PYTHON").expect("run .ci/identity/oidc");
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/identity/pyjwt.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.map(Value::to_string).unwrap_or_default().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn understands_tokens_of_pyjwt_and_is_understood() {
    let issuer = "https://issuer.example.com";
    let minted = pyjwt(&["mint", issuer, AUDIENCE], None);
    let settings = || JwtVerifier::builder().issuer(issuer).audience(AUDIENCE);
    let public = settings().jwks(minted["jwks"].to_string()).build().unwrap();
    let secret = settings().hs256_secret(minted["secret"].as_str().unwrap()).build().unwrap();
    let tokens = minted["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 8);
    for (algorithm, token) in tokens {
        let verifier = if algorithm == "HS256" { &secret } else { &public };
        let identity = verifier.verify(token.as_str().unwrap()).await.unwrap();
        assert_eq!((identity.subject.as_str(), identity.has_role("traveler")), ("user-1", true), "{algorithm}");
    }

    let alice = Identity::new("alice").with_name("Alice");
    for (algorithm, builder) in [
        ("HS256", ServiceTokenMinter::hs256(SECRET)),
        ("ES256", ServiceTokenMinter::es256(p256_pem()).key_id("agents")),
    ] {
        let minter = builder.agent("travel-agent").issuer(issuer).audience(AUDIENCE).build().unwrap();
        let token = minter.token_for(&alice).unwrap();
        let mut given =
            json!({"token": token.expose_secret(), "algorithm": algorithm, "issuer": issuer, "audience": AUDIENCE});
        if algorithm == "HS256" {
            given["secret"] = SECRET.into();
        } else {
            given["jwk"] = minter.jwks()["keys"][0].clone();
        }
        let claims = pyjwt(&["verify"], Some(&given));
        assert_eq!((&claims["sub"], &claims["user_id"]), (&json!("travel-agent"), &json!("alice")), "{algorithm}");
    }
    println!("8 tokens of PyJWT verified, 2 of ours by PyJWT");
}
