//! Keys that sign tokens, with ring.

use std::fmt;

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::algorithm::JwtAlgorithm;
use super::compact::encode;
use super::error::JwtSetupError;
use super::key::hmac_key;

pub(super) enum SigningKey {
    Hmac(hmac::Key),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Creates the key of a shared secret.
    pub(super) fn secret(secret: &SecretString) -> Result<Self, JwtSetupError> {
        hmac_key(secret).map(Self::Hmac).ok_or(JwtSetupError::ShortSecret)
    }

    /// Reads a P-256 key in PKCS#8, as PEM.
    pub(super) fn p256(pem: &SecretString) -> Result<Self, JwtSetupError> {
        let invalid = JwtSetupError::InvalidPrivateKey;
        let Ok(der) = PrivatePkcs8KeyDer::from_pem_slice(pem.expose_secret().as_bytes()) else { return Err(invalid) };
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &SystemRandom::new());
        pair.map(Self::P256).map_err(|_| invalid)
    }

    pub(super) fn algorithm(&self) -> JwtAlgorithm {
        match self {
            Self::Hmac(_) => JwtAlgorithm::Hs256,
            Self::P256(_) => JwtAlgorithm::Es256,
        }
    }

    /// Signs a message. Returns `None` if the system has no random numbers.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hmac(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
            Self::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).ok().map(|signature| signature.as_ref().to_vec())
            }
        }
    }

    /// Returns the public key as a JSON Web Key. A shared secret has none.
    pub(super) fn public_jwk(&self) -> Option<Value> {
        let Self::P256(pair) = self else { return None };
        // An uncompressed point: a tag, and two coordinates of 32 bytes.
        let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
        Some(json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "use": "sig", "alg": "ES256"}))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.algorithm()).finish()
    }
}
