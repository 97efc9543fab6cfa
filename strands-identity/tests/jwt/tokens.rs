//! Tokens that are accepted, and all ways in which one is refused.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use strands_identity::{Audit, Identity, JwtAlgorithm, JwtReason, MemoryAudit};

use crate::support::{
    AUDIENCE, ISSUER, Key, NOW, RSA, SECRET, b64, builder, claims, hmac_token, key_set, reasons, verify,
};

fn header(changes: &Value) -> Value {
    let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": "1"});
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    header
}

/// Verifies a token with other claims, signed by the right key.
async fn with_claims(changes: Value) -> Result<Identity, JwtReason> {
    let key = Key::p256();
    verify(&key_set([key.jwk("1")]), &key.token(&header(&json!({})), &claims(changes))).await
}

/// Verifies a token with another header, signed by the right key.
async fn with_header(changes: Value) -> Result<Identity, JwtReason> {
    let key = Key::p256();
    verify(&key_set([key.jwk("1")]), &key.token(&header(&changes), &claims(json!({})))).await
}

#[tokio::test]
async fn accepts_every_algorithm() {
    for (key, algorithms) in [
        (Key::rsa(RSA), &["RS256", "RS384", "RS512", "PS256"] as &[&str]),
        (Key::p256(), &["ES256"]),
        (Key::p384(), &["ES384"]),
        (Key::ed25519(), &["EdDSA"]),
    ] {
        for algorithm in algorithms {
            let token = key.token(&header(&json!({"alg": algorithm})), &claims(json!({})));
            let identity = verify(&key_set([key.jwk("1")]), &token).await;
            assert_eq!(identity.map(|identity| identity.subject), Ok("alice".to_owned()), "{algorithm}");
        }
    }
    let verifier = builder().hs256_secret(SECRET).build().unwrap();
    for kid in [json!({}), json!({"kid": "any"})] {
        let mut with_id = json!({"alg": "HS256"});
        with_id.as_object_mut().unwrap().extend(kid.as_object().unwrap().clone());
        assert!(verifier.verify(&hmac_token(SECRET.as_bytes(), &with_id, &claims(json!({})))).await.is_ok());
    }
}

#[tokio::test]
async fn accepts_times_within_the_leeway_alone() {
    assert!(with_claims(json!({"exp": NOW - 29})).await.is_ok());
    assert_eq!(with_claims(json!({"exp": NOW - 30})).await, Err(JwtReason::Expired));
    assert_eq!(with_claims(json!({"exp": 0})).await, Err(JwtReason::Expired));
    assert!(with_claims(json!({"nbf": NOW + 30})).await.is_ok());
    assert_eq!(with_claims(json!({"nbf": NOW + 31})).await, Err(JwtReason::NotYetValid));
    assert!(with_claims(json!({"iat": NOW + 30})).await.is_ok());
    assert_eq!(with_claims(json!({"iat": NOW + 31})).await, Err(JwtReason::IssuedInFuture));
    assert!(with_claims(json!({"exp": NOW as f64 + 0.5, "nbf": null, "iat": null})).await.is_ok());
}

#[tokio::test]
async fn refuses_every_token_if_the_clock_is_wrong() {
    let key = Key::p256();
    let builder = builder().jwks(key_set([key.jwk("1")]).to_string());
    let verifier = builder.clock(|| SystemTime::UNIX_EPOCH - Duration::from_secs(1)).build().unwrap();
    let token = key.token(&header(&json!({})), &claims(json!({"nbf": null, "iat": null})));
    assert_eq!(verifier.verify(&token).await.unwrap_err().reason(), &JwtReason::Clock);
}

#[tokio::test]
async fn refuses_missing_and_wrong_typed_claims() {
    for name in ["iss", "sub", "aud", "exp"] {
        assert_eq!(with_claims(json!({name: null})).await, Err(JwtReason::MissingClaim(name.into())));
    }
    for (name, values) in [
        ("iss", json!([1, [ISSUER], {}, true, ""])),
        ("sub", json!([1, ["alice"], {}, true, ""])),
        ("aud", json!([1, [], [1], [AUDIENCE, 1], {}, true])),
        ("exp", json!(["4102444800", [NOW + 1], {}, true, -1, 1e300, 4_102_444_800_000_u64])),
        ("nbf", json!(["0", -1, [], true])),
        ("iat", json!(["0", -1, [], true])),
        ("roles", json!([1, ["a", 1], {}, true])),
        ("scope", json!([1, ["a", 1], {}, true])),
    ] {
        for value in values.as_array().unwrap() {
            let refused = with_claims(json!({name: value})).await;
            assert_eq!(refused, Err(JwtReason::InvalidClaim(name.into())), "{name}: {value}");
        }
    }
    // `null` is not the same as a missing claim.
    let key = Key::p256();
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "roles"] {
        let mut claims = claims(json!({}));
        claims[name] = Value::Null;
        let refused = verify(&key_set([key.jwk("1")]), &key.token(&header(&json!({})), &claims)).await;
        assert_eq!(refused, Err(JwtReason::InvalidClaim(name.into())));
    }
}

