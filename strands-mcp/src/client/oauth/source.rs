//! Source of tokens: one authorization at a time, whatever number of requests needs it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use rmcp::transport::auth::{AuthorizationMetadata, WWWAuthenticateParams};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{debug, warn};
use url::Url;

use super::discovery::Discovered;
use super::error::OAuthError;
use super::http::OAuthHttp;
use super::store::{Credentials, Tokens, now};
use super::token_request::{AuthorizationServer, Client, scopes, union};
use super::{OAuth, OAuthGrant};
use crate::client::token::{Challenge, TokenSource};

/// Time in which a token that was just refreshed is not refreshed again if the server rejects it, in seconds.
const REFRESHED_RECENTLY: u64 = 30;

/// Source of the tokens that [`OAuth`] obtains for a server. Cheap to clone; clones share tokens.
#[derive(Clone)]
pub struct OAuthTokenSource {
    inner: Arc<Inner>,
}

impl fmt::Debug for OAuthTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthTokenSource")
            .field("server", &self.inner.server.as_str())
            .field("oauth", &self.inner.oauth)
            .finish_non_exhaustive()
    }
}

type Obtained = Result<Option<SecretString>, OAuthError>;
type Flight = BoxFuture<'static, Obtained>;

struct Inner {
    oauth: OAuth,
    server: Url,
    http: Arc<OAuthHttp>,
    state: Mutex<State>,
    /// Held while a token is requested, also by a request whose callers are gone: a refresh token is used once.
    exchange: Arc<tokio::sync::Mutex<()>>,
    /// Number of authorizations that wait for a user: at most one.
    asking: AtomicUsize,
}

/// Counts an authorization while it waits for a user.
struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct State {
    loaded: bool,
    credentials: Credentials,
    /// Token endpoint of the tokens, for refreshes.
    endpoint: Option<Endpoint>,
    /// The last token is of a refresh.
    refreshed: bool,
    step_ups: u32,
    flight: Option<WeakShared<Flight>>,
}

#[derive(Clone)]
struct Endpoint {
    metadata: Arc<AuthorizationMetadata>,
    resource: String,
}

/// Reason of obtaining a token.
enum Cause {
    /// The token expires, or was not loaded from the store yet.
    Expiry,
    /// The server rejected the token, or a request without one.
    Rejection { challenge: Option<String>, rejected: Option<SecretString>, is_first: bool },
    /// The server asks for more scopes.
    StepUp { challenge: String, required: Vec<String> },
}

#[async_trait]
impl TokenSource for OAuthTokenSource {
    async fn token(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>> {
        if let Some(current) = self.inner.current() {
            return Ok(current);
        }
        Ok(self.inner.obtain(Cause::Expiry).await?)
    }

    async fn challenged(&self, challenge: &Challenge) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        Ok(self.inner.challenged(challenge).await?)
    }

    fn waits_for_user(&self) -> bool {
        self.inner.asking.load(Ordering::Relaxed) > 0
    }
}

