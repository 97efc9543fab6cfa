//! OAuth: tokens of a server's authorization server, obtained, refreshed and extended when the server asks for it.

mod address;
mod assertion;
mod authorization_code;
mod client;
mod client_credentials;
mod discovery;
mod enterprise;
mod error;
mod http;
mod loopback;
mod obtaining;
mod source;
mod store;
mod token_request;
mod workload_identity;

use std::fmt;
use std::sync::Arc;

use strands_http::HttpOptions;
use url::Url;

pub use authorization_code::AuthorizationCode;
pub use client::OAuthClient;
pub use client_credentials::ClientCredentials;
pub use enterprise::{EnterpriseManaged, IdentityProvider};
pub use error::OAuthError;
pub use source::OAuthTokenSource;
pub use store::CredentialStore;
pub use workload_identity::WorkloadIdentity;

use address::{AddressPolicy, proxy_host};
use http::OAuthHttp;

/// Default limit of requests for more scopes.
const MAX_STEP_UPS: u32 = 10;

/// Grant by which a client obtains tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OAuthGrant {
    /// A user authorizes in a browser.
    AuthorizationCode(AuthorizationCode),
    /// The program acts for itself.
    ClientCredentials(ClientCredentials),
    /// An enterprise's identity provider authorizes.
    EnterpriseManaged(EnterpriseManaged),
    /// The platform's identity of the workload authorizes.
    WorkloadIdentity(WorkloadIdentity),
}

impl From<AuthorizationCode> for OAuthGrant {
    fn from(grant: AuthorizationCode) -> Self {
        Self::AuthorizationCode(grant)
    }
}

impl From<ClientCredentials> for OAuthGrant {
    fn from(grant: ClientCredentials) -> Self {
        Self::ClientCredentials(grant)
    }
}

impl From<EnterpriseManaged> for OAuthGrant {
    fn from(grant: EnterpriseManaged) -> Self {
        Self::EnterpriseManaged(grant)
    }
}

impl From<WorkloadIdentity> for OAuthGrant {
    fn from(grant: WorkloadIdentity) -> Self {
        Self::WorkloadIdentity(grant)
    }
}

impl OAuthGrant {
    /// Client that the program set, if any.
    fn preregistered(&self) -> Option<&OAuthClient> {
        match self {
            Self::AuthorizationCode(grant) => grant.preregistered(),
            Self::ClientCredentials(grant) => Some(&grant.client),
            Self::EnterpriseManaged(grant) => Some(&grant.client),
            Self::WorkloadIdentity(grant) => Some(&grant.client),
        }
    }
}

/// OAuth for the requests to a server.
///
/// Nothing happens until the server asks for a token: then its authorization server is discovered, a token requested by the grant,
/// and the request sent again. Tokens are refreshed before they expire, and when the server rejects them. If the server asks for
/// more scopes, a token with those too is requested, [`max_step_ups`](Self::max_step_ups) times at most. However many requests need a
/// token at a time, there is one authorization.
///
/// Requests go to the server and, over `https`, to the authorization server that it names. They follow no redirects, take 30 s
/// at most, and read at most 1 MiB. A server on a loopback host may name an authorization server on a loopback host, with `http`.
/// Hosts that only metadata names are not connected to at private addresses: see
/// [`allow_private_addresses`](Self::allow_private_addresses).
///
/// ```
/// use strands::mcp::{ClientCredentials, OAuth, OAuthClient};
///
/// let client = OAuthClient::with_secret("nightly-report", "secret").issuer("https://login.example.com");
/// let oauth = OAuth::new(ClientCredentials::new(client)).scopes(["reports:read"]);
/// # let _ = oauth;
/// ```
#[derive(Clone)]
#[must_use]
pub struct OAuth {
    grant: OAuthGrant,
    scopes: Vec<String>,
    store: Option<Arc<dyn CredentialStore>>,
    max_step_ups: u32,
    allow_private: bool,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth")
            .field("grant", &self.grant)
            .field("scopes", &self.scopes)
            .field("max_step_ups", &self.max_step_ups)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

impl OAuth {
    /// Creates OAuth with a grant.
    pub fn new(grant: impl Into<OAuthGrant>) -> Self {
        Self { grant: grant.into(), scopes: Vec::new(), store: None, max_step_ups: MAX_STEP_UPS, allow_private: false }
    }

    /// Sets the scopes of the first token. Default: those that the server asks for, or else those that its metadata lists.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the store of tokens and of the client's registration. Default: in memory.
    ///
    /// A store is for one server and one user. Credentials of another server are not used.
    pub fn store(mut self, store: impl CredentialStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Limits the requests for tokens with more scopes, over the life of the client. Default: 10.
    pub fn max_step_ups(mut self, limit: u32) -> Self {
        self.max_step_ups = limit;
        self
    }

    /// Allows an authorization server whose name has a private address, such as in a company's network. Default: false, unless
    /// the URL of the server itself has a private address. Authorization servers that are named by a private address instead
    /// of a host name, and link-local addresses, at which clouds serve credentials, stay forbidden.
    pub fn allow_private_addresses(mut self, allow: bool) -> Self {
        self.allow_private = allow;
        self
    }

    /// Returns a source of tokens for a server, and for no other one, for programs that send requests with an HTTP client of their own. The builder of
    /// the client does it with its own proxy and certificates.
    ///
    /// # Errors
    ///
    /// Returns [`OAuthError::InvalidUrl`] or [`OAuthError::InsecureUrl`] if the URL is not `https`, or `http` with a loopback
    /// host, and [`OAuthError::Setup`] if the HTTP client can't be set up.
    pub fn token_source(&self, server: &str) -> Result<OAuthTokenSource, OAuthError> {
        let url = Url::parse(server).map_err(|error| OAuthError::InvalidUrl(error.to_string()))?;
        let options = HttpOptions::https().allow_http(address::is_loopback(&url));
        self.source(url, None, || {
            options.builder().map_err(|error| OAuthError::Setup(strands_core::ErrorChain::new(&error).to_string()))
        })
    }

    /// Source of tokens for a server, with HTTP clients of `builder`. The host of the program's proxy may have any address.
    pub(crate) fn source(
        &self,
        mut server: Url,
        proxy: Option<&str>,
        builder: impl Fn() -> Result<reqwest::ClientBuilder, OAuthError>,
    ) -> Result<OAuthTokenSource, OAuthError> {
        server.set_fragment(None);
        let mut policy = AddressPolicy::of(&server, self.allow_private);
        policy.proxies.extend(proxy.and_then(proxy_host));
        let mut named = Vec::new();
        if let OAuthGrant::EnterpriseManaged(grant) = &self.grant {
            let endpoint = &grant.identity_provider.token_endpoint;
            named.push(Url::parse(endpoint).map_err(|_| OAuthError::InvalidUrl(error::quoted(endpoint)))?);
        }
        let http = OAuthHttp::new(server.clone(), named, policy, builder)?;
        http.check(&server)?;
        Ok(OAuthTokenSource::new(self.clone(), server, http))
    }
}