#[tokio::test]
async fn refuses_other_issuers_and_audiences() {
    for issuer in ["https://issuer.example.com/", "https://ISSUER.example.com", "https://evil.example.com"] {
        assert_eq!(with_claims(json!({"iss": issuer})).await, Err(JwtReason::Issuer));
    }
    for audience in [json!("other"), json!(["other", "travel"]), json!("travel-api ")] {
        assert_eq!(with_claims(json!({"aud": audience})).await, Err(JwtReason::Audience));
    }
    assert!(with_claims(json!({"aud": ["other", AUDIENCE]})).await.is_ok());
}

#[tokio::test]
async fn refuses_headers_that_change_the_meaning_or_bring_a_key() {
    let own = Key::p256().jwk("1");
    for (changes, reason) in [
        (json!({"alg": "none"}), JwtReason::Algorithm),
        (json!({"alg": "HS256"}), JwtReason::Algorithm),
        (json!({"alg": "ES512"}), JwtReason::Algorithm),
        (json!({"alg": "RS256"}), JwtReason::KeyMismatch),
        (json!({"alg": "ES384"}), JwtReason::KeyMismatch),
        (json!({"kid": "2"}), JwtReason::UnknownKey),
        (json!({"crit": ["exp"]}), JwtReason::Extension),
        (json!({"crit": ["b64"], "b64": false}), JwtReason::Extension),
        (json!({"cty": "JWT"}), JwtReason::Nested),
        (json!({"enc": "A128GCM"}), JwtReason::Encrypted),
        (json!({"jku": "https://evil.example.com/jwks.json"}), JwtReason::KeyInHeader),
        (json!({"x5u": "https://evil.example.com/chain.pem"}), JwtReason::KeyInHeader),
        (json!({"jwk": own}), JwtReason::KeyInHeader),
        (json!({"x5c": ["MII="]}), JwtReason::KeyInHeader),
        (json!({"typ": "logout+jwt"}), JwtReason::TokenType),
    ] {
        assert_eq!(with_header(changes.clone()).await, Err(reason), "{changes}");
    }
}

#[tokio::test]
async fn refuses_forms_other_than_three_parts() {
    let key = Key::p256();
    let keys = key_set([key.jwk("1")]);
    let token = key.token(&header(&json!({})), &claims(json!({})));
    let (message, signature) = token.rsplit_once('.').unwrap();
    for (form, reason) in [
        (String::new(), JwtReason::Malformed),
        (message.to_owned(), JwtReason::Malformed),
        (format!("{token}."), JwtReason::Malformed),
        (format!("{token}.."), JwtReason::Encrypted),
        (format!("{message}."), JwtReason::Signature),
        (format!(".{token}"), JwtReason::Malformed),
        (format!("{token}="), JwtReason::Malformed),
        (format!("{token} "), JwtReason::Malformed),
        (format!(" {token}"), JwtReason::Malformed),
        (format!("{token}\n"), JwtReason::Malformed),
        (format!("{message}.{signature}A"), JwtReason::Signature),
        (token.replace('.', "。"), JwtReason::Malformed),
        ("é".repeat(9000), JwtReason::TooLarge),
        // Nothing of a token that is too large is decoded.
        (key.token(&header(&json!({})), &claims(json!({"pad": "x".repeat(20_000)}))), JwtReason::TooLarge),
    ] {
        assert_eq!(verify(&keys, &form).await, Err(reason), "{}", form.chars().take(80).collect::<String>());
    }
    // The JSON form of a signature.
    let json = json!({"protected": b64("{}"), "payload": b64("{}"), "signature": ""}).to_string();
    assert_eq!(verify(&keys, &json).await, Err(JwtReason::Malformed));
}