impl OAuthTokenSource {
    pub(super) fn new(oauth: OAuth, server: Url, http: OAuthHttp) -> Self {
        let inner = Inner {
            oauth,
            server,
            http: Arc::new(http),
            state: Mutex::default(),
            exchange: Arc::default(),
            asking: AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Token for a request, or `None` inside if there is none until the server asks for one. `None` outside if it has to be
    /// loaded or renewed first.
    fn current(&self) -> Option<Option<SecretString>> {
        let state = self.state();
        match &state.credentials.tokens {
            Some(tokens) => tokens.is_fresh(now()).then(|| Some(tokens.access_token.clone().into())),
            None => state.loaded.then_some(None),
        }
    }

    /// Token that is due for renewal and has not expired.
    fn valid_token(&self) -> Option<SecretString> {
        let state = self.state();
        let tokens = state.credentials.tokens.as_ref().filter(|tokens| tokens.is_valid(now()))?;
        Some(tokens.access_token.clone().into())
    }

    /// Fresh token that is not the rejected one.
    fn another_token(&self, rejected: Option<&SecretString>) -> Option<SecretString> {
        let state = self.state();
        let tokens = state.credentials.tokens.as_ref()?;
        let is_rejected = rejected.is_some_and(|rejected| rejected.expose_secret() == tokens.access_token);
        (tokens.is_fresh(now()) && !is_rejected).then(|| tokens.access_token.clone().into())
    }

    async fn challenged(self: &Arc<Self>, challenge: &Challenge) -> Result<bool, OAuthError> {
        if challenge.status != 403 {
            let cause = Cause::Rejection {
                challenge: challenge.www_authenticate.clone(),
                rejected: challenge.rejected.clone(),
                is_first: challenge.attempt == 1,
            };
            return Ok(self.obtain(cause).await?.is_some());
        }
        let Some(header) = &challenge.www_authenticate else { return Ok(false) };
        let params = WWWAuthenticateParams::parse(header, &self.server);
        let required = scopes(params.scope.as_deref().unwrap_or_default());
        if !params.is_insufficient_scope() || required.is_empty() {
            return Ok(false);
        }
        // An authorization that is under way may be without these scopes.
        while let Some(flight) = self.in_flight() {
            let _ = flight.await;
        }
        if !self.may_step_up(challenge.rejected.as_ref(), &required) {
            return Ok(self.another_token(challenge.rejected.as_ref()).is_some() && challenge.rejected.is_some());
        }
        let cause = Cause::StepUp { challenge: header.clone(), required };
        Ok(self.obtain(cause).await?.is_some())
    }

    /// Counts a request for more scopes. Returns false if the limit is reached, or if it can't help: another token with them was
    /// obtained meanwhile, or they were requested already.
    fn may_step_up(&self, rejected: Option<&SecretString>, required: &[String]) -> bool {
        let mut state = self.state();
        if let Some(tokens) = &state.credentials.tokens {
            let has = |scopes: &[String]| required.iter().all(|scope| scopes.contains(scope));
            if has(&tokens.granted_scopes) || has(&tokens.requested_scopes) {
                if rejected.is_some_and(|rejected| rejected.expose_secret() == tokens.access_token) {
                    warn!(?required, "the server asks for scopes that the token was requested with");
                }
                return false;
            }
        }
        if state.step_ups >= self.oauth.max_step_ups {
            warn!(limit = self.oauth.max_step_ups, "the server asks for more scopes than the limit allows");
            return false;
        }
        state.step_ups += 1;
        true
    }

    fn in_flight(&self) -> Option<Shared<Flight>> {
        self.state().flight.as_ref().and_then(WeakShared::upgrade)
    }

    /// Obtains a token, or waits for another caller that does. If all callers are gone, the authorization stops.
    async fn obtain(self: &Arc<Self>, cause: Cause) -> Obtained {
        let flight = {
            let mut state = self.state();
            match state.flight.as_ref().and_then(WeakShared::upgrade) {
                Some(flight) => flight,
                None => {
                    let inner = Arc::clone(self);
                    let flight = async move {
                        let obtained = inner.run(cause).await;
                        inner.state().flight = None;
                        obtained
                    };
                    let flight = flight.boxed().shared();
                    state.flight = flight.downgrade();
                    flight
                }
            }
        };
        flight.await
    }

    async fn run(self: &Arc<Self>, cause: Cause) -> Obtained {
        // A request for a token whose callers are gone may still be under way.
        drop(self.exchange.lock().await);
        self.load().await?;
        match cause {
            Cause::Expiry => {
                if let Some(current) = self.current() {
                    return Ok(current);
                }
                match self.refresh(None).await {
                    Ok(Some(token)) => return Ok(Some(token)),
                    Ok(None) => {}
                    Err(error) => return self.valid_token().map(Some).ok_or(error),
                }
                // The server asks for a token where a user has to authorize.
                if matches!(self.oauth.grant, OAuthGrant::AuthorizationCode(_)) {
                    return Ok(None);
                }
                let mut discovered = Discovered::new(&self.http, &self.server, None).await?;
                self.authorize(&mut discovered, &[]).await.map(Some)
            }
            Cause::Rejection { challenge, rejected, is_first } => {
                if let Some(token) = self.another_token(rejected.as_ref()) {
                    return Ok(Some(token));
                }
                if !is_first && !self.state().refreshed {
                    // The authorization that this request caused did not help, and no user is asked again for it.
                    return Ok(None);
                }
                let mut discovered = Discovered::new(&self.http, &self.server, challenge.as_deref()).await?;
                self.bind(&discovered)?;
                if let Some(token) = self.refresh(Some(&mut discovered)).await? {
                    return Ok(Some(token));
                }
                let obtained = self.authorize(&mut discovered, &[]).await;
                if matches!(obtained, Err(OAuthError::Denied { .. } | OAuthError::Rejected { .. })) {
                    // The next attempt starts without the scopes of the rejected token.
                    self.state().credentials.tokens = None;
                }
                obtained.map(Some)
            }
            Cause::StepUp { challenge, required } => {
                let mut discovered = Discovered::new(&self.http, &self.server, Some(&challenge)).await?;
                self.bind(&discovered)?;
                self.authorize(&mut discovered, &required).await.map(Some)
            }
        }
    }

    /// Reads the store, in which another process may have put newer tokens.
    async fn load(&self) -> Result<(), OAuthError> {
        let record = self.oauth.store.load().await.map_err(|error| OAuthError::Store(error.into()))?;
        let stored = match record.as_ref().map(Credentials::from_record) {
            Some(Ok(credentials)) => Some(credentials),
            Some(Err(error)) => {
                warn!(%error, "stored OAuth credentials are invalid; they are obtained again");
                None
            }
            None => None,
        };
        let mut state = self.state();
        state.loaded = true;
        if let Some(stored) = stored {
            let received = |credentials: &Credentials| credentials.tokens.as_ref().map(|tokens| tokens.received_at);
            if received(&stored) >= received(&state.credentials) {
                state.credentials = stored;
            }
        }
        Ok(())
    }

    /// Checks that the credentials are for this authorization server. Forgets those that are not, unless the program set them.
    fn bind(&self, discovered: &Discovered) -> Result<(), OAuthError> {
        let received = discovered.metadata.issuer.as_deref();
        let mut state = self.state();
        let preregistered = self.oauth.grant.preregistered();
        let stored = state.credentials.issuer.as_deref();
        let expected = preregistered.and_then(|client| client.issuer.as_deref()).or(stored);
        if expected.is_none_or(|expected| Some(expected) == received) {
            return Ok(());
        }
        if preregistered.is_some() {
            return Err(OAuthError::IssuerMismatch {
                expected: expected.unwrap_or_default().to_owned(),
                received: super::error::quoted(received.unwrap_or("none")),
            });
        }
        debug!(?expected, ?received, "the server has another authorization server; its credentials are forgotten");
        state.credentials = Credentials::default();
        state.endpoint = None;
        state.refreshed = false;
        Ok(())
    }

    /// Refreshes the tokens. Returns `None` if there is no refresh token, or the authorization server rejects it.
    async fn refresh(self: &Arc<Self>, discovered: Option<&mut Discovered>) -> Obtained {
        let (credentials, known, refreshed) = {
            let state = self.state();
            (state.credentials.clone(), state.endpoint.clone(), state.refreshed)
        };
        let Some(tokens) = credentials.tokens.clone() else { return Ok(None) };
        let just_refreshed = refreshed && now().saturating_sub(tokens.received_at) < REFRESHED_RECENTLY;
        let rejected = discovered.is_some();
        let (Some(refresh_token), Some(client)) = (tokens.refresh_token.clone(), self.client_of(&tokens, &credentials))
        else {
            return Ok(None);
        };
        if rejected && just_refreshed {
            return Ok(None);
        }
        let endpoint = match (discovered, known) {
            (None, Some(endpoint)) => endpoint,
            (Some(discovered), _) => self.endpoint(discovered).await,
            (None, None) => {
                let mut discovered = Discovered::new(&self.http, &self.server, None).await?;
                self.bind(&discovered)?;
                if self.state().credentials.tokens.is_none() {
                    return Ok(None);
                }
                self.endpoint(&mut discovered).await
            }
        };
        let inner = Arc::clone(self);
        let request = async move {
            let audience = inner.oauth.grant.preregistered().and_then(|client| client.audience.as_deref());
            let server = AuthorizationServer { metadata: &endpoint.metadata, audience };
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token.as_str()),
                ("resource", endpoint.resource.as_str()),
            ];
            let refreshed = server.request(&inner.http, &client, &form).await;
            let credentials = match refreshed {
                Ok(response) => Credentials { tokens: Some(response.refresh(&tokens)), ..credentials },
                // The authorization is gone. Other errors may pass.
                Err(OAuthError::Rejected { code, .. }) if code == "invalid_grant" => {
                    Credentials { tokens: None, ..credentials }
                }
                Err(error) if error.is_unknown_client() && credentials.client.is_some() => {
                    Credentials { tokens: None, client: None, ..credentials }
                }
                Err(error) => return Err(error),
            };
            Ok(inner.keep(credentials, endpoint, true).await)
        };
        self.complete(request).await
    }

