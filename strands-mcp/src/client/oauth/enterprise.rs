//! Authorization by an enterprise's identity provider (cross-app access): no user visits each server's login.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use oauth2::ClientSecret;
use rmcp::transport::auth::enterprise::{
    EmaAuthorizationServer, EmaClientAssertion, EmaClientAssertionProvider, EmaClientAuthentication, EmaError,
    EmaExchangeRequest, EmaExchangeStage,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::assertion::SigningKey;
use super::client::OAuthClient;
use super::discovery::Discovered;
use super::error::OAuthError;
use super::http::OAuthHttp;
use super::store::Tokens;
use super::token_request::{Authentication, AuthorizationServer, TokenResponse};

type Callback = dyn Fn() -> BoxFuture<'static, Result<SecretString, Box<dyn StdError + Send + Sync>>> + Send + Sync;

/// An enterprise's identity provider, at which the program is registered as a client.
#[derive(Clone, Debug)]
#[must_use]
pub struct IdentityProvider {
    issuer: String,
    pub(super) token_endpoint: String,
    client: OAuthClient,
}

impl IdentityProvider {
    /// Creates an identity provider from its issuer and its token endpoint, and the program's client there.
    pub fn new(issuer: impl Into<String>, token_endpoint: impl Into<String>, client: OAuthClient) -> Self {
        Self { issuer: issuer.into(), token_endpoint: token_endpoint.into(), client }
    }
}

/// Authorization by an enterprise's identity provider: its ID token of the signed-in user is exchanged for an assertion, and
/// that for a token of the MCP server.
///
/// ```
/// use strands::mcp::{EnterpriseManaged, IdentityProvider, OAuth, OAuthClient};
///
/// # async fn id_token() -> Result<&'static str, std::io::Error> { Ok("") }
/// let identity_provider = IdentityProvider::new(
///     "https://idp.example.com",
///     "https://idp.example.com/token",
///     OAuthClient::public("travel-agent"),
/// );
/// let client = OAuthClient::with_secret("travel-agent-at-mcp", "secret");
/// let oauth = OAuth::new(EnterpriseManaged::new(identity_provider, client, || id_token()));
/// # let _ = oauth;
/// ```
#[derive(Clone)]
#[must_use]
pub struct EnterpriseManaged {
    pub(super) identity_provider: IdentityProvider,
    pub(super) client: OAuthClient,
    id_token: Arc<Callback>,
}

impl fmt::Debug for EnterpriseManaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterpriseManaged")
            .field("identity_provider", &self.identity_provider)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl EnterpriseManaged {
    /// Creates a grant from the identity provider, the client at the server's authorization server, and a callback that returns
    /// a valid ID token of the user.
    pub fn new<C, F, T, E>(identity_provider: IdentityProvider, client: OAuthClient, id_token: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<SecretString>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let id_token = move || id_token().map(|token| token.map(Into::into).map_err(Into::into)).boxed();
        Self { identity_provider, client, id_token: Arc::new(id_token) }
    }

    pub(super) async fn authorize(
        &self,
        http: &OAuthHttp,
        discovered: &Discovered,
        resource: &str,
        scopes: Vec<String>,
    ) -> Result<Tokens, OAuthError> {
        let id_token = (self.id_token)().await.map_err(OAuthError::callback)?;
        let provider = &self.identity_provider;
        let identity_provider =
            EmaAuthorizationServer::new(&provider.issuer, &provider.token_endpoint, &provider.client.client.id)
                .with_client_authentication(authentication(&provider.client, true));
        let metadata = &discovered.metadata;
        let server = AuthorizationServer { metadata, audience: None };
        let issuer = metadata.issuer.as_deref().unwrap_or_default();
        let resource_server = EmaAuthorizationServer::new(issuer, &metadata.token_endpoint, &self.client.client.id)
            .with_client_authentication(authentication(&self.client, server.prefers_basic()));
        let token = EmaExchangeRequest::new_with_id_token(
            identity_provider,
            resource_server,
            resource,
            id_token.expose_secret(),
        )
        .with_scopes(scopes.iter().map(String::as_str))
        .exchange(http, http)
        .await
        .map_err(error)?;
        let granted = (!token.scopes.is_empty()).then(|| token.scopes.into_iter().collect());
        let expires_in = token.expires_in.map(|life| life.as_secs());
        let tokens = TokenResponse::new(token.access_token.secret().clone(), expires_in, granted)?;
        Ok(tokens.into_tokens(&self.client.client.id, scopes))
    }
}

fn authentication(client: &OAuthClient, basic: bool) -> EmaClientAuthentication {
    match &client.client.authentication {
        Authentication::None => EmaClientAuthentication::None,
        Authentication::Secret(secret) => {
            let secret = ClientSecret::new(secret.expose_secret().to_owned());
            if basic {
                EmaClientAuthentication::ClientSecretBasic(secret)
            } else {
                EmaClientAuthentication::ClientSecretPost(secret)
            }
        }
        Authentication::Key(key) => EmaClientAuthentication::JwtAssertion(Arc::new(Assertions {
            key: key.clone(),
            audience: client.audience.clone(),
        })),
    }
}

struct Assertions {
    key: SigningKey,
    audience: Option<String>,
}

#[async_trait]
impl EmaClientAssertionProvider for Assertions {
    async fn create_assertion(
        &self,
        server: &EmaAuthorizationServer,
    ) -> Result<EmaClientAssertion, Box<dyn StdError + Send + Sync>> {
        let audience = self.audience.as_deref().unwrap_or(&server.issuer);
        Ok(EmaClientAssertion::new(self.key.assertion(&server.client_id, audience)?))
    }
}

fn error(error: EmaError) -> OAuthError {
    let rejected = |stage, status, code: &str| OAuthError::Rejected {
        status,
        code: code.to_owned(),
        description: Some(
            match stage {
                EmaExchangeStage::IdentityProvider => "by the identity provider",
                _ => "by the authorization server",
            }
            .to_owned(),
        ),
    };
    match error {
        EmaError::InvalidGrant(stage) => rejected(stage, 400, "invalid_grant"),
        EmaError::InsufficientUserAuthentication(stage) => rejected(stage, 400, "insufficient_user_authentication"),
        EmaError::OAuthRejected { stage, status, code } => rejected(stage, status, code),
        error => OAuthError::Http(Arc::new(error)),
    }
}
