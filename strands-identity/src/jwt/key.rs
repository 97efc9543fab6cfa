//! Keys that verify signatures, with ring.

use std::fmt;

use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::algorithm::JwtAlgorithm;

/// Smallest secret of HS256, in bytes: RFC 7518, section 3.2.
const MIN_SECRET_BYTES: usize = 32;

/// A key that verifies signatures.
pub(super) enum VerificationKey {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point on P-256.
    P256(Vec<u8>),
    /// An uncompressed point on P-384.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    Hmac(hmac::Key),
}

impl VerificationKey {
    /// Creates the key of a shared secret. Returns `None` if it is too short.
    pub(super) fn secret(secret: &SecretString) -> Option<Self> {
        hmac_key(secret).map(Self::Hmac)
    }

    /// Returns true if signatures of this algorithm may be verified with the key.
    pub(super) fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        use JwtAlgorithm::{EdDsa, Es256, Es384, Hs256, Ps256, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa(_) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256),
            Self::P256(_) => algorithm == Es256,
            Self::P384(_) => algorithm == Es384,
            Self::Ed25519(_) => algorithm == EdDsa,
            Self::Hmac(_) => algorithm == Hs256,
        }
    }

    /// Returns true if the signature of a message is valid. It never is for an algorithm that does not fit the key.
    pub(super) fn verifies(&self, algorithm: JwtAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let public = |scheme: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(scheme, key).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Rsa(key), algorithm) => {
                rsa_scheme(algorithm).is_some_and(|scheme| key.verify(scheme, message, signature).is_ok())
            }
            (Self::P256(point), JwtAlgorithm::Es256) => public(&ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), JwtAlgorithm::Es384) => public(&ECDSA_P384_SHA384_FIXED, point),
            (Self::Ed25519(key), JwtAlgorithm::EdDsa) => public(&ED25519, key),
            (Self::Hmac(key), JwtAlgorithm::Hs256) => hmac::verify(key, message, signature).is_ok(),
            _ => false,
        }
    }
}

fn rsa_scheme(algorithm: JwtAlgorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        JwtAlgorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        JwtAlgorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        JwtAlgorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        JwtAlgorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        JwtAlgorithm::Es256 | JwtAlgorithm::Es384 | JwtAlgorithm::EdDsa | JwtAlgorithm::Hs256 => None,
    }
}

/// Creates the HS256 key of a secret. Returns `None` if it is too short.
pub(super) fn hmac_key(secret: &SecretString) -> Option<hmac::Key> {
    let bytes = secret.expose_secret().as_bytes();
    (bytes.len() >= MIN_SECRET_BYTES).then(|| hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").finish_non_exhaustive()
    }
}
