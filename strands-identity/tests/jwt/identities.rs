//! Mapping of claims to identities.

use serde::Deserialize;
use serde_json::{Value, json};
use strands_identity::{Identity, JwtReason, JwtVerifierBuilder};

use crate::support::{ISSUER, Key, builder, claims, key_set};

async fn identity(settings: impl Fn(JwtVerifierBuilder) -> JwtVerifierBuilder, changes: Value) -> Identity {
    let key = Key::ed25519();
    let verifier = settings(builder().jwks(key_set([key.jwk("1")]).to_string())).build().unwrap();
    verifier.verify(&key.token(&json!({"alg": "EdDSA"}), &claims(changes))).await.unwrap()
}

#[tokio::test]
async fn maps_the_usual_claims() {
    let alice = identity(|builder| builder, json!({"email": "a@example.com"})).await;
    assert_eq!((alice.subject.as_str(), alice.name.as_deref()), ("alice", Some("Alice")));
    assert_eq!(alice.issuer.as_deref(), Some(ISSUER));
    assert_eq!(
        (alice.roles.clone(), alice.scopes.clone()),
        (vec!["traveler".into()], vec!["read".into(), "write".into()])
    );
    assert_eq!(alice.claim("email"), Some(&json!("a@example.com")));
    assert_eq!(alice.claim("sub"), Some(&json!("alice")));
}

#[tokio::test]
async fn maps_roles_of_every_form() {
    let none = identity(|builder| builder.roles_claim("groups"), json!({})).await;
    assert!(none.roles.is_empty(), "the default is replaced");

    let settings = |builder: JwtVerifierBuilder| {
        builder.roles_claim("cognito:groups").roles_claim(["realm_access", "roles"]).roles_claim("https://e.com/role")
    };
    let changes = json!({
        "cognito:groups": ["a", "b"], "realm_access": {"roles": ["b", "c"]}, "https://e.com/role": "two words",
        "realm_access.roles": ["literal"],
    });
    assert_eq!(identity(settings, changes).await.roles, ["a", "b", "c", "two words"]);
    assert!(identity(settings, json!({"realm_access": {"roles": []}, "cognito:groups": []})).await.roles.is_empty());
}

#[tokio::test]
async fn maps_names_and_scopes_of_every_form() {
    for (changes, name) in [
        (json!({"name": null, "preferred_username": "al", "username": "x"}), Some("al")),
        (json!({"name": 1, "username": "x"}), Some("x")),
        (json!({"name": "", "user_name": "u"}), Some("u")),
        (json!({"name": null}), None),
    ] {
        assert_eq!(identity(|builder| builder, changes).await.name.as_deref(), name);
    }
    let by_email = identity(|builder| builder.name_claim("email"), json!({"email": "a@example.com"})).await;
    assert_eq!(by_email.name.as_deref(), Some("a@example.com"));
    for (changes, scopes) in [
        (json!({"scope": ["a", "b"]}), &["a", "b"] as &[&str]),
        (json!({"scope": null, "scp": "c  d"}), &["c", "d"]),
        (json!({"scope": null, "scp": ["e"]}), &["e"]),
        (json!({"scope": ""}), &[]),
        (json!({"scope": null}), &[]),
    ] {
        assert_eq!(identity(|builder| builder, changes).await.scopes, scopes);
    }
}

#[tokio::test]
async fn maps_the_subject_of_service_tokens() {
    let settings = |builder: JwtVerifierBuilder| builder.subject_claim("user_id");
    assert_eq!(identity(settings, json!({"sub": "agent", "user_id": "alice"})).await.subject, "alice");

    let key = Key::ed25519();
    let verifier = settings(builder().jwks(key_set([key.jwk("1")]).to_string())).build().unwrap();
    for (changes, reason) in [
        (json!({}), JwtReason::MissingClaim("user_id".into())),
        (json!({"user_id": ""}), JwtReason::InvalidClaim("user_id".into())),
        (json!({"user_id": 7}), JwtReason::InvalidClaim("user_id".into())),
        (json!({"user_id": "alice", "sub": null}), JwtReason::MissingClaim("sub".into())),
    ] {
        let error = verifier.verify(&key.token(&json!({"alg": "EdDSA"}), &claims(changes))).await.unwrap_err();
        assert_eq!(error.reason(), &reason);
    }
}

#[tokio::test]
async fn returns_claims_of_the_programs_type() {
    #[derive(Deserialize, PartialEq, Debug)]
    struct Claims {
        sub: String,
        tenant: u32,
    }
    let key = Key::ed25519();
    let verifier = builder().jwks(key_set([key.jwk("1")]).to_string()).build().unwrap();
    let token = |tenant: Value| key.token(&json!({"alg": "EdDSA"}), &claims(json!({"tenant": tenant})));
    let (alice, typed) = verifier.verify_claims::<Claims>(&token(json!(7))).await.unwrap();
    assert_eq!((alice.subject.as_str(), typed), ("alice", Claims { sub: "alice".into(), tenant: 7 }));

    let error = verifier.verify_claims::<Claims>(&token(json!("seven"))).await.unwrap_err();
    assert_eq!((error.reason(), error.to_string().as_str()), (&JwtReason::ClaimsType, "invalid token"));
    let expired = key.token(&json!({"alg": "EdDSA"}), &claims(json!({"tenant": 7, "exp": 1})));
    assert_eq!(verifier.verify_claims::<Claims>(&expired).await.unwrap_err().reason(), &JwtReason::Expired);
}

#[tokio::test]
async fn accepts_tokens_without_an_audience_by_choice_alone() {
    let key = Key::ed25519();
    let cognito = strands_identity::JwtVerifier::builder()
        .jwks(key_set([key.jwk("1")]).to_string())
        .issuer(ISSUER)
        .any_audience()
        .require_claim_value("client_id", "app")
        .clock(crate::support::now)
        .build()
        .unwrap();
    let token = |changes: Value| key.token(&json!({"alg": "EdDSA"}), &claims(changes));
    assert!(cognito.verify(&token(json!({"aud": null, "client_id": "app"}))).await.is_ok());
    assert!(cognito.verify(&token(json!({"aud": "other", "client_id": "app"}))).await.is_ok());
    assert!(cognito.verify(&token(json!({"aud": 1, "client_id": "app"}))).await.is_err());
    assert!(cognito.verify(&token(json!({"aud": null, "client_id": "evil"}))).await.is_err());
}
