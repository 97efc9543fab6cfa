//! Builder of a minter of service tokens.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::Clock;
use super::error::JwtSetupError;
use super::minted_tokens::MintedTokens;
use super::minter::{Inner, ServiceTokenMinter, UserClaims};
use super::signing_key::SigningKey;
use crate::Identity;

const LIFETIMES: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60 * 60);

/// Builder for [`ServiceTokenMinter`]. Required are an agent, an issuer and an audience.
#[must_use]
pub struct ServiceTokenMinterBuilder {
    key: Result<SigningKey, JwtSetupError>,
    key_id: Option<String>,
    agent: String,
    issuer: String,
    audience: String,
    lifetime: Duration,
    capacity: usize,
    user_claims: Option<Box<UserClaims>>,
    clock: Clock,
}

impl ServiceTokenMinterBuilder {
    pub(super) fn new(key: Result<SigningKey, JwtSetupError>) -> Self {
        Self {
            key,
            key_id: None,
            agent: String::new(),
            issuer: String::new(),
            audience: String::new(),
            lifetime: Duration::from_secs(5 * 60),
            capacity: 1000,
            user_claims: None,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Sets the agent: the claim `sub`.
    pub fn agent(mut self, id: impl Into<String>) -> Self {
        self.agent = id.into();
        self
    }

    /// Sets the issuer: the claim `iss`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Sets the service that the tokens are for: the claim `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Sets the id of the key: the header's `kid`. Default: none.
    pub fn key_id(mut self, id: impl Into<String>) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// Sets the lifetime of a token: 10 seconds to 1 hour. Default: 5 minutes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the number of users whose tokens are cached. Default: 1,000. With 0 each request gets a token of its own.
    pub fn cache_size(mut self, users: usize) -> Self {
        self.capacity = users;
        self
    }

    /// Adds claims of the user, such as roles. Claims that the minter sets can't be replaced.
    pub fn user_claims(mut self, claims: impl Fn(&Identity) -> Map<String, Value> + Send + Sync + 'static) -> Self {
        self.user_claims = Some(Box::new(claims));
        self
    }

    /// Sets the clock, for tests. Default: the clock of the system.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the minter.
    ///
    /// # Errors
    ///
    /// Returns a [`JwtSetupError`] if the key is invalid, or a setting is missing or out of its range.
    pub fn build(self) -> Result<ServiceTokenMinter, JwtSetupError> {
        let required = [("agent", &self.agent), ("issuer", &self.issuer), ("audience", &self.audience)];
        if let Some((missing, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
            return Err(JwtSetupError::Missing(missing));
        }
        if !LIFETIMES.contains(&self.lifetime) {
            return Err(JwtSetupError::OutOfRange { setting: "lifetime", expected: "10 seconds to 1 hour" });
        }
        Ok(ServiceTokenMinter::new(Inner {
            key: self.key?,
            key_id: self.key_id,
            agent: self.agent,
            issuer: self.issuer,
            audience: self.audience,
            lifetime: self.lifetime,
            capacity: self.capacity,
            user_claims: self.user_claims,
            clock: self.clock,
            tokens: Mutex::<MintedTokens>::default(),
        }))
    }
}

/// Prints the agent and the audience alone: other settings may be secrets.
impl fmt::Debug for ServiceTokenMinterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceTokenMinterBuilder")
            .field("agent", &self.agent)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
