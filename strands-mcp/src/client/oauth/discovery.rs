//! Discovery of a server's authorization server, by rmcp: protected resource metadata, then authorization server metadata.

use std::sync::Arc;

use http::Request;
use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationMetadata, InMemoryStateStore, OAuthClientConfig, StateStore as _,
    StoredAuthorizationState,
};
use url::Url;

use super::error::{OAuthError, quoted};
use super::http::OAuthHttp;

/// A server's authorization server.
pub(super) struct Discovered {
    manager: AuthorizationManager,
    states: InMemoryStateStore,
    pub(super) metadata: AuthorizationMetadata,
}

/// An authorization that a user is about to give.
pub(super) struct PendingAuthorization {
    pub(super) url: Url,
    pub(super) state: StoredAuthorizationState,
}

impl Discovered {
    /// Finds the authorization server. `challenge` is the header `WWW-Authenticate` of the response that asks for a token;
    /// without it, the server is asked.
    pub(super) async fn new(http: &Arc<OAuthHttp>, server: &Url, challenge: Option<&str>) -> Result<Self, OAuthError> {
        let client = Arc::clone(http);
        let mut manager = AuthorizationManager::new_with_oauth_http_client(server.clone(), client)
            .await
            .map_err(OAuthError::discovery)?;
        let resolution = manager.resolve_metadata_from_challenge(challenge).await;
        let metadata = match resolution {
            Ok(resolution) => resolution.metadata,
            Err(AuthError::AuthorizationServerMismatch { expected_issuer, received_issuer })
                if is_own_issuer(server, &expected_issuer, &received_issuer) =>
            {
                own_metadata(http, server).await?
            }
            Err(error) => return Err(OAuthError::of_server(error, server)),
        };
        let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint];
        for endpoint in endpoints.into_iter().chain(&metadata.registration_endpoint) {
            http.check(&Url::parse(endpoint).map_err(|_| OAuthError::InvalidUrl(quoted(endpoint)))?)?;
        }
        let states = InMemoryStateStore::new();
        manager.set_state_store(states.clone());
        manager.set_metadata(metadata.clone());
        Ok(Self { manager, states, metadata })
    }

    /// Returns a flag of the authorization server's metadata.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.metadata.additional_fields.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// Scopes of a first authorization: those of the challenge, or else those of the server's metadata.
    pub(super) async fn initial_scopes(&self) -> Vec<String> {
        self.manager.select_initial_scopes(&[]).await
    }

    /// Registers a client, and returns its id and secret.
    pub(super) async fn register(
        &mut self,
        name: &str,
        redirect_uri: &str,
        scopes: &[String],
    ) -> Result<(String, Option<String>), OAuthError> {
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let config = self
            .manager
            .register_client(name, redirect_uri, &scopes)
            .await
            .map_err(|error| OAuthError::registration(&error))?;
        Ok((config.client_id, config.client_secret))
    }

    /// Starts an authorization, with a new PKCE challenge and state.
    pub(super) async fn start(
        &mut self,
        client_id: &str,
        redirect_uri: &str,
        scopes: &[String],
    ) -> Result<PendingAuthorization, OAuthError> {
        self.manager
            .configure_client(OAuthClientConfig::new(client_id, redirect_uri))
            .map_err(OAuthError::discovery)?;
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let url = self.manager.get_authorization_url(&scopes).await.map_err(OAuthError::discovery)?;
        let url = Url::parse(&url).map_err(|_| OAuthError::InvalidUrl(quoted(&url)))?;
        let id = parameter(&url, "state").unwrap_or_default();
        let state = self.states.load(&id).await.map_err(OAuthError::discovery)?;
        let state = state.ok_or(OAuthError::InvalidRedirect("the authorization has no state"))?;
        Ok(PendingAuthorization { url, state })
    }

    /// Identifier of the server as a resource of the authorization server (RFC 8707).
    pub(super) async fn resource(&mut self, server: &Url) -> String {
        // rmcp tells it only in the URL of an authorization, which servers without that grant don't have.
        let pending = self.start("client", server.as_str(), &[]).await;
        let resource = pending.ok().and_then(|pending| parameter(&pending.url, "resource"));
        resource.filter(|resource| !resource.is_empty()).unwrap_or_else(|| server.as_str().to_owned())
    }
}

/// Returns true if metadata at the root of the server's origin names an issuer of the same origin. It is a mismatch by RFC 8414,
/// but servers of the protocol 2025-03-26 have their metadata there, whatever the path of their issuer. The origin vouches for
/// itself alone.
fn is_own_issuer(server: &Url, expected: &str, received: &str) -> bool {
    let root = Url::parse(expected).is_ok_and(|url| url.origin() == server.origin() && url.path() == "/");
    root && Url::parse(received).is_ok_and(|url| url.origin() == server.origin())
}

/// Metadata at the root of the server's origin.
async fn own_metadata(http: &OAuthHttp, server: &Url) -> Result<AuthorizationMetadata, OAuthError> {
    let url = format!("{}/.well-known/oauth-authorization-server", server.origin().ascii_serialization());
    let request = Request::get(&url).body(Vec::new()).map_err(|_| OAuthError::InvalidUrl(quoted(&url)))?;
    let response = http.send(request).await?;
    serde_json::from_slice(response.body()).map_err(|error| OAuthError::Discovery(Arc::new(error)))
}

/// Value of a query parameter of a URL.
pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
