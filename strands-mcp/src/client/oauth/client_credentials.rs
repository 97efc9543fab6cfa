//! Authorization of a program that acts for itself: the client credentials grant.

use super::client::OAuthClient;
use super::discovery::Discovered;
use super::error::OAuthError;
use super::http::OAuthHttp;
use super::store::Tokens;
use super::token_request::AuthorizationServer;

/// Authorization of a program that acts for itself: the client credentials grant.
///
/// ```
/// use strands::mcp::{ClientCredentials, OAuth, OAuthClient};
///
/// let oauth = OAuth::new(ClientCredentials::new(OAuthClient::with_secret("nightly-report", "secret"))).scopes(["reports:read"]);
/// # let _ = oauth;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientCredentials {
    pub(super) client: OAuthClient,
}

impl ClientCredentials {
    /// Creates a grant for a client with a secret or a private key.
    pub fn new(client: OAuthClient) -> Self {
        Self { client }
    }

    pub(super) async fn authorize(
        &self,
        http: &OAuthHttp,
        discovered: &Discovered,
        resource: &str,
        scopes: Vec<String>,
    ) -> Result<Tokens, OAuthError> {
        let server = AuthorizationServer { metadata: &discovered.metadata, audience: self.client.audience.as_deref() };
        let scope = scopes.join(" ");
        let mut form = vec![("grant_type", "client_credentials"), ("resource", resource)];
        if !scope.is_empty() {
            form.push(("scope", &scope));
        }
        Ok(server.request(http, &self.client.client, &form).await?.into_tokens(&self.client.client.id, scopes))
    }
}
