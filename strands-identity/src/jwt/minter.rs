//! Tokens that an agent presents to other services for its user.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::compact::{encode, message};
use super::error::MintError;
use super::minted_tokens::MintedTokens;
use super::minter_builder::ServiceTokenMinterBuilder;
use super::signing_key::SigningKey;
use super::{Clock, since_1970};
use crate::Identity;

/// Mints the tokens that an agent presents to a service, such as an MCP server, for the user it works for.
///
/// The claims: `sub` is the agent, `user_id` and `user_name` are the user's subject and name; `iss`, `aud`, `iat`, `exp` and a unique
/// `jti`. A token lives for minutes, and is minted again shortly before it ends. Clones share their tokens.
///
/// The service verifies them with a [`JwtVerifier`](crate::JwtVerifier) whose
/// [`subject_claim`](crate::JwtVerifierBuilder::subject_claim) is `user_id`.
///
/// # Examples
///
/// ```
/// use strands::identity::{Identity, JwtVerifier, ServiceTokenMinter};
/// use strands::identity::secrecy::ExposeSecret;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = "a secret of at least 32 bytes that both sides know";
/// let minter = ServiceTokenMinter::hs256(secret)
///     .agent("travel-agent")
///     .issuer("https://agents.example.com")
///     .audience("travel-tools")
///     .build()?;
/// let token = minter.token_for(&Identity::new("alice").with_name("Alice"))?;
///
/// let verifier = JwtVerifier::builder()
///     .hs256_secret(secret)
///     .issuer("https://agents.example.com")
///     .audience("travel-tools")
///     .subject_claim("user_id")
///     .build()?;
/// let identity = verifier.verify(token.expose_secret()).await?;
/// assert_eq!((identity.subject.as_str(), identity.name.as_deref()), ("alice", Some("Alice")));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ServiceTokenMinter {
    inner: Arc<Inner>,
}

pub(super) type UserClaims = dyn Fn(&Identity) -> Map<String, Value> + Send + Sync;

pub(super) struct Inner {
    pub(super) key: SigningKey,
    pub(super) key_id: Option<String>,
    pub(super) agent: String,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) lifetime: Duration,
    pub(super) capacity: usize,
    pub(super) user_claims: Option<Box<UserClaims>>,
    pub(super) clock: Clock,
    pub(super) tokens: Mutex<MintedTokens>,
}

impl ServiceTokenMinter {
    /// Creates a builder for tokens that are signed with a shared secret of at least 32 bytes.
    pub fn hs256(secret: impl Into<SecretString>) -> ServiceTokenMinterBuilder {
        ServiceTokenMinterBuilder::new(SigningKey::secret(&secret.into()))
    }

    /// Creates a builder for tokens that are signed with a P-256 key in PKCS#8, as PEM: `-----BEGIN PRIVATE KEY-----`.
    pub fn es256(pem: impl Into<SecretString>) -> ServiceTokenMinterBuilder {
        ServiceTokenMinterBuilder::new(SigningKey::p256(&pem.into()))
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Returns a token for a user that is valid for some time yet.
    ///
    /// # Errors
    ///
    /// Returns a [`MintError`] if the identity has no subject, or the token can't be signed.
    pub fn token_for(&self, user: &Identity) -> Result<SecretString, MintError> {
        let inner = &*self.inner;
        let now = since_1970(&inner.clock).ok_or(MintError::Signing)?;
        if let Some(token) = inner.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(user, now) {
            return Ok(token);
        }
        let token = inner.mint(user, now)?;
        let until = now + inner.lifetime - inner.margin();
        let mut tokens = inner.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(user, token.clone(), until, now, inner.capacity);
        Ok(token)
    }

    /// Returns the public key as a JSON Web Key Set for the service. With a shared secret it has no keys.
    pub fn jwks(&self) -> Value {
        let mut keys = Vec::from_iter(self.inner.key.public_jwk());
        if let (Some(id), Some(Value::Object(key))) = (&self.inner.key_id, keys.first_mut()) {
            key.insert("kid".to_owned(), id.as_str().into());
        }
        json!({"keys": keys})
    }
}

impl Inner {
    /// Time before the end of a token at which it is minted again: a request may take as long.
    fn margin(&self) -> Duration {
        (self.lifetime / 4).min(Duration::from_secs(60))
    }

    fn mint(&self, user: &Identity, now: Duration) -> Result<SecretString, MintError> {
        if user.subject.is_empty() {
            return Err(MintError::NoSubject);
        }
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_| MintError::Signing)?;
        let mut claims = self.user_claims.as_ref().map(|claims| claims(user)).unwrap_or_default();
        claims.remove("nbf");
        claims.remove("user_name");
        for (name, value) in [
            ("iss", self.issuer.as_str().into()),
            ("sub", self.agent.as_str().into()),
            ("aud", self.audience.as_str().into()),
            ("iat", now.as_secs().into()),
            ("exp", (now + self.lifetime).as_secs().into()),
            ("jti", encode(id).into()),
            ("user_id", Value::from(user.subject.as_str())),
        ] {
            claims.insert(name.to_owned(), value);
        }
        if let Some(name) = &user.name {
            claims.insert("user_name".to_owned(), name.as_str().into());
        }
        let mut header = json!({"alg": self.key.algorithm().name(), "typ": "JWT"});
        if let (Some(id), Some(header)) = (&self.key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.as_str().into());
        }
        let message = message(&header, &claims.into());
        let signature = self.key.sign(message.as_bytes()).ok_or(MintError::Signing)?;
        Ok(format!("{message}.{}", encode(signature)).into())
    }
}

impl fmt::Debug for ServiceTokenMinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cached = self.inner.tokens.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("ServiceTokenMinter")
            .field("key", &self.inner.key)
            .field("agent", &self.inner.agent)
            .field("audience", &self.inner.audience)
            .field("cached", &cached)
            .finish_non_exhaustive()
    }
}
