//! JSON Web Key Sets.

use std::sync::Arc;

use serde_json::Value;

use super::algorithm::JwtAlgorithm;
use super::json_object;
use super::jwk::{self, Jwk};
use super::reason::JwtReason;

/// Largest number of keys in a set.
const MAX_KEYS: usize = 100;

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Arc<Jwk>>,
    unusable: Vec<UnusableKey>,
}

/// A key that no token may be signed with.
#[derive(Debug)]
pub(super) struct UnusableKey {
    pub(super) index: usize,
    id: Option<String>,
    pub(super) reason: &'static str,
}

impl KeySet {
    /// Creates a set of one key without an id.
    pub(super) fn single(key: impl Into<Jwk>) -> Self {
        Self { keys: vec![Arc::new(key.into())], unusable: Vec::new() }
    }

    /// Reads a set. The error is the reason for which it is invalid. Keys that can't be used, such as those for encryption, don't
    /// make a set invalid.
    pub(super) fn read(json: &[u8]) -> Result<Self, &'static str> {
        let object = json_object::object(json).map_err(|_| "no JSON object without duplicate members")?;
        let members = object.get("keys").and_then(Value::as_array).ok_or("`keys` is missing or not an array")?;
        if members.len() > MAX_KEYS {
            return Err("more than 100 keys");
        }
        let mut set = Self { keys: Vec::new(), unusable: Vec::new() };
        for (index, member) in members.iter().enumerate() {
            let object = member.as_object();
            match object.map_or(Err("it is not an object"), Jwk::read) {
                Ok(key) => set.keys.push(Arc::new(key)),
                Err(reason) => set.unusable.push(UnusableKey { index, id: object.and_then(jwk::id), reason }),
            }
        }
        Ok(set)
    }

    /// Returns the keys that can't be used.
    pub(super) fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }

    /// Returns true if no key can be used.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the key of a token: the one with the token's key id, or, for tokens without one, the only key for its algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: JwtAlgorithm) -> Result<Arc<Jwk>, JwtReason> {
        let mut fitting = self.keys.iter().filter(|key| {
            // A shared secret has no id: it is the only key, whatever a token says.
            id.is_none_or(|id| key.id.as_deref().map_or(algorithm == JwtAlgorithm::Hs256, |own| own == id))
                && key.fits(algorithm)
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(Arc::clone(key)),
            (Some(_), Some(_)) if id.is_some() => Err(JwtReason::AmbiguousKey),
            _ => Err(self.reason_without(id)),
        }
    }

    /// Returns the reason for which no key was found.
    fn reason_without(&self, id: Option<&str>) -> JwtReason {
        let Some(id) = id else { return JwtReason::MissingKeyId };
        if self.keys.iter().any(|key| key.id.as_deref() == Some(id)) {
            return JwtReason::KeyMismatch;
        }
        let unusable = self.unusable.iter().find(|key| key.id.as_deref() == Some(id));
        unusable.map_or(JwtReason::UnknownKey, |key| JwtReason::UnusableKey(key.reason))
    }
}