#[tokio::test]
async fn refuses_texts_that_two_programs_read_differently() {
    let key = Key::p256();
    let keys = key_set([key.jwk("1")]);
    let (good_header, good_claims) = (header(&json!({})).to_string(), claims(json!({})).to_string());
    let twice = |object: &str, member: &str| format!("{{{member},{}", &object[1..]);
    for (header, claims, reason) in [
        (twice(&good_header, r#""kid":"0""#), good_claims.clone(), JwtReason::DuplicateMember),
        (twice(&good_header, r#""alg":"none""#), good_claims.clone(), JwtReason::DuplicateMember),
        (good_header.clone(), twice(&good_claims, r#""sub":"admin""#), JwtReason::DuplicateMember),
        (good_header.clone(), twice(&good_claims, r#""s\u0075b":"admin""#), JwtReason::DuplicateMember),
        (good_header.clone(), twice(&good_claims, r#""deep":{"a":1,"a":2}"#), JwtReason::DuplicateMember),
        (good_header.clone(), format!("{good_claims}{{}}"), JwtReason::Malformed),
        (good_header.clone(), format!("[{good_claims}]"), JwtReason::Malformed),
        (good_header.clone(), r#""eyJ.eyJ.sig""#.to_owned(), JwtReason::Malformed),
        (good_header.clone(), String::new(), JwtReason::Malformed),
    ] {
        let refused = verify(&keys, &key.token_of_texts("ES256", &header, &claims)).await;
        assert_eq!(refused, Err(reason), "{header} {claims}");
    }
}

#[tokio::test]
async fn refuses_signatures_of_other_keys_and_of_the_public_key_as_a_secret() {
    let (key, rogue) = (Key::rsa(RSA), Key::rsa(crate::support::OTHER_RSA));
    let keys = key_set([key.jwk("1")]);
    let rs256 = header(&json!({"alg": "RS256"}));
    assert_eq!(verify(&keys, &rogue.token(&rs256, &claims(json!({})))).await, Err(JwtReason::Signature));

    let public = key.jwk("1");
    for secret in [public["n"].as_str().unwrap().as_bytes(), public.to_string().as_bytes(), b""] {
        let token = hmac_token(secret, &header(&json!({"alg": "HS256"})), &claims(json!({})));
        assert_eq!(verify(&keys, &token).await, Err(JwtReason::Algorithm));
    }
    let verifier = builder().hs256_secret(SECRET).build().unwrap();
    let empty = hmac_token(b"", &json!({"alg": "HS256"}), &claims(json!({})));
    assert_eq!(verifier.verify(&empty).await.unwrap_err().reason(), &JwtReason::Signature);
    let asymmetric = key.token(&rs256, &claims(json!({})));
    assert_eq!(verifier.verify(&asymmetric).await.unwrap_err().reason(), &JwtReason::Algorithm);
}

#[tokio::test]
async fn allows_only_algorithms_of_the_settings() {
    let key = Key::rsa(RSA);
    let verifier =
        builder().jwks(key_set([key.jwk("1")]).to_string()).algorithms([JwtAlgorithm::Ps256]).build().unwrap();
    assert!(verifier.verify(&key.token(&header(&json!({"alg": "PS256"})), &claims(json!({})))).await.is_ok());
    let refused = verifier.verify(&key.token(&header(&json!({"alg": "RS256"})), &claims(json!({})))).await;
    assert_eq!(refused.unwrap_err().reason(), &JwtReason::Algorithm);
}

#[tokio::test]
async fn requires_claims_of_the_settings() {
    let key = Key::p256();
    let verifier = builder()
        .jwks(key_set([key.jwk("1")]).to_string())
        .require_claim("tenant")
        .require_claim_value("token_use", "access")
        .build()
        .unwrap();
    for (changes, reason) in [
        (json!({"tenant": "t", "token_use": "access"}), None),
        (json!({"token_use": "access"}), Some(JwtReason::MissingClaim("tenant".into()))),
        (json!({"tenant": "t"}), Some(JwtReason::MissingClaim("token_use".into()))),
        (json!({"tenant": "t", "token_use": "id"}), Some(JwtReason::ClaimValue("token_use".into()))),
    ] {
        let result = verifier.verify(&key.token(&header(&json!({})), &claims(changes))).await;
        assert_eq!(result.err().map(|error| error.reason().clone()), reason);
    }
}

#[tokio::test]
async fn tells_the_reason_to_the_audit_alone() {
    let key = Key::p256();
    let records = MemoryAudit::new();
    let verifier = builder()
        .jwks(key_set([key.jwk("1")]).to_string())
        .audit(Audit::new(records.clone()))
        .leeway(Duration::ZERO)
        .build()
        .unwrap();
    let secret = "claim-value-that-stays-private";
    let token = key.token(&header(&json!({})), &claims(json!({"exp": NOW, "sub": secret, "aud": AUDIENCE})));
    for (authorization, reason) in [
        (None, "no bearer token"),
        (Some("Basic YTpi"), "no bearer token"),
        (Some("Bearer x"), "malformed token"),
        (Some(&*format!("Bearer {token}")), "expired token"),
        (Some(&*format!("bearer  {token}")), "expired token"),
    ] {
        let error = verifier.verify_bearer(authorization).await.unwrap_err();
        assert_eq!((error.to_string(), format!("{error:?}")), ("invalid token".to_owned(), "invalid token".to_owned()));
        assert_eq!(reasons(&records).last().unwrap(), reason);
        assert!(!error.is_unavailable() && std::error::Error::source(&error).is_none());
    }
    assert_eq!(reasons(&records).len(), 5);
    let shown = format!("{verifier:?} {:?}", reasons(&records));
    assert!(!shown.contains(secret) && !shown.contains(&token), "{shown}");

    verifier.verify(&key.token(&header(&json!({})), &claims(json!({})))).await.unwrap();
    assert_eq!(reasons(&records).len(), 5, "accepted tokens are not refusals");
}