    /// Requests tokens by the grant, with the scopes that the server asks for and those of the last token.
    async fn authorize(
        self: &Arc<Self>,
        discovered: &mut Discovered,
        required: &[String],
    ) -> Result<SecretString, OAuthError> {
        self.bind(discovered)?;
        let mut credentials = self.state().credentials.clone();
        let initial = match self.oauth.scopes.as_slice() {
            [] => discovered.initial_scopes().await,
            scopes => scopes.to_vec(),
        };
        let previous = credentials.tokens.as_ref().map_or_else(Vec::new, |tokens| tokens.requested_scopes.clone());
        let scopes = union(&previous, initial.iter().chain(required).map(String::as_str));
        let endpoint = self.endpoint(discovered).await;
        let http = &self.http;
        let resource = &endpoint.resource;
        let tokens = match &self.oauth.grant {
            OAuthGrant::AuthorizationCode(grant) => {
                let _asking = Asking::new(&self.asking);
                let tokens = grant.authorize(http, discovered, &mut credentials, scopes).await;
                if let Err(error) = &tokens {
                    // The next attempt needs no registration, unless the authorization server does not know this one.
                    let mut state = self.state();
                    state.credentials.issuer.clone_from(&discovered.metadata.issuer);
                    state.credentials.client = credentials.client.clone().filter(|_| !error.is_unknown_client());
                }
                tokens?
            }
            OAuthGrant::ClientCredentials(grant) => grant.authorize(http, discovered, resource, scopes).await?,
            OAuthGrant::EnterpriseManaged(grant) => grant.authorize(http, discovered, resource, scopes).await?,
            OAuthGrant::WorkloadIdentity(grant) => grant.authorize(http, discovered, resource, scopes).await?,
        };
        credentials.issuer = discovered.metadata.issuer.clone();
        let token = SecretString::from(tokens.access_token.clone());
        credentials.tokens = Some(tokens);
        let inner = Arc::clone(self);
        self.complete(async move { Ok(inner.keep(credentials, endpoint, false).await) }).await?;
        Ok(token)
    }

