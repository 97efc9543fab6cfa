//! Source of tokens: one request for a token at a time, whatever number of requests needs it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use rmcp::transport::auth::{AuthorizationMetadata, WWWAuthenticateParams};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;
use url::Url;

use super::OAuth;
use super::error::OAuthError;
use super::http::OAuthHttp;
use super::store::{CredentialStore, Credentials, MemoryStore, now};
use super::token_request::scopes;
use crate::client::token::{Challenge, TokenSource};

/// Time after a failed renewal in which a token that is still valid is used without another one, in seconds.
const RENEWAL_RETRY: u64 = 5;

/// Source of the tokens that [`OAuth`] obtains for a server. Cheap to clone; clones share tokens.
#[derive(Clone)]
pub struct OAuthTokenSource {
    inner: Arc<Inner>,
}

impl fmt::Debug for OAuthTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthTokenSource")
            // The path and the query may have secrets.
            .field("server", &self.inner.server.origin().ascii_serialization())
            .field("oauth", &self.inner.oauth)
            .finish_non_exhaustive()
    }
}

pub(super) type Obtained = Result<Option<SecretString>, OAuthError>;
type Flight = BoxFuture<'static, Obtained>;

pub(super) struct Inner {
    pub(super) oauth: OAuth,
    pub(super) server: Url,
    pub(super) store: Arc<dyn CredentialStore>,
    pub(super) http: Arc<OAuthHttp>,
    pub(super) state: Mutex<State>,
    /// Held while a token is requested, also by a request whose callers are gone: a refresh token is used once.
    pub(super) exchange: Arc<tokio::sync::Mutex<()>>,
    /// Number of authorizations that wait for a user: at most one.
    pub(super) asking: AtomicUsize,
}

/// Counts an authorization while it waits for a user.
pub(super) struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
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
pub(super) struct State {
    pub(super) loaded: bool,
    pub(super) credentials: Credentials,
    /// Token endpoint of the tokens, for refreshes.
    pub(super) endpoint: Option<Endpoint>,
    /// The last token is of a refresh.
    pub(super) refreshed: bool,
    /// Time of the next attempt to renew a token that is still valid, in seconds since the Unix epoch.
    pub(super) renews_after: u64,
    /// Record that the store had when it was last read or written.
    pub(super) record: Option<SecretString>,
    pub(super) step_ups: u32,
    pub(super) flight: Option<WeakShared<Flight>>,
}

#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) metadata: Arc<AuthorizationMetadata>,
    pub(super) resource: String,
}

/// Reason of obtaining a token.
pub(super) enum Cause {
    /// The token expires, or was not loaded from the store yet.
    Expiry,
    /// The server rejected the token, or a request without one.
    Rejection { challenge: Option<String>, rejected: Option<SecretString>, is_first: bool },
    /// The server asks for more scopes.
    StepUp { challenge: String, required: Vec<String> },
}

/// Reaction to a server that asks for more scopes.
enum StepUp {
    Started(Shared<Flight>),
    Waiting(Shared<Flight>),
    /// No token with other scopes is requested.
    Useless,
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
        // Servers don't share tokens, also if the program uses the same settings for both.
        let store = oauth.store.clone().unwrap_or_else(|| Arc::new(MemoryStore::default()));
        let inner = Inner {
            oauth,
            store,
            server,
            http: Arc::new(http),
            state: Mutex::default(),
            exchange: Arc::default(),
            asking: AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl State {
    fn in_flight(&self) -> Option<Shared<Flight>> {
        self.flight.as_ref().and_then(WeakShared::upgrade)
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Token for a request, or `None` inside if there is none until the server asks for one. `None` outside if it has to be
    /// loaded or renewed first.
    pub(super) fn current(&self) -> Option<Option<SecretString>> {
        let state = self.state();
        match &state.credentials.tokens {
            Some(tokens) => {
                let now = now();
                let waits = now < state.renews_after && tokens.is_valid(now);
                (waits || tokens.is_fresh(now)).then(|| Some(tokens.access_token.clone().into()))
            }
            None => state.loaded.then_some(None),
        }
    }

    /// Token whose renewal failed and that has not expired. The renewal is tried again later.
    pub(super) fn valid_token(&self) -> Option<SecretString> {
        let mut state = self.state();
        let now = now();
        let tokens = state.credentials.tokens.as_ref().filter(|tokens| tokens.is_valid(now))?;
        let token = tokens.access_token.clone().into();
        state.renews_after = now.saturating_add(RENEWAL_RETRY);
        Some(token)
    }

    /// Fresh token that is not the rejected one.
    pub(super) fn another_token(&self, rejected: Option<&SecretString>) -> Option<SecretString> {
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
        let rejected = challenge.rejected.as_ref();
        loop {
            match self.step_up(header, rejected, &required) {
                StepUp::Started(flight) => return Ok(flight.await?.is_some()),
                // It may be without these scopes.
                StepUp::Waiting(flight) => flight.await?,
                StepUp::Useless => return Ok(rejected.is_some() && self.another_token(rejected).is_some()),
            };
        }
    }

    /// Starts a request for more scopes, unless another request for a token is under way.
    fn step_up(self: &Arc<Self>, challenge: &str, rejected: Option<&SecretString>, required: &[String]) -> StepUp {
        let mut state = self.state();
        if let Some(flight) = state.in_flight() {
            return StepUp::Waiting(flight);
        }
        if !self.may_step_up(&mut state, rejected, required) {
            return StepUp::Useless;
        }
        let cause = Cause::StepUp { challenge: challenge.to_owned(), required: required.to_vec() };
        StepUp::Started(self.start(&mut state, cause))
    }

    /// Counts a request for more scopes. Returns false if the limit is reached, or if it can't help: another token with them was
    /// obtained meanwhile, or they were requested already.
    fn may_step_up(&self, state: &mut State, rejected: Option<&SecretString>, required: &[String]) -> bool {
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

    /// Obtains a token, or waits for another caller that does. If all callers are gone, the authorization stops.
    async fn obtain(self: &Arc<Self>, cause: Cause) -> Obtained {
        let flight = {
            let mut state = self.state();
            state.in_flight().unwrap_or_else(|| self.start(&mut state, cause))
        };
        flight.await
    }

    fn start(self: &Arc<Self>, state: &mut State, cause: Cause) -> Shared<Flight> {
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
