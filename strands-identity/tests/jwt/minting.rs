//! Tokens for services.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Map, Value, json};
use strands_identity::secrecy::ExposeSecret as _;
use strands_identity::{
    Identity, JwtSetupError, JwtVerifier, JwtVerifierBuilder, MintError, ServiceTokenMinter, ServiceTokenMinterBuilder,
};

use crate::support::{NOW, RSA, SECRET, now, p256_pem, pem};

const ISSUER: &str = "https://agents.example.com";

fn complete(builder: ServiceTokenMinterBuilder) -> ServiceTokenMinterBuilder {
    builder.agent("travel-agent").issuer(ISSUER).audience("travel-tools").clock(now)
}

fn verifier(builder: JwtVerifierBuilder) -> JwtVerifier {
    builder.issuer(ISSUER).audience("travel-tools").subject_claim("user_id").clock(now).build().unwrap()
}

fn alice() -> Identity {
    Identity::new("alice").with_name("Alice").with_issuer("https://login.example.com").with_role("traveler")
}

#[tokio::test]
async fn services_verify_the_tokens() {
    let hs256 = complete(ServiceTokenMinter::hs256(SECRET)).build().unwrap();
    let es256 = complete(ServiceTokenMinter::es256(p256_pem()).key_id("agents-1")).build().unwrap();
    assert_eq!(hs256.jwks(), json!({"keys": []}));
    let with_secret = verifier(JwtVerifier::builder().hs256_secret(SECRET));
    let with_keys = verifier(JwtVerifier::builder().jwks(es256.jwks().to_string()));
    for (minter, verifier, other) in [(&hs256, &with_secret, &with_keys), (&es256, &with_keys, &with_secret)] {
        let token = minter.token_for(&alice()).unwrap();
        let identity = verifier.verify(token.expose_secret()).await.unwrap();
        assert_eq!((identity.subject.as_str(), identity.name.as_deref()), ("alice", Some("Alice")));
        let jti = identity.claim("jti").and_then(Value::as_str).unwrap();
        assert_eq!(jti.len(), 22);
        let claims = json!({
            "iss": ISSUER, "sub": "travel-agent", "aud": "travel-tools", "iat": NOW, "exp": NOW + 300, "jti": jti,
            "user_id": "alice", "user_name": "Alice",
        });
        assert_eq!(Value::Object(identity.claims), claims);
        assert!(other.verify(token.expose_secret()).await.is_err());
    }
}

#[test]
fn a_token_is_cached_until_shortly_before_it_ends() {
    let time = Arc::new(AtomicU64::new(NOW));
    let clock = Arc::clone(&time);
    let minter = complete(ServiceTokenMinter::hs256(SECRET))
        .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed)))
        .build()
        .unwrap();
    let token = |user: &Identity| minter.token_for(user).unwrap().expose_secret().to_owned();
    let first = token(&alice());
    time.store(NOW + 239, Ordering::Relaxed);
    assert_eq!(minter.clone().token_for(&alice()).unwrap().expose_secret(), first, "a minute before the end");
    time.store(NOW + 240, Ordering::Relaxed);
    let second = token(&alice());
    assert_ne!(second, first);
    assert_eq!(token(&alice()), second);
}

#[test]
fn each_user_gets_a_token_of_its_own() {
    let minter = complete(ServiceTokenMinter::hs256(SECRET)).build().unwrap();
    let token = |user: Identity| minter.token_for(&user).unwrap().expose_secret().to_owned();
    let users = [
        alice(),
        Identity::new("bob"),
        Identity::new("alice").with_issuer("https://other.example.com"),
        Identity::new("alice"),
        alice().with_role("manager"),
        alice().with_name("Al"),
    ];
    let tokens: std::collections::HashSet<String> = users.into_iter().map(token).collect();
    assert_eq!(tokens.len(), 6);
}

#[test]
fn the_cache_is_bounded() {
    for (size, cached) in [(0, 0), (1, 1), (3, 3)] {
        let minter = complete(ServiceTokenMinter::hs256(SECRET)).cache_size(size).build().unwrap();
        for user in 0..100 {
            minter.token_for(&Identity::new(format!("user-{user}"))).unwrap();
        }
        assert!(format!("{minter:?}").contains(&format!("cached: {cached},")), "{minter:?}");
    }
    // The oldest one goes.
    let time = Arc::new(AtomicU64::new(NOW));
    let clock = Arc::clone(&time);
    let minter = complete(ServiceTokenMinter::hs256(SECRET))
        .cache_size(2)
        .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.fetch_add(1, Ordering::Relaxed)))
        .build()
        .unwrap();
    let token = |user: &str| minter.token_for(&Identity::new(user)).unwrap().expose_secret().to_owned();
    let (a, b) = (token("a"), token("b"));
    token("c");
    assert_eq!(token("b"), b);
    assert_ne!(token("a"), a);
}

#[tokio::test]
async fn adds_claims_of_the_user_that_replace_none_of_its_own() {
    let minter = complete(ServiceTokenMinter::hs256(SECRET))
        .user_claims(|user| {
            let forged = json!({"sub": "root", "user_id": "root", "user_name": "root", "exp": 1, "nbf": 4_000_000_000_u64, "aud": "x"});
            let mut claims: Map<String, Value> = forged.as_object().unwrap().clone();
            claims.insert("roles".into(), json!(user.roles));
            claims
        })
        .build()
        .unwrap();
    let verifier = verifier(JwtVerifier::builder().hs256_secret(SECRET));
    let identity = verifier.verify(minter.token_for(&alice()).unwrap().expose_secret()).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.roles.as_slice()), ("alice", &["traveler".to_owned()] as &[_]));
    let unnamed = Identity::new("bob");
    let identity = verifier.verify(minter.token_for(&unnamed).unwrap().expose_secret()).await.unwrap();
    assert_eq!(identity.claim("user_name"), None);
}

#[test]
fn refuses_incomplete_settings_and_keys_of_other_kinds() {
    let missing = |builder: ServiceTokenMinterBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(missing(ServiceTokenMinter::hs256(SECRET)), "missing setting: call `agent`");
    assert_eq!(missing(ServiceTokenMinter::hs256(SECRET).agent("a")), "missing setting: call `issuer`");
    assert_eq!(missing(ServiceTokenMinter::hs256(SECRET).agent("a").issuer("i")), "missing setting: call `audience`");
    for secret in ["", &SECRET[1..]] {
        let built = complete(ServiceTokenMinter::hs256(secret)).build();
        assert!(matches!(built, Err(JwtSetupError::ShortSecret)));
    }
    let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    for key in ["", "secret", RSA, &pem(p384.as_ref()), &pem(b"DER")] {
        let built = complete(ServiceTokenMinter::es256(key)).build();
        assert!(matches!(built, Err(JwtSetupError::InvalidPrivateKey)));
    }
    for seconds in [0, 9, 3601] {
        let built = complete(ServiceTokenMinter::hs256(SECRET)).lifetime(Duration::from_secs(seconds)).build();
        assert!(matches!(built, Err(JwtSetupError::OutOfRange { setting: "lifetime", .. })));
    }
    let minter = complete(ServiceTokenMinter::hs256(SECRET)).build().unwrap();
    assert!(matches!(minter.token_for(&Identity::new("")), Err(MintError::NoSubject)));
}

#[test]
fn shows_no_secrets() {
    let builder = complete(ServiceTokenMinter::hs256(SECRET));
    let mut shown = format!("{builder:?}");
    let minter = builder.build().unwrap();
    let token = minter.token_for(&alice()).unwrap();
    shown += &format!("{minter:?} {token:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(token.expose_secret()), "{shown}");
}
