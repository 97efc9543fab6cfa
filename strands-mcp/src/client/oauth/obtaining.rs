//! Requests for tokens: authorizations and refreshes, and where their tokens are kept.

use std::future::Future;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tracing::{debug, warn};

use super::OAuthGrant;
use super::discovery::Discovered;
use super::error::{OAuthError, quoted};
use super::source::{Asking, Cause, Endpoint, Inner, Obtained};
use super::store::{Credentials, Tokens, now};
use super::token_request::{AuthorizationServer, Client, union};

/// Time in which a token that was just refreshed is not refreshed again if the server rejects it, in seconds.
const REFRESHED_RECENTLY: u64 = 30;

impl Inner {
    /// Obtains a token for a reason.
    pub(super) async fn run(self: &Arc<Self>, cause: Cause) -> Obtained {
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
                    self.save().await;
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
        let record = self.store.load().await.map_err(|error| OAuthError::Store(error.into()))?;
        let stored = match record.as_ref().map(|record| Credentials::from_record(record, &self.server)) {
            Some(Ok(Some(credentials))) => Some(credentials),
            Some(Ok(None)) => {
                warn!("stored OAuth credentials are those of another server; they are not used");
                None
            }
            Some(Err(error)) => {
                warn!(%error, "stored OAuth credentials are invalid; they are obtained again");
                None
            }
            None => None,
        };
        let mut state = self.state();
        state.loaded = true;
        let is_known = match (&record, &state.record) {
            (Some(record), Some(known)) => record.expose_secret() == known.expose_secret(),
            (record, known) => record.is_none() && known.is_none(),
        };
        // Otherwise the credentials are at least as new as the record.
        if let Some(stored) = stored
            && !is_known
        {
            state.credentials = stored;
        }
        state.record = record;
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
                received: quoted(received.unwrap_or("none")),
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
                    {
                        let mut state = self.state();
                        state.credentials.issuer.clone_from(&discovered.metadata.issuer);
                        state.credentials.client = credentials.client.clone().filter(|_| !error.is_unknown_client());
                    }
                    self.save().await;
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
        {
            let mut state = self.state();
            state.credentials = credentials;
            state.endpoint = Some(endpoint);
            state.refreshed = refreshed;
        }
        self.save().await;
        token
    }

    /// Stores the credentials.
    async fn save(&self) {
        let record = self.state().credentials.to_record(&self.server);
        let saved = match record {
            Ok(record) => {
                let saved = self.store.save(record.clone()).await;
                if saved.is_ok() {
                    self.state().record = Some(record);
                }
                saved
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = saved {
            warn!(error = %error, "OAuth credentials can't be stored; they are lost with the process");
        }
    }
}
