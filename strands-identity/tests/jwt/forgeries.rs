//! Changed tokens never verify, and nothing in a token makes the verifier panic.

use proptest::prelude::*;
use serde_json::json;
use strands_identity::{JwtReason, JwtVerifier};

use crate::support::{Key, OTHER_RSA, RSA, SECRET, b64, builder, claims, hmac_token, key_set};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) }
}

/// A verifier for each kind of key, with a valid token.
fn valid() -> Vec<(JwtVerifier, String)> {
    let public = [
        (Key::rsa(RSA), "RS256"),
        (Key::rsa(OTHER_RSA), "PS256"),
        (Key::p256(), "ES256"),
        (Key::p384(), "ES384"),
        (Key::ed25519(), "EdDSA"),
    ];
    let mut pairs: Vec<_> = public
        .into_iter()
        .map(|(key, algorithm)| {
            let verifier = builder().jwks(key_set([key.jwk("1")]).to_string()).build().unwrap();
            (verifier, key.token(&json!({"alg": algorithm, "kid": "1"}), &claims(json!({}))))
        })
        .collect();
    let secret = hmac_token(SECRET.as_bytes(), &json!({"alg": "HS256"}), &claims(json!({})));
    pairs.push((builder().hs256_secret(SECRET).build().unwrap(), secret));
    pairs
}

fn verifies(verifier: &JwtVerifier, token: &str) -> bool {
    // Keys in memory: the future is ready at once.
    futures_util::FutureExt::now_or_never(verifier.verify(token)).unwrap().is_ok()
}

/// A change of a token.
#[derive(Clone, Debug)]
enum Change {
    /// Replaces a byte by another one.
    Byte(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, String),
    Remove(prop::sample::Index),
    /// Moves parts.
    Parts(Vec<usize>),
    /// Replaces a part.
    Part(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), 0x20_u8..0x7f).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => any::<prop::sample::Index>().prop_map(Change::Truncate),
        1 => (any::<prop::sample::Index>(), ".{1,8}").prop_map(|(at, text)| Change::Insert(at, text)),
        1 => any::<prop::sample::Index>().prop_map(Change::Remove),
        1 => prop::collection::vec(0..3_usize, 0..6).prop_map(Change::Parts),
        1 => (0..3_usize, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(part, bytes)| Change::Part(part, bytes)),
    ]
}

fn changed(token: &str, change: &Change) -> String {
    let mut bytes = token.as_bytes().to_vec();
    match change {
        Change::Byte(at, byte) => bytes[at.index(token.len())] = *byte,
        Change::Truncate(at) => bytes.truncate(at.index(token.len())),
        Change::Insert(at, text) => {
            let at = at.index(token.len() + 1);
            bytes.splice(at..at, text.bytes());
        }
        Change::Remove(at) => {
            bytes.remove(at.index(token.len()));
        }
        Change::Parts(order) => {
            let parts: Vec<&str> = token.split('.').collect();
            return order
                .iter()
                .map(|part| parts.get(*part).copied().unwrap_or_default())
                .collect::<Vec<_>>()
                .join(".");
        }
        Change::Part(part, new) => {
            let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
            if let Some(part) = parts.get_mut(*part) {
                *part = b64(new);
            }
            return parts.join(".");
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn changed_tokens_never_verify() {
    let pairs = valid();
    let pairs = &pairs;
    proptest!(config(), |(at in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..3))| {
        let (verifier, token) = at.get(pairs);
        prop_assert!(verifies(verifier, token));
        let forged = changes.iter().fold(token.clone(), |token, change| if token.is_empty() { token } else { changed(&token, change) });
        prop_assert_eq!(verifies(verifier, &forged), forged == *token, "{}", forged);
    });
}

#[test]
fn parts_of_valid_tokens_never_verify_together() {
    let key = Key::p256();
    let verifier = builder().jwks(key_set([key.jwk("1")]).to_string()).build().unwrap();
    let header = json!({"alg": "ES256", "kid": "1"});
    let tokens: Vec<String> = ["alice", "bob"].map(|sub| key.token(&header, &claims(json!({"sub": sub})))).into();
    let parts: Vec<Vec<&str>> = tokens.iter().map(|token| token.split('.').collect()).collect();
    for claims in 0..2 {
        for signature in 0..2 {
            let token = [parts[0][0], parts[claims][1], parts[signature][2]].join(".");
            assert_eq!(verifies(&verifier, &token), claims == signature);
        }
    }
}

#[test]
fn every_single_bit_counts() {
    for (verifier, token) in valid() {
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let forged = String::from_utf8(bytes).unwrap();
                assert!(!verifies(&verifier, &forged), "byte {at}, bit {bit}: {forged}");
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn texts_are_refused_without_a_panic(text in r"(\PC|[.=A-Za-z0-9_-]){0,200}") {
        let verifier = builder().hs256_secret(SECRET).build().unwrap();
        prop_assert!(!verifies(&verifier, &text));
    }

    /// Signed by the right key: only the content is wrong.
    #[test]
    fn signed_nonsense_is_refused_without_a_panic(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
        let verifier = builder().hs256_secret(SECRET).build().unwrap();
        let message = format!("{}.{}", b64(br#"{"alg":"HS256"}"#), b64(&claims));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = b64(ring::hmac::sign(&key, message.as_bytes()));
        let error = futures_util::FutureExt::now_or_never(verifier.verify(&format!("{message}.{signature}"))).unwrap();
        let error = error.unwrap_err();
        prop_assert_eq!(error.reason(), &JwtReason::Malformed);
        let token = format!("{}.{}.", b64(&header), b64(&claims));
        prop_assert!(!verifies(&verifier, &token));
    }
}
