//! Keys of an issuer: which are usable, and for which tokens.

use serde_json::{Value, json};
use strands_identity::{JwtReason, JwtSetupError};

use crate::support::{Key, OTHER_RSA, RSA, b64, builder, claims, key_set, verify};

fn with(mut key: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

fn unusable(key: &Value) -> Option<&'static str> {
    match builder().jwks(key_set([key.clone()]).to_string()).build() {
        Err(JwtSetupError::UnusableKey { index: 0, reason }) => Some(reason),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[test]
fn refuses_keys_with_private_parts() {
    for key in [Key::rsa(RSA), Key::p256(), Key::ed25519()] {
        for part in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let reason = unusable(&with(key.jwk("1"), &json!({part: "AQAB"})));
            assert_eq!(reason, Some("it has private parts, so it is compromised"), "{part}");
        }
    }
    assert!(unusable(&json!({"kty": "oct", "k": b64([7; 32]), "alg": "HS256"})).is_some());
}

#[test]
fn refuses_weak_and_invalid_keys() {
    let rsa = Key::rsa(RSA).jwk("1");
    let modulus = |bits: usize| {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] = 0xff >> (bytes.len() * 8 - bits);
        with(rsa.clone(), &json!({"n": b64(bytes)}))
    };
    for bits in [8, 1024, 2047] {
        assert_eq!(unusable(&modulus(bits)), Some("an RSA key of fewer than 2048 bits"), "{bits}");
    }
    for bits in [2048, 4096, 8192] {
        assert_eq!(unusable(&modulus(bits)), None, "{bits}");
    }
    assert_eq!(unusable(&modulus(8193)), Some("an RSA key of more than 8192 bits"));
    for exponent in ["", "AA", "AQ", "Ag", "AAAAAAAA", "AQAAAAAB"] {
        assert!(unusable(&with(rsa.clone(), &json!({"e": exponent}))).is_some(), "{exponent}");
    }
    for (key, changes) in [
        (Key::rsa(RSA), json!({"n": null})),
        (Key::rsa(RSA), json!({"n": "not base64!"})),
        (Key::rsa(RSA), json!({"kty": "rsa"})),
        (Key::p256(), json!({"x": "AQ"})),
        (Key::p256(), json!({"y": null})),
        (Key::p256(), json!({"crv": "P-521"})),
        (Key::p256(), json!({"crv": "P-384"})),
        (Key::p256(), json!({"crv": "secp256k1"})),
        (Key::ed25519(), json!({"crv": "X25519"})),
        (Key::ed25519(), json!({"x": "AQ"})),
        (Key::ed25519(), json!({"kty": null})),
    ] {
        assert!(unusable(&with(key.jwk("1"), &changes)).is_some(), "{changes}");
    }
}

#[test]
fn respects_the_use_of_a_key() {
    let key = Key::rsa(RSA).jwk("1");
    for changes in [
        json!({"use": "sig"}),
        json!({"key_ops": ["verify"]}),
        json!({"use": "sig", "key_ops": ["sign", "verify"], "alg": "PS256"}),
    ] {
        assert_eq!(unusable(&with(key.clone(), &changes)), None, "{changes}");
    }
    for changes in [
        json!({"use": "enc"}),
        json!({"use": null}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": []}),
        json!({"key_ops": "verify"}),
        json!({"alg": "RSA-OAEP"}),
        json!({"alg": "ES256"}),
        json!({"alg": "HS256"}),
        json!({"alg": 7}),
    ] {
        assert!(unusable(&with(key.clone(), &changes)).is_some(), "{changes}");
    }
}

#[tokio::test]
async fn uses_a_key_for_its_own_algorithm_alone() {
    let key = Key::rsa(RSA);
    let keys = key_set([with(key.jwk("1"), &json!({"alg": "RS256"}))]);
    for (algorithm, expected) in
        [("RS256", None), ("RS384", Some(JwtReason::KeyMismatch)), ("PS256", Some(JwtReason::KeyMismatch))]
    {
        let token = key.token(&json!({"alg": algorithm, "kid": "1"}), &claims(json!({})));
        assert_eq!(verify(&keys, &token).await.err(), expected, "{algorithm}");
    }
}

#[tokio::test]
async fn finds_the_key_of_a_token() {
    let (first, second, ec) = (Key::rsa(RSA), Key::rsa(OTHER_RSA), Key::p256());
    let token = |key: &Key, header: Value| key.token(&header, &claims(json!({})));

    let keys = key_set([first.jwk("1"), second.jwk("2"), ec.jwk("1")]);
    for (key, header) in [
        (&first, json!({"alg": "RS256", "kid": "1"})),
        (&second, json!({"alg": "RS256", "kid": "2"})),
        (&ec, json!({"alg": "ES256", "kid": "1"})),
        (&ec, json!({"alg": "ES256"})),
    ] {
        assert!(verify(&keys, &token(key, header.clone())).await.is_ok(), "{header}");
    }
    for (key, header, reason) in [
        (&first, json!({"alg": "RS256", "kid": "2"}), JwtReason::Signature),
        (&first, json!({"alg": "RS256"}), JwtReason::MissingKeyId),
        (&first, json!({"alg": "RS256", "kid": ""}), JwtReason::UnknownKey),
        (&ec, json!({"alg": "ES256", "kid": "2"}), JwtReason::KeyMismatch),
    ] {
        assert_eq!(verify(&keys, &token(key, header.clone())).await, Err(reason), "{header}");
    }
    let twins = key_set([first.jwk("1"), second.jwk("1")]);
    let named = token(&first, json!({"alg": "RS256", "kid": "1"}));
    assert_eq!(verify(&twins, &named).await, Err(JwtReason::AmbiguousKey));

    // A key without an id is not the key of an id.
    let mut without_id = first.jwk("1");
    without_id.as_object_mut().unwrap().remove("kid");
    let keys = key_set([without_id]);
    assert_eq!(verify(&keys, &named).await, Err(JwtReason::UnknownKey));
    assert!(verify(&keys, &token(&first, json!({"alg": "RS256"}))).await.is_ok());
}

#[test]
fn refuses_invalid_sets() {
    let many = key_set((0..101).map(|_| Key::ed25519().jwk("1"))).to_string();
    let key = Key::ed25519().jwk("1").to_string();
    let twice = format!(r#"{{"keys":[{}]}}"#, key.replacen('{', r#"{"kid":"0","#, 1));
    for json in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, r#"{"keys":[],"keys":[]}"#, &twice, &many] {
        let error = builder().jwks(json).build().unwrap_err();
        assert!(matches!(error, JwtSetupError::InvalidKeySet(_)), "{error}");
    }
    let error = builder().jwks(r#"{"keys":[7]}"#).build().unwrap_err();
    assert!(matches!(error, JwtSetupError::UnusableKey { index: 0, .. }), "{error}");
}
