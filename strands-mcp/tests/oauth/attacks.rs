//! Servers that attack: other issuers, hosts of the program's network, endless responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use strands_mcp::{AuthorizationCode, ClientCredentials, OAuth, OAuthClient, OAuthError, TokenSource as _};
use tokio::net::TcpListener;

use crate::authorization_server::{Behavior, Servers, TokenFault};
use crate::{REDIRECT_URI, by_user, failure, messages, request};

fn by_secret() -> OAuth {
    OAuth::new(ClientCredentials::new(OAuthClient::with_secret("report", "secret")))
}

/// A listener that counts the connections to it.
async fn bystander() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (origin, connections)
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    let metadata = json!({"issuer": "https://login.example.com"});
    let servers = Servers::start(Behavior { metadata, ..Behavior::default() }).await;

    let error = failure(by_secret(), &servers).await;

    assert!(matches!(error, OAuthError::IssuerMismatch { .. }), "{error:?}");
    assert_eq!(servers.token_requests(), 0);
}

#[tokio::test]
async fn a_secret_is_sent_to_the_issuer_of_the_client_alone() {
    let servers = Servers::start(Behavior::default()).await;
    let client = OAuthClient::with_secret("report", "secret").issuer("https://login.example.com");

    let error = failure(OAuth::new(ClientCredentials::new(client)), &servers).await;

    assert!(matches!(error, OAuthError::IssuerMismatch { .. }), "{error:?}");
    assert_eq!(servers.token_requests(), 0);
}

#[tokio::test]
async fn a_secret_is_not_sent_to_an_authorization_server_that_replaces_the_first() {
    let (first, second) = (Servers::start(Behavior::default()).await, Servers::start(Behavior::default()).await);
    let source = by_secret().token_source(&first.server).unwrap();
    assert_eq!(request(&source, &first.server).await.unwrap(), 200);

    first.behavior.lock().unwrap().names = Some(second.issuer.clone());
    first.revoke();
    let error = request(&source, &first.server).await.unwrap_err();

    assert!(messages(error.as_ref()).contains("authorization server mismatch"), "{error:?}");
    assert_eq!(second.token_requests(), 0);
}

#[tokio::test]
async fn credentials_of_another_authorization_server_are_forgotten() {
    let (first, second) = (Servers::start(Behavior::default()).await, Servers::start(Behavior::default()).await);
    let source = by_user().token_source(&first.server).unwrap();
    assert_eq!(request(&source, &first.server).await.unwrap(), 200);

    first.behavior.lock().unwrap().names = Some(second.issuer.clone());
    first.revoke();
    // The server does not know the tokens of the second.
    let _ = request(&source, &first.server).await;

    let seen = second.seen.lock().unwrap();
    assert_eq!(seen.registrations.len(), 1);
    // Not a refresh with the token of the first.
    assert_eq!(seen.token_requests[0]["grant_type"], "authorization_code");
}

#[tokio::test]
async fn redirects_of_another_authorization_are_refused() {
    for redirect in [
        json!({"state": "forged"}),
        json!({"state": null}),
        json!({"state": "forged", "error": "access_denied"}),
        json!({"iss": null}),
        json!({"code": null}),
    ] {
        let servers = Servers::start(Behavior { redirect: redirect.clone(), ..Behavior::default() }).await;
        let error = failure(by_user(), &servers).await;
        assert!(matches!(error, OAuthError::InvalidRedirect(_)), "{redirect}: {error:?}");
        assert_eq!(servers.token_requests(), 0, "{redirect}");
    }
    let redirect = json!({"iss": "https://login.example.com"});
    let servers = Servers::start(Behavior { redirect, ..Behavior::default() }).await;
    let error = failure(by_user(), &servers).await;
    assert!(matches!(error, OAuthError::IssuerMismatch { .. }), "{error:?}");
    assert_eq!(servers.token_requests(), 0);
}

#[tokio::test]
async fn authorization_servers_without_tls_or_in_the_programs_network_are_refused() {
    for names in
        ["http://login.example.com", "https://10.0.0.1", "https://169.254.169.254", "https://[fd00::1]", "file:///etc"]
    {
        let servers = Servers::start(Behavior { names: Some(names.to_owned()), ..Behavior::default() }).await;
        let started = Instant::now();
        let error = failure(by_secret(), &servers).await;
        assert!(matches!(error, OAuthError::Discovery(_) | OAuthError::InsecureUrl(_)), "{names}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{names}");
    }
}

