//! Builder of a verifier.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde_json::Value;

use super::Clock;
use super::algorithm::JwtAlgorithm;
use super::claims::ClaimRules;
use super::error::JwtSetupError;
use super::fetch::{Endpoint, KeyFetcher};
use super::identity_claims::{ClaimPath, IdentityClaims};
use super::key::VerificationKey;
use super::key_cache::{KeyAges, KeyCache};
use super::key_set::KeySet;
use super::verifier::{Inner, JwtVerifier, Keys};
use crate::Audit;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);

/// Builder for [`JwtVerifier`]. Required are a source of keys, an issuer, and an audience or [`any_audience`](Self::any_audience).
#[must_use]
pub struct JwtVerifierBuilder {
    sources: Vec<KeySource>,
    issuer: Option<String>,
    audiences: Vec<String>,
    any_audience: bool,
    algorithms: Option<Vec<JwtAlgorithm>>,
    types: Vec<String>,
    leeway: Duration,
    required: Vec<(String, Option<Value>)>,
    identity: IdentityClaims,
    default_roles: bool,
    ages: KeyAges,
    fetch_timeout: Duration,
    allow_http: bool,
    certificates: Vec<Vec<u8>>,
    audit: Audit,
    clock: Clock,
}

enum KeySource {
    JwksUrl(String),
    Discovery(String),
    Jwks(String),
    Secret(SecretString),
}

impl Default for JwtVerifierBuilder {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            issuer: None,
            audiences: Vec::new(),
            any_audience: false,
            algorithms: None,
            types: vec!["jwt".to_owned(), "at+jwt".to_owned()],
            leeway: Duration::from_secs(30),
            required: Vec::new(),
            identity: IdentityClaims::default(),
            default_roles: true,
            ages: KeyAges { refresh: 15 * MINUTE, max: DAY },
            fetch_timeout: Duration::from_secs(10),
            allow_http: false,
            certificates: Vec::new(),
            audit: Audit::default(),
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl JwtVerifierBuilder {
    /// Takes the keys from a URL with a JSON Web Key Set.
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.sources.push(KeySource::JwksUrl(url.into()));
        self
    }

    /// Takes the keys from the URL that the issuer's discovery document names: `<issuer>/.well-known/openid-configuration`. Sets the
    /// issuer, too; the document must name the same one.
    pub fn oidc_discovery(mut self, issuer: impl Into<String>) -> Self {
        self.sources.push(KeySource::Discovery(issuer.into()));
        self
    }

    /// Takes the keys from the JSON of a JSON Web Key Set. All of them must be usable.
    pub fn jwks(mut self, json: impl Into<String>) -> Self {
        self.sources.push(KeySource::Jwks(json.into()));
        self
    }

