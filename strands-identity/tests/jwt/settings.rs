//! Settings that are refused when a verifier is built.

use std::time::Duration;

use strands_identity::{JwtAlgorithm, JwtSetupError, JwtVerifier, JwtVerifierBuilder};

use crate::support::{ISSUER, Key, SECRET, builder, key_set};

fn keys() -> String {
    key_set([Key::p256().jwk("1")]).to_string()
}

fn error(builder: JwtVerifierBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn requires_keys_an_issuer_and_an_audience() {
    assert_eq!(error(builder()), "missing setting: call `jwks_url`");
    assert_eq!(error(JwtVerifier::builder().jwks(keys()).audience("a")), "missing setting: call `issuer`");
    assert_eq!(error(JwtVerifier::builder().jwks(keys()).audience("a").issuer("")), "missing setting: call `issuer`");
    assert_eq!(error(JwtVerifier::builder().jwks(keys()).issuer("a")), "missing setting: call `audience`");
    assert_eq!(error(builder().jwks(keys()).any_audience()), "both `audience` and `any_audience` are set");
    let two = builder().jwks(keys()).hs256_secret(SECRET);
    assert!(matches!(two.build(), Err(JwtSetupError::SeveralKeySources)));
    let other = JwtVerifier::builder().oidc_discovery("https://a.example.com").issuer(ISSUER).audience("a");
    assert!(matches!(other.build(), Err(JwtSetupError::IssuerMismatch)));
}

#[test]
fn never_mixes_shared_secrets_and_public_keys() {
    for algorithms in [vec![JwtAlgorithm::Hs256], vec![JwtAlgorithm::Es256, JwtAlgorithm::Hs256], vec![]] {
        let built = builder().jwks(keys()).algorithms(algorithms.clone()).build();
        assert!(matches!(built, Err(JwtSetupError::Algorithms)), "{algorithms:?}");
    }
    for algorithm in JwtAlgorithm::PUBLIC_KEY {
        let built = builder().hs256_secret(SECRET).algorithms([algorithm]).build();
        assert!(matches!(built, Err(JwtSetupError::Algorithms)), "{algorithm:?}");
    }
}

#[test]
fn refuses_short_secrets() {
    for secret in ["", "secret", &SECRET[1..]] {
        let built = builder().hs256_secret(secret).build();
        assert!(matches!(built, Err(JwtSetupError::ShortSecret)), "{secret}");
    }
    let shown = format!("{:?} {:?}", builder().hs256_secret(SECRET), builder().hs256_secret(SECRET).build());
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn requires_https() {
    for url in ["http://issuer.example.com/jwks.json", "http://127.0.0.1/jwks.json"] {
        assert!(matches!(builder().jwks_url(url).build(), Err(JwtSetupError::InsecureUrl(_))), "{url}");
        assert!(builder().jwks_url(url).allow_http(true).build().is_ok(), "{url}");
    }
    for url in ["", "issuer", "file:///keys.json", "https://user:secret@a.example.com/", "https://a.example.com/#key"] {
        let built = builder().jwks_url(url).allow_http(true).build();
        assert!(matches!(built, Err(JwtSetupError::InvalidUrl(_))), "{url}");
    }
    assert!(builder().jwks_url("https://issuer.example.com/jwks.json").build().is_ok());
}

#[test]
fn limits_durations() {
    let second = Duration::from_secs(1);
    for builder in [
        builder().leeway(301 * second),
        builder().refresh_keys_after(59 * second),
        builder().refresh_keys_after(86_401 * second),
        builder().max_key_age(60 * second),
        builder().max_key_age(700_000 * second),
        builder().fetch_timeout(Duration::ZERO),
        builder().fetch_timeout(61 * second),
    ] {
        let built = builder.jwks(keys()).build();
        assert!(matches!(built, Err(JwtSetupError::OutOfRange { .. })), "{built:?}");
    }
}
