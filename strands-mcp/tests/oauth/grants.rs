//! Grants, and how clients authenticate.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde_json::{Value, json};
use strands_mcp::{AuthorizationCode, ClientCredentials, OAuth, OAuthClient, OAuthError, WorkloadIdentity};

use crate::authorization_server::{Behavior, Servers};
use crate::tokens::Shared;
use crate::{REDIRECT_URI, by_user, failure, request};

#[tokio::test]
async fn registers_a_client_and_lets_a_user_authorize() {
    let servers = Servers::start(Behavior::default()).await;
    let grant = AuthorizationCode::new(REDIRECT_URI, Servers::visit).client_name("Travel agent");
    let source = OAuth::new(grant).token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    let seen = servers.seen.lock().unwrap();
    assert_eq!(seen.registrations.len(), 1);
    assert_eq!(seen.registrations[0]["client_name"], "Travel agent");
    let authorization = &seen.authorizations[0];
    assert_eq!(authorization["client_id"], "client-1");
    assert_eq!(authorization["redirect_uri"], REDIRECT_URI);
    assert_eq!(authorization["resource"], servers.server);
    assert_eq!(authorization["scope"], "read");
    let token_request = &seen.token_requests[0];
    assert_eq!(token_request["redirect_uri"], REDIRECT_URI);
    assert_eq!(token_request["resource"], servers.server);
    assert_eq!(token_request["client_id"], "client-1");
}

#[tokio::test]
async fn uses_the_clients_metadata_document_where_it_is_supported() {
    const DOCUMENT: &str = "https://agent.example.com/client.json";
    for (supported, id) in [(true, DOCUMENT), (false, "client-1")] {
        let metadata = json!({"client_id_metadata_document_supported": supported});
        let servers = Servers::start(Behavior { metadata, ..Behavior::default() }).await;
        let grant = AuthorizationCode::new(REDIRECT_URI, Servers::visit).client_metadata_url(DOCUMENT);
        let source = OAuth::new(grant).token_source(&servers.server).unwrap();

        assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

        assert_eq!(servers.seen.lock().unwrap().authorizations[0]["client_id"], id);
    }
}

#[tokio::test]
async fn sends_a_secret_as_the_authorization_server_supports_it() {
    for (methods, is_basic) in [
        (json!(null), true),
        (json!(["client_secret_post", "client_secret_basic"]), true),
        (json!(["client_secret_post"]), false),
    ] {
        let metadata = json!({"token_endpoint_auth_methods_supported": methods});
        let servers = Servers::start(Behavior { metadata, ..Behavior::default() }).await;
        let client = OAuthClient::with_secret("report", "s&cret");
        let oauth = OAuth::new(ClientCredentials::new(client)).scopes(["read", "write"]);
        let source = oauth.token_source(&servers.server).unwrap();

        assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

        let seen = servers.seen.lock().unwrap();
        assert_eq!(seen.token_requests[0]["grant_type"], "client_credentials");
        assert_eq!(seen.token_requests[0]["scope"], "read write");
        assert_eq!(seen.token_requests[0]["resource"], servers.server);
        if is_basic {
            // The parts are form-encoded before they are joined.
            assert_eq!(seen.basic, [format!("Basic {}", STANDARD.encode("report:s%26cret"))]);
            assert!(!seen.token_requests[0].contains_key("client_secret"));
        } else {
            assert_eq!(seen.token_requests[0]["client_secret"], "s&cret");
            assert!(seen.basic.is_empty());
        }
    }
}

#[tokio::test]
async fn authenticates_by_a_signed_assertion() {
    let servers = Servers::start(Behavior::default()).await;
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let client = OAuthClient::with_private_key("report", pem).unwrap().key_id("key-1");
    let source = OAuth::new(ClientCredentials::new(client)).token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    let seen = servers.seen.lock().unwrap();
    let assertion = &seen.token_requests[0]["client_assertion"];
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("report"), &json!(servers.issuer)));
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.public_key());
    public.verify(signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn exchanges_the_identity_of_a_workload() {
    let servers = Servers::start(Behavior::default()).await;
    let grant = WorkloadIdentity::new(OAuthClient::public("report"), |issuer| async move {
        Ok::<_, std::io::Error>(format!("token for {issuer}"))
    });
    let source = OAuth::new(grant).token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    let seen = servers.seen.lock().unwrap();
    assert_eq!(seen.token_requests[0]["assertion"], format!("token for {}", servers.issuer));
    assert_eq!(seen.token_requests[0]["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
}

#[tokio::test]
async fn reports_that_a_user_denied() {
    let redirect = json!({"code": null, "error": "access_denied", "error_description": "not today\n"});
    let servers = Servers::start(Behavior { redirect, ..Behavior::default() }).await;

    let error = failure(by_user(), &servers).await;

    assert_eq!(error.to_string(), "authorization denied: access_denied (not today )");
    assert_eq!(servers.token_requests(), 0);
}

#[tokio::test]
async fn a_user_who_denied_needs_no_other_registration() {
    let redirect = json!({"code": null, "error": "access_denied"});
    let servers = Servers::start(Behavior { redirect, ..Behavior::default() }).await;
    let store = Shared::default();
    let source = by_user().store(store.clone()).token_source(&servers.server).unwrap();
    for _ in 0..3 {
        assert!(request(&source, &servers.server).await.is_err());
    }

    servers.behavior.lock().unwrap().redirect = json!(null);
    // Another process.
    let source = by_user().store(store).token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    assert_eq!(servers.seen.lock().unwrap().registrations.len(), 1);
}

#[tokio::test]
async fn reports_a_failed_callback() {
    let servers = Servers::start(Behavior::default()).await;
    let grant = AuthorizationCode::new(REDIRECT_URI, |_url| async { Err::<String, _>("no browser") });

    let error = failure(OAuth::new(grant), &servers).await;

    assert!(matches!(error, OAuthError::Callback(_)), "{error:?}");
    assert_eq!(crate::messages(&error), "the OAuth callback failed: no browser");
}

#[tokio::test]
async fn a_program_on_the_users_computer_listens_for_the_redirect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let servers = Servers::start(Behavior::default()).await;
    let grant = AuthorizationCode::on_loopback(port, |url| {
        let url = url.to_owned();
        // The browser follows the redirect.
        tokio::spawn(async move { Servers::visit(Servers::visit(url).await.unwrap()).await });
    });
    let source = OAuth::new(grant).token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    let redirect_uri = servers.seen.lock().unwrap().authorizations[0]["redirect_uri"].clone();
    assert_eq!(redirect_uri, format!("http://127.0.0.1:{port}/callback"));
}
