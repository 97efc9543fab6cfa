//! Errors of OAuth.

use std::error::Error as StdError;
use std::sync::Arc;

use rmcp::transport::AuthError;
use strands_core::ErrorChain;
use url::Url;

/// Longest text of another server in an error message, in characters.
const MAX_QUOTED: usize = 300;
/// Longest text of an error of rmcp, in characters.
const MAX_ERROR: usize = 1000;

/// An error of obtaining a token by OAuth.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OAuthError {
    /// A URL that OAuth may not use: not `https`, nor `http` to a loopback host of a server that is on a loopback host
    /// itself, or with credentials in it.
    #[error("insecure URL `{0}`: OAuth needs https, or http between loopback hosts")]
    InsecureUrl(String),
    /// A URL is not valid.
    #[error("invalid URL: {0}")]
    InvalidUrl(String),
    /// The private key can't be used for signing.
    #[error("invalid private key: {0}")]
    InvalidKey(&'static str),
    /// The server's metadata, or that of its authorization server, is missing, invalid, or contradicts itself.
    #[error("the authorization server can't be discovered")]
    Discovery(#[source] Arc<dyn StdError + Send + Sync>),
    /// The authorization server is not the one that the client's credentials are for.
    #[error("authorization server mismatch: expected issuer `{expected}`, received `{received}`")]
    IssuerMismatch {
        /// Issuer that the credentials are for.
        expected: String,
        /// Issuer that the server's metadata or the redirect names.
        received: String,
    },
    /// The client can't be registered.
    #[error("the client can't be registered at the authorization server")]
    Registration(#[source] Arc<dyn StdError + Send + Sync>),
    /// The program's callback failed.
    #[error("the OAuth callback failed")]
    Callback(#[source] Arc<dyn StdError + Send + Sync>),
    /// The redirect is not the response to this authorization.
    #[error("invalid redirect: {0}")]
    InvalidRedirect(&'static str),
    /// The user or the authorization server denied the authorization.
    #[error("authorization denied: {}", describe(code, description.as_deref()))]
    Denied {
        /// Error code of OAuth, such as `access_denied`.
        code: String,
        /// Description by the authorization server.
        description: Option<String>,
    },
    /// The token endpoint rejected a request.
    #[error("token request rejected with status {status}: {}", describe(code, description.as_deref()))]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Error code of OAuth, such as `invalid_grant`.
        code: String,
        /// Description by the authorization server.
        description: Option<String>,
    },
    /// A response is too large, or that of the token endpoint has no usable token.
    #[error("invalid OAuth response: {0}")]
    InvalidResponse(&'static str),
    /// The HTTP client can't be set up.
    #[error("the HTTP client can't be set up: {0}")]
    Setup(String),
    /// A request failed.
    #[error("OAuth request failed")]
    Http(#[source] Arc<dyn StdError + Send + Sync>),
    /// The program's credential store failed.
    #[error("the credential store failed")]
    Store(#[source] Arc<dyn StdError + Send + Sync>),
}

strands_core::__debug_with_sources!(OAuthError);

impl OAuthError {
    /// Error of the discovery of a server's authorization server, without the query of the server's URL, which may be a secret.
    pub(super) fn of_server(error: AuthError, server: &Url) -> Self {
        match (Self::discovery(error), server.query().filter(|query| !query.is_empty())) {
            (Self::Discovery(error), Some(query)) => {
                let text = error.to_string().replace(query, "..");
                Self::Discovery(Box::<dyn StdError + Send + Sync>::from(text).into())
            }
            (error, _) => error,
        }
    }

    /// Error of rmcp's discovery, without the types of rmcp.
    pub(super) fn discovery(error: AuthError) -> Self {
        match error {
            AuthError::AuthorizationServerMismatch { expected_issuer, received_issuer } => {
                Self::IssuerMismatch { expected: quoted(&expected_issuer), received: quoted(&received_issuer) }
            }
            AuthError::DiscoveryRequestFailed { url, source } => match source.downcast::<Self>() {
                Ok(error) if matches!(*error, Self::InsecureUrl(_)) => *error,
                Ok(source) => Self::Discovery(text(&AuthError::DiscoveryRequestFailed { url, source })),
                Err(source) => Self::Discovery(text(&AuthError::DiscoveryRequestFailed { url, source })),
            },
            error => Self::Discovery(text(&error)),
        }
    }

    pub(super) fn registration(error: &AuthError) -> Self {
        Self::Registration(text(error))
    }

    /// Returns true if the authorization server does not know the client, such as after its registration expired.
    pub(super) fn is_unknown_client(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if code == "invalid_client")
    }

    pub(super) fn callback(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::Callback(error.into())
    }
}

/// Text of an error with its sources, which may quote a server.
fn text(error: &(dyn StdError + 'static)) -> Arc<dyn StdError + Send + Sync> {
    Box::<dyn StdError + Send + Sync>::from(bounded(&ErrorChain::new(error).to_string(), MAX_ERROR)).into()
}

fn describe(code: &str, description: Option<&str>) -> String {
    description.map_or_else(|| code.to_owned(), |description| format!("{code} ({description})"))
}

/// Makes a text of another server fit for an error message: no control characters, and not long.
pub(super) fn quoted(text: &str) -> String {
    bounded(text, MAX_QUOTED)
}

fn bounded(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
