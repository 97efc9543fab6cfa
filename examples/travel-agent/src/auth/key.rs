//! The issuer's key: ES256 signatures of tokens, and a derived key for values that only the issuer reads.

use std::{io, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest, hkdf, hmac,
    rand::{SecureRandom as _, SystemRandom},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    },
};
use serde_json::{Map, Value, json};

use super::AuthError;
use super::private_file::load_or_create;

/// Longest token that is verified, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

pub(super) struct SigningKey {
    pair: EcdsaKeyPair,
    id: String,
    sealing: hmac::Key,
}

impl SigningKey {
    /// Reads the key of a file, which is created on first use.
    pub(super) fn load(path: &Path) -> Result<Self, AuthError> {
        let new_key = || {
            let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
            key.map(|key| key.as_ref().to_vec()).map_err(|_| io::Error::other("the system has no random numbers"))
        };
        let der =
            load_or_create(path, new_key).map_err(|source| AuthError::KeyFile { path: path.to_owned(), source })?;
        Self::from_pkcs8(&der).ok_or_else(|| AuthError::InvalidKey { path: path.to_owned() })
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).ok()?;
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"travel-auth").extract(der);
        let sealing = derived.expand(&[b"sealed values"], hmac::HMAC_SHA256).ok()?.into();
        let mut key = Self { pair, id: String::new(), sealing };
        let (x, y) = key.coordinates()?;
        // The thumbprint of RFC 7638.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        key.id = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()));
        Some(key)
    }

    /// Returns the coordinates of the public key.
    fn coordinates(&self) -> Option<(String, String)> {
        // An uncompressed point: a tag, and two coordinates of 32 bytes.
        let (x, y) = self.pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
        Some((URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
    }

    /// Returns the public key as a JSON Web Key Set.
    pub(super) fn jwks(&self) -> Value {
        let key = self.coordinates().map(
            |(x, y)| json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.id, "use": "sig", "alg": "ES256"}),
        );
        json!({"keys": Vec::from_iter(key)})
    }

    /// Signs a JSON Web Token. Returns `None` if the system has no random numbers.
    pub(super) fn sign(&self, media_type: &str, claims: &Value) -> Option<String> {
        let header = json!({"alg": "ES256", "typ": media_type, "kid": self.id});
        let [header, claims] = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).ok()?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Returns the claims of a token with a signature of this key. Times are not checked.
    pub(super) fn verified(&self, token: &str) -> Option<Map<String, Value>> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        public.verify(message.as_bytes(), &signature).ok()?;
        let (_, claims) = message.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// Returns the key of values that only the issuer reads.
    pub(super) fn sealing(&self) -> &hmac::Key {
        &self.sealing
    }
}

/// Returns an unguessable id. Returns `None` if the system has no random numbers.
pub(super) fn random_id() -> Option<String> {
    let mut id = [0; 16];
    SystemRandom::new().fill(&mut id).ok()?;
    Some(URL_SAFE_NO_PAD.encode(id))
}
