//! Verification of tokens.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::algorithm::JwtAlgorithm;
use super::builder::JwtVerifierBuilder;
use super::claims::ClaimRules;
use super::compact::CompactToken;
use super::error::JwtError;
use super::header::Header;
use super::identity_claims::IdentityClaims;
use super::jwk::Jwk;
use super::key_cache::KeyCache;
use super::key_set::KeySet;
use super::reason::JwtReason;
use super::{Clock, since_1970};
use crate::{Audit, AuditDecision, AuditRecord, Identity};

/// Verifies the JSON Web Tokens of one issuer, and makes an [`Identity`] of each.
///
/// The allowed algorithms are settings, and a key verifies only those of its type: never does a token choose the algorithm, or bring
/// its key. A token is refused if anything in it is missing, of the wrong type, repeated, or changes the meaning of the rest. Errors
/// have one text for all tokens; the reason is for the operator, and goes to the audit.
///
/// Clones share their keys.
///
/// # Examples
///
/// ```no_run
/// # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
/// use strands::identity::JwtVerifier;
///
/// let verifier = JwtVerifier::builder()
///     .oidc_discovery("https://login.example.com")
///     .audience("travel-api")
///     .roles_claim("groups")
///     .build()?;
/// let identity = verifier.verify(token).await?;
/// println!("{} has the roles {:?}", identity.subject, identity.roles);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct JwtVerifier {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) keys: Keys,
    pub(super) algorithms: Vec<JwtAlgorithm>,
    /// Allowed types of tokens, in lower case.
    pub(super) types: Vec<String>,
    pub(super) rules: ClaimRules,
    pub(super) identity: IdentityClaims,
    pub(super) audit: Audit,
    pub(super) clock: Clock,
}

/// Source of keys.
#[derive(Debug)]
pub(super) enum Keys {
    Fixed(KeySet),
    Fetched(KeyCache),
}

impl Keys {
    async fn find(&self, id: Option<&str>, algorithm: JwtAlgorithm) -> Result<Arc<Jwk>, JwtReason> {
        match self {
            Self::Fixed(set) => set.find(id, algorithm),
            Self::Fetched(cache) => cache.find(id, algorithm).await,
        }
    }
}

impl JwtVerifier {
    /// Creates a builder.
    pub fn builder() -> JwtVerifierBuilder {
        JwtVerifierBuilder::default()
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Verifies a token and returns its identity.
    ///
    /// Keys are fetched if they are needed; dropping the future does not stop that.
    ///
    /// # Errors
    ///
    /// Returns a [`JwtError`] if the token is refused, or if it can't be verified since the issuer's keys can't be fetched.
    pub async fn verify(&self, token: &str) -> Result<Identity, JwtError> {
        let result = self.inner.verify(token).await;
        self.audited(result).await
    }

    /// Verifies a token and returns its identity, and its claims as a type of the program.
    ///
    /// # Errors
    ///
    /// Returns a [`JwtError`] as [`verify`](Self::verify) does, and if the claims don't have the type.
    pub async fn verify_claims<T: DeserializeOwned>(&self, token: &str) -> Result<(Identity, T), JwtError> {
        let result = self.inner.verify(token).await.and_then(|identity| {
            let claims = T::deserialize(Value::Object(identity.claims.clone())).map_err(|_| JwtReason::ClaimsType)?;
            Ok((identity, claims))
        });
        self.audited(result).await
    }

    /// Verifies the bearer token of a request, by the value of its header `Authorization`.
    ///
    /// # Errors
    ///
    /// Returns a [`JwtError`] as [`verify`](Self::verify) does, and if there is no header or no bearer token in it.
    pub async fn verify_bearer(&self, authorization: Option<&str>) -> Result<Identity, JwtError> {
        match authorization.and_then(bearer_token) {
            Some(token) => self.verify(token).await,
            None => self.audited(Err(JwtReason::NoBearerToken)).await,
        }
    }

    /// Fetches the issuer's keys if there are none yet, so that a program finds out at its start if it can't.
    ///
    /// # Errors
    ///
    /// Returns a [`JwtError`] if the keys can't be fetched.
    pub async fn load_keys(&self) -> Result<(), JwtError> {
        match &self.inner.keys {
            Keys::Fixed(_) => Ok(()),
            Keys::Fetched(cache) => cache.load().await.map_err(JwtError::from),
        }
    }

    /// Records a refusal in the audit.
    async fn audited<T>(&self, result: Result<T, JwtReason>) -> Result<T, JwtError> {
        let reason = match result {
            Ok(value) => return Ok(value),
            Err(reason) => reason,
        };
        let record = AuditRecord::new(AuditDecision::IdentityRefused).with_reason(reason.to_string());
        // The token is refused with a record or without; the audit reports its failure.
        let _ = self.inner.audit.record(record).await;
        Err(reason.into())
    }
}

impl Inner {
    async fn verify(&self, token: &str) -> Result<Identity, JwtReason> {
        let claims = self.verified_claims(token).await?;
        self.rules.check(&claims, since_1970(&self.clock).ok_or(JwtReason::Clock)?)?;
        self.identity.identity(claims)
    }

    /// Returns the claims of a token with a valid signature.
    async fn verified_claims(&self, token: &str) -> Result<Map<String, Value>, JwtReason> {
        let token = CompactToken::split(token)?;
        let header = Header::check(&token.header()?, &self.algorithms, &self.types)?;
        let signature = token.signature()?;
        let key = self.keys.find(header.key_id.as_deref(), header.algorithm).await?;
        if !key.verifies(header.algorithm, token.message.as_bytes(), &signature) {
            return Err(JwtReason::Signature);
        }
        token.claims()
    }
}

/// Returns the token of a header `Authorization`. Names of schemes are case-insensitive.
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("algorithms", &self.inner.algorithms)
            .field("rules", &self.inner.rules)
            .field("keys", &self.inner.keys)
            .finish_non_exhaustive()
    }
}
