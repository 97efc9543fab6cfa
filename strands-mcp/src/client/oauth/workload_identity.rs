//! Authorization by the identity that a platform gives to a workload: the JWT bearer grant (RFC 7523).

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use super::client::OAuthClient;
use super::discovery::Discovered;
use super::error::OAuthError;
use super::http::OAuthHttp;
use super::store::Tokens;
use super::token_request::AuthorizationServer;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

type Callback =
    dyn Fn(String) -> BoxFuture<'static, Result<SecretString, Box<dyn StdError + Send + Sync>>> + Send + Sync;

/// Authorization by the identity of a workload: a signed token of the platform, such as a Kubernetes service account token,
/// is exchanged for a token of the MCP server.
///
/// ```
/// use strands::mcp::{OAuth, OAuthClient, WorkloadIdentity};
///
/// let grant = WorkloadIdentity::new(OAuthClient::public("nightly-report"), |_issuer| async {
///     std::fs::read_to_string("/var/run/secrets/tokens/mcp")
/// });
/// let oauth = OAuth::new(grant);
/// # let _ = oauth;
/// ```
#[derive(Clone)]
#[must_use]
pub struct WorkloadIdentity {
    pub(super) client: OAuthClient,
    assertion: Arc<Callback>,
}

impl fmt::Debug for WorkloadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadIdentity").field("client", &self.client).finish_non_exhaustive()
    }
}

impl WorkloadIdentity {
    /// Creates a grant for a client with a callback that returns the workload's token. It receives the issuer of the
    /// authorization server, which is the audience that the token needs.
    pub fn new<C, F, T, E>(client: OAuthClient, assertion: C) -> Self
    where
        C: Fn(String) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<SecretString>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let assertion = move |issuer| assertion(issuer).map(|token| token.map(Into::into).map_err(Into::into)).boxed();
        Self { client, assertion: Arc::new(assertion) }
    }

    pub(super) async fn authorize(
        &self,
        http: &OAuthHttp,
        discovered: &Discovered,
        resource: &str,
        scopes: Vec<String>,
    ) -> Result<Tokens, OAuthError> {
        let metadata = &discovered.metadata;
        let issuer = metadata.issuer.clone().unwrap_or_else(|| metadata.token_endpoint.clone());
        let assertion = (self.assertion)(issuer).await.map_err(OAuthError::callback)?;
        let server = AuthorizationServer { metadata, audience: self.client.audience.as_deref() };
        let scope = scopes.join(" ");
        let mut form =
            vec![("grant_type", GRANT), ("assertion", assertion.expose_secret().trim()), ("resource", resource)];
        if !scope.is_empty() {
            form.push(("scope", &scope));
        }
        Ok(server.request(http, &self.client.client, &form).await?.into_tokens(&self.client.client.id, scopes))
    }
}