    async fn endpoint(&self, discovered: &mut Discovered) -> Endpoint {
        let resource = discovered.resource(&self.server).await;
        Endpoint { metadata: Arc::new(discovered.metadata.clone()), resource }
    }

    /// Client that the tokens are for.
    fn client_of(&self, tokens: &Tokens, credentials: &Credentials) -> Option<Client> {
        match &self.oauth.grant {
            OAuthGrant::AuthorizationCode(grant) => grant.client_of(&tokens.client_id, credentials),
            grant => grant.preregistered().map(|client| client.client.clone()),
        }
    }

    /// Runs a request to its end even if all callers are gone: a refresh token that was used and not replaced is lost.
    async fn complete(&self, request: impl Future<Output = Obtained> + Send + 'static) -> Obtained {
        let exchange = Arc::clone(&self.exchange).lock_owned().await;
        let request = async move {
            let obtained = request.await;
            drop(exchange);
            obtained
        };
        tokio::spawn(request).await.unwrap_or_else(|error| Err(OAuthError::Http(Arc::new(error))))
    }

    /// Uses credentials from now on, and stores them.
    async fn keep(&self, credentials: Credentials, endpoint: Endpoint, refreshed: bool) -> Option<SecretString> {
        let token = credentials.tokens.as_ref().map(|tokens| tokens.access_token.clone().into());
        let record = credentials.to_record();
        {
            let mut state = self.state();
            state.credentials = credentials;
            state.endpoint = Some(endpoint);
            state.refreshed = refreshed;
        }
        let saved = match record {
            Ok(record) => self.oauth.store.save(record).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = saved {
            warn!(error = %error, "OAuth credentials can't be stored; they are lost with the process");
        }
        token
    }
}