#[tokio::test]
async fn endpoints_without_tls_or_in_the_programs_network_are_refused() {
    for (field, url) in [
        ("token_endpoint", "http://login.example.com/token"),
        ("token_endpoint", "https://10.0.0.1/token"),
        ("token_endpoint", "https://169.254.169.254/latest/meta-data"),
        ("token_endpoint", "https://user:password@login.example.com/token"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "http://login.example.com/authorize"),
        ("registration_endpoint", "ftp://login.example.com/"),
    ] {
        let metadata = json!({ field: url });
        let servers = Servers::start(Behavior { metadata, ..Behavior::default() }).await;
        let error = failure(by_user(), &servers).await;
        assert!(messages(&error).contains("insecure URL"), "{url}: {error:?}");
        assert!(!error.to_string().contains("password"), "{error}");
    }
}

#[tokio::test]
async fn texts_of_an_authorization_server_are_bounded_in_errors() {
    let metadata =
        json!({"registration_endpoint": null, "issuer": format!("https://{}\u{1b}[31m", "a".repeat(100_000))});
    let servers = Servers::start(Behavior { metadata, ..Behavior::default() }).await;
    let error = messages(&failure(by_user(), &servers).await);
    assert!(error.len() < 2000 && !error.contains('\u{1b}'), "{error}");
}

#[tokio::test]
async fn servers_without_tls_are_refused() {
    for url in ["http://mcp.example.com/mcp", "ftp://localhost/", "https://user@mcp.example.com/"] {
        assert!(matches!(by_secret().token_source(url), Err(OAuthError::InsecureUrl(_))), "{url}");
    }
}

#[tokio::test]
async fn a_token_endpoint_can_not_redirect_the_secret() {
    let (elsewhere, connections) = bystander().await;
    let token_response = Some(TokenFault::RedirectTo(elsewhere));
    let servers = Servers::start(Behavior { token_response, ..Behavior::default() }).await;

    let error = failure(by_secret(), &servers).await;

    assert!(matches!(error, OAuthError::Rejected { status: 307, .. }), "{error:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn endless_responses_are_cut() {
    let servers = Servers::start(Behavior { token_response: Some(TokenFault::Endless), ..Behavior::default() }).await;

    let error = failure(by_secret(), &servers).await;

    assert_eq!(error.to_string(), "invalid OAuth response: larger than 1 MiB");
    // The buffers of the connection are full before the server learns of it.
    let sent = servers.seen.lock().unwrap().endless_bytes;
    assert!(sent < 16 << 20, "{sent}");
}

#[tokio::test]
async fn a_token_endpoint_that_hangs_holds_up_no_cancelled_request() {
    let servers = Servers::start(Behavior { token_delay: Duration::from_secs(600), ..Behavior::default() }).await;
    let source = by_secret().token_source(&servers.server).unwrap();

    let started = Instant::now();
    let limit = Duration::from_millis(500);
    assert!(tokio::time::timeout(limit, request(&source, &servers.server)).await.is_err());
    assert!(started.elapsed() < limit * 10, "{:?}", started.elapsed());
    servers.behavior.lock().unwrap().token_delay = Duration::ZERO;

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
}

#[tokio::test]
async fn a_server_that_rejects_all_tokens_asks_the_user_once_for_a_request() {
    let servers = Servers::start(Behavior { is_closed: true, ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 401);

    assert_eq!(servers.authorizations(), 1);
}

#[tokio::test]
async fn debug_has_no_secrets() {
    let servers = Servers::start(Behavior::default()).await;
    let oauth = OAuth::new(ClientCredentials::new(OAuthClient::with_secret("report", "client-secret")));
    let source = oauth.token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    let token = source.token().await.unwrap();

    let keyed = oauth.token_source(&format!("{}?key=url-secret", servers.server)).unwrap();
    servers.behavior.lock().unwrap().names = Some("https://10.0.0.1".to_owned());
    let error = request(&keyed, &servers.server).await.unwrap_err();
    let text = format!("{oauth:?} {source:?} {token:?} {keyed:?} {error:?} {}", messages(error.as_ref()));

    assert!(text.contains("report"));
    for secret in ["url-secret", "client-secret", "access-1", "refresh-1"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn the_callback_sees_a_url_of_the_authorization_server() {
    let servers = Servers::start(Behavior::default()).await;
    let issuer = servers.issuer.clone();
    let grant = AuthorizationCode::new(REDIRECT_URI, move |url: String| {
        assert!(url.starts_with(&format!("{issuer}/authorize?")), "{url}");
        Servers::visit(url)
    });
    let source = OAuth::new(grant).token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
}
