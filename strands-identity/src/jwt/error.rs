//! Errors of verifying and minting tokens.

use strands_http::ClientError;

use super::reason::JwtReason;

/// An error returned when a token is refused.
///
/// Its text is the same for each refused token and may be sent to the caller. [`reason`](Self::reason) is for the operator.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", if self.is_unavailable() { "the token can't be verified at the moment" } else { "invalid token" })]
pub struct JwtError {
    reason: JwtReason,
}

impl JwtError {
    /// Returns the reason. Don't send it to the caller.
    pub fn reason(&self) -> &JwtReason {
        &self.reason
    }

    /// Returns true if the token was not checked, since the provider's keys can't be obtained: HTTP status 503 instead of 401.
    pub fn is_unavailable(&self) -> bool {
        self.reason == JwtReason::KeysUnavailable
    }
}

impl From<JwtReason> for JwtError {
    fn from(reason: JwtReason) -> Self {
        Self { reason }
    }
}

/// An error of the settings of a [`JwtVerifier`](crate::JwtVerifier) or a [`ServiceTokenMinter`](crate::ServiceTokenMinter).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum JwtSetupError {
    /// A required setting is missing.
    #[error("missing setting: call `{0}`")]
    Missing(&'static str),
    /// A verifier has several sources of keys. Keys of different issuers need a verifier each.
    #[error("several sources of keys: a verifier has exactly one")]
    SeveralKeySources,
    /// The issuer is not the one whose keys are discovered.
    #[error("the issuer is not the one whose keys are discovered")]
    IssuerMismatch,
    /// Both an audience and any audience are allowed.
    #[error("both `audience` and `any_audience` are set")]
    AudienceMismatch,
    /// A URL is invalid, or has credentials.
    #[error("invalid URL of the {0}: expected `https://host/path`")]
    InvalidUrl(&'static str),
    /// A URL is not HTTPS.
    #[error("the URL of the {0} is not HTTPS: call `allow_http` to allow that")]
    InsecureUrl(&'static str),
    /// A set of keys is invalid.
    #[error("invalid JSON Web Key Set: {0}")]
    InvalidKeySet(&'static str),
    /// A key can't be used.
    #[error("unusable JSON Web Key at index {index}: {reason}")]
    UnusableKey {
        /// Zero-based index.
        index: usize,
        /// The reason.
        reason: &'static str,
    },
    /// A shared secret is too short.
    #[error("the secret has fewer than 32 bytes, the length of an HS256 signature")]
    ShortSecret,
    /// A private key is invalid.
    #[error("invalid private key: expected a P-256 key in PKCS#8, as PEM")]
    InvalidPrivateKey,
    /// No algorithm is allowed, or one that the keys can't have: HS256 with public keys, or another one with a shared secret.
    #[error("the allowed algorithms don't fit the keys: HS256 for a shared secret, all others for public keys")]
    Algorithms,
    /// A duration or a size is out of its range.
    #[error("`{setting}` is out of its range: expected {expected}")]
    OutOfRange {
        /// Name of the setting.
        setting: &'static str,
        /// The range.
        expected: &'static str,
    },
    /// The HTTP client can't be set up.
    #[error("the HTTP client can't be set up")]
    Client(#[from] ClientError),
}

/// An error returned when a token can't be minted.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The identity has no subject.
    #[error("the identity has no subject")]
    NoSubject,
    /// The operating system has no random numbers, or the clock is before 1970.
    #[error("the token can't be signed")]
    Signing,
}

strands_core::__debug_with_sources!(JwtError, JwtSetupError, MintError);
