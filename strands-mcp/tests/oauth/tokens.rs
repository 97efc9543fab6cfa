//! Tokens: one authorization for many requests, refreshes, stores, and larger scopes.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};
use strands_mcp::{
    AuthorizationCode, Challenge, ClientCredentials, CredentialStore, OAuth, OAuthClient, OAuthTokenSource,
    TokenSource as _,
};

use crate::authorization_server::{Behavior, Servers};
use crate::{REDIRECT_URI, by_user, request};

async fn token(source: &OAuthTokenSource) -> Option<String> {
    source.token().await.unwrap().map(|token| token.expose_secret().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_need_one_authorization() {
    let servers = Servers::start(Behavior { token_delay: Duration::from_millis(100), ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();

    let statuses = join_all((0..1000).map(|_| request(&source, &servers.server))).await;

    assert!(statuses.iter().all(|status| matches!(status, Ok(200))));
    let seen = servers.seen.lock().unwrap();
    assert_eq!((seen.registrations.len(), seen.authorizations.len(), seen.token_requests.len()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_need_one_refresh() {
    let servers = Servers::start(Behavior { expires_in: Some(3), ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    servers.behavior.lock().unwrap().expires_in = Some(3600);
    tokio::time::sleep(Duration::from_millis(2100)).await;

    let tokens = join_all((0..1000).map(|_| token(&source))).await;

    assert!(tokens.iter().all(|token| token.as_deref() == Some("access-2")));
    let seen = servers.seen.lock().unwrap();
    let refresh = &seen.token_requests[1];
    assert_eq!((refresh["grant_type"].as_str(), refresh["refresh_token"].as_str()), ("refresh_token", "refresh-1"));
    assert_eq!((refresh["client_id"].as_str(), &refresh["resource"]), ("client-1", &servers.server));
    assert_eq!((seen.token_requests.len(), seen.authorizations.len()), (2, 1));
}

#[tokio::test]
async fn refreshes_a_token_that_the_server_rejects() {
    let servers = Servers::start(Behavior::default()).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    servers.revoke();
    let statuses = join_all((0..10).map(|_| request(&source, &servers.server))).await;
    assert!(statuses.iter().all(|status| matches!(status, Ok(200))));
    assert_eq!((servers.token_requests(), servers.authorizations()), (2, 1));

    // A refresh that did not help is not repeated: the user authorizes again.
    servers.revoke();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    assert_eq!((servers.token_requests(), servers.authorizations()), (3, 2));
}

#[tokio::test]
async fn a_rejected_refresh_token_needs_the_user_again() {
    let servers = Servers::start(Behavior { expires_in: Some(0), ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();
    servers.behavior.lock().unwrap().rejects_refresh = true;
    // The token has expired when it arrives.
    let _ = request(&source, &servers.server).await;
    assert_eq!(token(&source).await, None);

    servers.behavior.lock().unwrap().expires_in = None;
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    assert_eq!(servers.seen.lock().unwrap().registrations.len(), 1);
}

#[tokio::test]
async fn programs_without_a_user_request_the_next_token_themselves() {
    let servers = Servers::start(Behavior { expires_in: Some(3), rejects_refresh: true, ..Behavior::default() }).await;
    let oauth = OAuth::new(ClientCredentials::new(OAuthClient::with_secret("report", "secret")));
    let source = oauth.token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;

    // The first is the client credentials grant, the second the rejected refresh.
    assert_eq!(token(&source).await.as_deref(), Some("access-3"));
}

#[tokio::test]
async fn a_client_that_the_authorization_server_forgot_is_registered_again() {
    let servers = Servers::start(Behavior::default()).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    // Noticed at a refresh.
    servers.behavior.lock().unwrap().forgotten = Some("client-1".to_owned());
    servers.revoke();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    assert_eq!(servers.seen.lock().unwrap().registrations.len(), 2);

    // Noticed at the exchange of a code.
    let servers = Servers::start(Behavior { rejects_refresh: true, ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    let redirect = serde_json::json!({"code": null, "error": "access_denied"});
    servers.behavior.lock().unwrap().redirect = redirect;
    servers.revoke();
    assert!(request(&source, &servers.server).await.is_err());
    {
        let mut behavior = servers.behavior.lock().unwrap();
        behavior.redirect = serde_json::json!(null);
        behavior.forgotten = Some("client-1".to_owned());
    }
    assert!(request(&source, &servers.server).await.is_err());
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    assert_eq!(servers.seen.lock().unwrap().registrations.len(), 2);
}

#[tokio::test]
async fn a_token_is_used_to_its_end_if_the_refresh_fails() {
    let servers = Servers::start(Behavior { expires_in: Some(6), ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    servers.behavior.lock().unwrap().token_status = Some(503);
    tokio::time::sleep(Duration::from_millis(3100)).await;

    // The authorization server is not asked again at once.
    for _ in 0..3 {
        assert_eq!(token(&source).await.as_deref(), Some("access-1"));
    }
    assert_eq!(servers.token_requests(), 2);
    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert!(source.token().await.is_err());

    // The refresh token is still good.
    servers.behavior.lock().unwrap().token_status = None;
    assert!(token(&source).await.is_some());
    assert_eq!(servers.authorizations(), 1);
}

/// Store of the tests: what processes share.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Option<String>>>);

#[async_trait]
impl CredentialStore for Shared {
    async fn load(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>> {
        Ok(self.0.lock().unwrap().clone().map(SecretString::from))
    }

    async fn save(&self, record: SecretString) -> Result<(), Box<dyn StdError + Send + Sync>> {
        *self.0.lock().unwrap() = Some(record.expose_secret().to_owned());
        Ok(())
    }
}

#[tokio::test]
async fn stored_credentials_outlive_the_process() {
    let behavior =
        Behavior { expires_in: Some(3), client_secret: Some("registered-secret".to_owned()), ..Behavior::default() };
    let servers = Servers::start(behavior).await;
    let store = Shared::default();
    let first = by_user().store(store.clone()).token_source(&servers.server).unwrap();
    assert_eq!(request(&first, &servers.server).await.unwrap(), 200);
    drop(first);

    let second = by_user().store(store.clone()).token_source(&servers.server).unwrap();
    assert_eq!(token(&second).await.as_deref(), Some("access-1"));
    tokio::time::sleep(Duration::from_millis(2100)).await;
    servers.behavior.lock().unwrap().expires_in = None;
    let third = by_user().store(store.clone()).token_source(&servers.server).unwrap();
    assert_eq!(token(&third).await.as_deref(), Some("access-2"));
    // Another process has refreshed: its token is used, and the old refresh token is not.
    assert_eq!(token(&second).await.as_deref(), Some("access-2"));

    let seen = servers.seen.lock().unwrap();
    assert_eq!((seen.registrations.len(), seen.authorizations.len(), seen.token_requests.len()), (1, 1, 2));
    // The registered secret is part of the record.
    assert_eq!(seen.basic.len(), 2);
}

#[tokio::test]
async fn servers_do_not_share_tokens() {
    let (first, second) = (Servers::start(Behavior::default()).await, Servers::start(Behavior::default()).await);
    for oauth in [by_user(), by_user().store(Shared::default())] {
        let source = oauth.token_source(&first.server).unwrap();
        assert_eq!(request(&source, &first.server).await.unwrap(), 200);
        let other = oauth.token_source(&second.server).unwrap();
        assert_eq!(token(&other).await, None);
    }
}

#[tokio::test]
async fn invalid_records_are_replaced() {
    let servers = Servers::start(Behavior::default()).await;
    let store = Shared(Arc::new(Mutex::new(Some("{\"tokens\": 1".to_owned()))));
    let source = by_user().store(store.clone()).token_source(&servers.server).unwrap();

    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    assert!(store.0.lock().unwrap().as_ref().unwrap().contains("access-1"));
}

#[tokio::test]
async fn requests_the_scopes_that_the_server_asks_for_and_keeps_the_others() {
    let servers = Servers::start(Behavior::default()).await;
    let source = by_user().max_step_ups(1).token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    servers.behavior.lock().unwrap().required = vec!["write".to_owned()];
    let statuses = join_all((0..100).map(|_| request(&source, &servers.server))).await;

    assert!(statuses.iter().all(|status| matches!(status, Ok(200))), "{statuses:?}");
    assert_eq!(servers.authorizations(), 2);
    assert_eq!(servers.seen.lock().unwrap().authorizations[1]["scope"], "read write");
}

#[tokio::test]
async fn a_user_who_denies_more_scopes_is_asked_once_for_all_waiting_requests() {
    let servers = Servers::start(Behavior::default()).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    {
        let mut behavior = servers.behavior.lock().unwrap();
        behavior.required = vec!["write".to_owned()];
        behavior.redirect = serde_json::json!({"code": null, "error": "access_denied"});
    }
    let challenge = || {
        let header = "Bearer error=\"insufficient_scope\", scope=\"write\"".to_owned();
        Challenge::new(403, Some(header), 1).rejecting(Some("access-1".into()))
    };

    let challenges: Vec<_> = (0..100).map(|_| challenge()).collect();
    let results = join_all(challenges.iter().map(|challenge| source.challenged(challenge))).await;

    assert!(results.iter().all(Result::is_err));
    assert_eq!(servers.authorizations(), 2);
    // The token with the granted scopes is still used.
    assert_eq!(token(&source).await.as_deref(), Some("access-1"));
}

#[tokio::test]
async fn scopes_that_do_not_help_are_not_requested_again() {
    let servers = Servers::start(Behavior { grants: Some("read".to_owned()), ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();
    servers.behavior.lock().unwrap().required = vec!["write".to_owned()];

    for _ in 0..5 {
        assert_eq!(request(&source, &servers.server).await.unwrap(), 403);
    }

    assert_eq!(servers.authorizations(), 2);
}

#[tokio::test]
async fn requests_for_more_scopes_are_limited() {
    let servers = Servers::start(Behavior::default()).await;
    let source = by_user().max_step_ups(3).token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);

    for number in 0..10 {
        servers.behavior.lock().unwrap().required = vec![format!("scope-{number}")];
        let status = request(&source, &servers.server).await.unwrap();
        assert_eq!(status, if number < 3 { 200 } else { 403 }, "{number}");
    }

    assert_eq!(servers.authorizations(), 4);
}

#[tokio::test]
async fn dropping_all_waiting_requests_stops_an_authorization() {
    let servers = Servers::start(Behavior::default()).await;
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel::<()>();
    let grant = AuthorizationCode::new(REDIRECT_URI, move |url| {
        let (started, ended) = (started.clone(), ended.clone());
        async move {
            started.send(url).unwrap();
            // Dropped with the callback.
            let _ended = ended;
            std::future::pending::<Result<String, std::io::Error>>().await
        }
    });
    let source = OAuth::new(grant).token_source(&servers.server).unwrap();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (source, url) = (source.clone(), servers.server.clone());
            tokio::spawn(async move { request(&source, &url).await.map_err(|error| error.to_string()) })
        })
        .collect();
    starts.recv().await.unwrap();

    waiting[0].abort();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(starts.try_recv().is_err(), "the other request goes on with the same authorization");

    waiting[1].abort();
    drop(source);
    let stopped = tokio::time::timeout(Duration::from_millis(500), ends.recv()).await;
    assert_eq!(stopped, Ok(None));
}

#[tokio::test]
async fn a_refresh_whose_request_is_dropped_is_completed() {
    let servers = Servers::start(Behavior { expires_in: Some(3), ..Behavior::default() }).await;
    let source = by_user().token_source(&servers.server).unwrap();
    assert_eq!(request(&source, &servers.server).await.unwrap(), 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    {
        let mut behavior = servers.behavior.lock().unwrap();
        behavior.token_delay = Duration::from_millis(300);
        behavior.expires_in = None;
    }

    assert!(tokio::time::timeout(Duration::from_millis(100), source.token()).await.is_err());

    // The refresh token was used: it is not used twice, and the new one is not lost.
    assert_eq!(token(&source).await.as_deref(), Some("access-2"));
    assert_eq!(servers.token_requests(), 2);
}
