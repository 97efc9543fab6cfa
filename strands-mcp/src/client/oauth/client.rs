//! Clients that an authorization server knows before the program runs.

use std::fmt;

use secrecy::SecretString;

use super::assertion::SigningKey;
use super::error::OAuthError;
use super::token_request::{Authentication, Client};

/// A client that is registered at an authorization server: its id, and how it authenticates.
///
/// Set [`issuer`](Self::issuer) if there is more than one authorization server that could be meant: without it, the client's
/// secret is sent to the authorization server that the MCP server's metadata names first, and to no other afterwards.
///
/// ```
/// use strands::mcp::OAuthClient;
///
/// let client = OAuthClient::with_secret("travel-agent", "secret").issuer("https://login.example.com");
/// # let _ = client;
/// ```
#[derive(Clone)]
#[must_use]
pub struct OAuthClient {
    pub(super) client: Client,
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("id", &self.client.id)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl OAuthClient {
    fn new(id: String, authentication: Authentication) -> Self {
        Self { client: Client { id, authentication }, issuer: None, audience: None }
    }

    /// Creates a public client, which has no secret.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::None)
    }

    /// Creates a client with a secret. It is sent by HTTP basic authentication, or in the body if the authorization server
    /// supports only that.
    pub fn with_secret(id: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self::new(id.into(), Authentication::Secret(secret.into()))
    }

    /// Creates a client that authenticates by signed assertions (`private_key_jwt`).
    ///
    /// The key is PEM with PKCS#8, or PKCS#1 for RSA. The algorithm follows from the key: RS256, ES256, ES384 or EdDSA.
    ///
    /// # Errors
    ///
    /// Returns [`OAuthError::InvalidKey`] if the text has no key of these kinds.
    pub fn with_private_key(id: impl Into<String>, pem: impl AsRef<[u8]>) -> Result<Self, OAuthError> {
        Ok(Self::new(id.into(), Authentication::Key(SigningKey::from_pem(pem.as_ref())?)))
    }

    /// Sets the id of the private key (`kid`), by which the authorization server finds the public key. Default: none.
    pub fn key_id(mut self, id: impl Into<String>) -> Self {
        if let Authentication::Key(key) = &mut self.client.authentication {
            key.id = Some(id.into());
        }
        self
    }

    /// Sets the audience of signed assertions. Default: the issuer of the authorization server.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the issuer of the authorization server that the client is registered at. With another one, authorization fails
    /// with [`OAuthError::IssuerMismatch`]. Default: the issuer that the server's metadata names at the first authorization.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }
}