    /// Verifies tokens of services, which share a secret of at least 32 bytes, with HS256.
    pub fn hs256_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.sources.push(KeySource::Secret(secret.into()));
        self
    }

    /// Sets the issuer: the claim `iss`, compared as a text.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Adds an audience. A token must have one of them in its claim `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for any audience, and those without one: an access token of Amazon Cognito has a `client_id` instead. Require
    /// that with [`require_claim_value`](Self::require_claim_value), or a token for another program is accepted, too.
    pub fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// Sets the allowed algorithms. Default: [`JwtAlgorithm::PUBLIC_KEY`], or HS256 with a shared secret. Keys of the two kinds are
    /// never mixed.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = JwtAlgorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets the allowed types of tokens: the header's `typ`. Default: `JWT` and `at+jwt`. Tokens without a type are accepted.
    pub fn token_types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.types = types.into_iter().map(|name| name.into().to_ascii_lowercase()).collect();
        self
    }

    /// Sets the allowed difference between the clocks of the issuer and of this program, up to 5 minutes. Default: 30 seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Requires a claim, beside `iss`, `sub`, `aud` and `exp`.
    pub fn require_claim(mut self, name: impl Into<String>) -> Self {
        self.required.push((name.into(), None));
        self
    }

    /// Requires a claim with a value, such as `token_use` with `access`.
    pub fn require_claim_value(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.required.push((name.into(), Some(value.into())));
        self
    }

    /// Adds a claim with roles or groups: an array of texts, or one text. Default: `roles`; the first call replaces the default.
    ///
    /// ```
    /// use strands::identity::JwtVerifier;
    ///
    /// let cognito = JwtVerifier::builder().roles_claim("cognito:groups");
    /// let keycloak = JwtVerifier::builder().roles_claim(["realm_access", "roles"]);
    /// # drop((cognito, keycloak));
    /// ```
    pub fn roles_claim(mut self, path: impl Into<ClaimPath>) -> Self {
        if std::mem::take(&mut self.default_roles) {
            self.identity.roles.clear();
        }
        self.identity.roles.push(path.into());
        self
    }

    /// Sets the claim with the display name. Default: the first of `name`, `preferred_username`, `username`, `cognito:username` and
    /// `user_name` that a token has.
    pub fn name_claim(mut self, path: impl Into<ClaimPath>) -> Self {
        self.identity.names = vec![path.into()];
        self
    }

    /// Sets the claim with the subject of the identity. Default: `sub`. For tokens of a
    /// [`ServiceTokenMinter`](crate::ServiceTokenMinter) it is `user_id`, since their `sub` is the agent.
    pub fn subject_claim(mut self, path: impl Into<ClaimPath>) -> Self {
        self.identity.subject = path.into();
        self
    }

    /// Sets the age at which fetched keys are fetched again: 1 minute to 1 day. Default: 15 minutes. So long does a key that the
    /// issuer withdraws stay valid.
    pub fn refresh_keys_after(mut self, age: Duration) -> Self {
        self.ages.refresh = age;
        self
    }

    /// Sets the age up to which keys are used while the issuer can't be reached: up to 7 days. Default: 1 day.
    pub fn max_key_age(mut self, age: Duration) -> Self {
        self.ages.max = age;
        self
    }

    /// Sets the limit of a request for keys, with its response: up to 1 minute. Default: 10 seconds.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// Allows to fetch keys over plain HTTP, for tests: others on the network can replace the keys then. Default: false.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Trusts additional certificate authorities, in PEM, for an issuer inside of a company.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    /// Sets the audit, which gets a record with the reason for each token that is refused. Default: events of `tracing`.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Sets the clock that expiry is compared with, for tests. Default: the clock of the system.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the verifier. It fetches no keys yet: see [`JwtVerifier::load_keys`].
    ///
    /// # Errors
    ///
    /// Returns a [`JwtSetupError`] if a setting is missing or invalid.
    pub fn build(mut self) -> Result<JwtVerifier, JwtSetupError> {
        let source = self.sources.pop().ok_or(JwtSetupError::Missing("jwks_url"))?;
        if !self.sources.is_empty() {
            return Err(JwtSetupError::SeveralKeySources);
        }
        self.check_ranges()?;
        let issuer = issuer(self.issuer.take(), &source)?;
        let audiences = match (self.any_audience, self.audiences.is_empty()) {
            (true, true) => None,
            (false, false) => Some(self.audiences),
            (false, true) => return Err(JwtSetupError::Missing("audience")),
            (true, false) => return Err(JwtSetupError::AudienceMismatch),
        };
        let algorithms = algorithms(self.algorithms.take(), &source)?;
        let endpoint = |endpoint| {
            let fetcher = KeyFetcher::new(endpoint, self.allow_http, &self.certificates, self.fetch_timeout)?;
            Ok::<_, JwtSetupError>(Keys::Fetched(KeyCache::new(fetcher, self.ages)))
        };
        let keys = match &source {
            KeySource::JwksUrl(url) => endpoint(Endpoint::key_set(url)?)?,
            KeySource::Discovery(issuer) => endpoint(Endpoint::discovery(issuer)?)?,
            KeySource::Jwks(json) => Keys::Fixed(fixed(json)?),
            KeySource::Secret(secret) => {
                Keys::Fixed(KeySet::single(VerificationKey::secret(secret).ok_or(JwtSetupError::ShortSecret)?))
            }
        };
        Ok(JwtVerifier::new(Inner {
            keys,
            algorithms,
            types: self.types,
            rules: ClaimRules { issuer, audiences, leeway: self.leeway, required: self.required },
            identity: self.identity,
            audit: self.audit,
            clock: self.clock,
        }))
    }

    fn check_ranges(&self) -> Result<(), JwtSetupError> {
        let out_of_range = |setting, expected| Err(JwtSetupError::OutOfRange { setting, expected });
        if self.leeway > MAX_LEEWAY {
            out_of_range("leeway", "up to 5 minutes")
        } else if !(MINUTE..=DAY).contains(&self.ages.refresh) {
            out_of_range("refresh_keys_after", "1 minute to 1 day")
        } else if !(self.ages.refresh..=7 * DAY).contains(&self.ages.max) {
            out_of_range("max_key_age", "at least `refresh_keys_after`, and up to 7 days")
        } else if self.fetch_timeout.is_zero() || self.fetch_timeout > MINUTE {
            out_of_range("fetch_timeout", "up to 1 minute")
        } else {
            Ok(())
        }
    }
}

fn issuer(named: Option<String>, source: &KeySource) -> Result<String, JwtSetupError> {
    let issuer = match (named, source) {
        (Some(named), KeySource::Discovery(discovered)) if named != *discovered => {
            return Err(JwtSetupError::IssuerMismatch);
        }
        (None, KeySource::Discovery(discovered)) => discovered.clone(),
        (Some(named), _) => named,
        (None, _) => return Err(JwtSetupError::Missing("issuer")),
    };
    if issuer.is_empty() { Err(JwtSetupError::Missing("issuer")) } else { Ok(issuer) }
}

fn algorithms(named: Option<Vec<JwtAlgorithm>>, source: &KeySource) -> Result<Vec<JwtAlgorithm>, JwtSetupError> {
    let possible: &[JwtAlgorithm] = match source {
        KeySource::Secret(_) => &[JwtAlgorithm::Hs256],
        _ => &JwtAlgorithm::PUBLIC_KEY,
    };
    let algorithms = named.unwrap_or_else(|| possible.to_vec());
    let fit = !algorithms.is_empty() && algorithms.iter().all(|algorithm| possible.contains(algorithm));
    if fit { Ok(algorithms) } else { Err(JwtSetupError::Algorithms) }
}

/// Reads the keys that a program names. Unlike those of an issuer, each must be usable: the program can fix them.
fn fixed(json: &str) -> Result<KeySet, JwtSetupError> {
    let set = KeySet::read(json.as_bytes()).map_err(JwtSetupError::InvalidKeySet)?;
    if let Some(key) = set.unusable().first() {
        return Err(JwtSetupError::UnusableKey { index: key.index, reason: key.reason });
    }
    if set.is_empty() { Err(JwtSetupError::InvalidKeySet("no keys")) } else { Ok(set) }
}

/// Prints the issuer alone: other settings may be secrets.
impl fmt::Debug for JwtVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifierBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
