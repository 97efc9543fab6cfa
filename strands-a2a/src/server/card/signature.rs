//! Signatures of agent cards: JSON Web Signatures (RFC 7515) of the canonical JSON (RFC 8785) of a card.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};

/// Signs agent cards, so that clients can check who has published one.
///
/// The signature is of the card of protocol 1.0, without the fields that the same document has for clients of 0.3.
///
/// ```no_run
/// use strands::a2a::CardSigner;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let key = std::fs::read("/etc/agent/card-key.pem")?;
/// let signer = CardSigner::es256("card-2026-1", &key)?.key_set_url("https://agent.example.com/jwks.json");
/// # drop(signer);
/// # Ok(()) }
/// ```
pub struct CardSigner {
    key_id: String,
    key_set_url: Option<String>,
    key: EcdsaKeyPair,
}

/// An error of reading a key for signatures.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid key: expected PEM with a private key of the curve P-256 in PKCS#8")]
#[non_exhaustive]
pub struct SigningKeyError;

strands_core::__debug_with_sources!(SigningKeyError);

/// A card that can't be signed.
#[derive(thiserror::Error)]
pub(super) enum SigningError {
    #[error("the card has no canonical form")]
    Canonical(#[from] serde_json::Error),
    #[error("the system has no random numbers")]
    Random,
}

strands_core::__debug_with_sources!(SigningError);

impl CardSigner {
    /// Creates a signer with a private key of ECDSA on the curve P-256 (`ES256`), in PEM with PKCS#8. Clients find the public key by
    /// `key_id`.
    ///
    /// # Errors
    ///
    /// Returns [`SigningKeyError`] if the text has no such key.
    pub fn es256(key_id: impl Into<String>, pem: &[u8]) -> Result<Self, SigningKeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| SigningKeyError)?;
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der(), &random).map_err(|_| SigningKeyError)?;
        Ok(Self { key_id: key_id.into(), key_set_url: None, key })
    }

    /// Sets the URL of the JSON Web Key Set with the public key. Default: none, so that clients must know the key.
    #[must_use]
    pub fn key_set_url(mut self, url: impl Into<String>) -> Self {
        self.key_set_url = Some(url.into());
        self
    }

    /// Returns the signature of a card, for its field `signatures`.
    pub(super) fn sign(&self, card: &Value) -> Result<Value, SigningError> {
        let mut header = Map::from_iter([
            ("alg".to_owned(), json!("ES256")),
            ("typ".to_owned(), json!("JOSE")),
            ("kid".to_owned(), json!(self.key_id)),
        ]);
        if let Some(url) = &self.key_set_url {
            header.insert("jku".to_owned(), json!(url));
        }
        let protected = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        let payload = URL_SAFE_NO_PAD.encode(serde_json_canonicalizer::to_vec(card)?);
        let signed = format!("{protected}.{payload}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| SigningError::Random)?;
        Ok(json!({"protected": protected, "signature": URL_SAFE_NO_PAD.encode(signature.as_ref())}))
    }
}

/// Prints the public parts only.
impl fmt::Debug for CardSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardSigner")
            .field("key_id", &self.key_id)
            .field("key_set_url", &self.key_set_url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};

    use super::*;

    #[test]
    fn signs_the_canonical_json() {
        let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let signer = CardSigner::es256("k1", pem.as_bytes()).unwrap().key_set_url("https://a.b/jwks.json");
        let signature =
            signer.sign(&json!({"version": "1", "name": "ä", "capabilities": {"b": 1.0, "a": []}})).unwrap();

        let canonical = r#"{"capabilities":{"a":[],"b":1},"name":"ä","version":"1"}"#;
        let protected = signature["protected"].as_str().unwrap();
        let signed = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(canonical));
        let raw = URL_SAFE_NO_PAD.decode(signature["signature"].as_str().unwrap()).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, signer.key.public_key());
        public.verify(signed.as_bytes(), &raw).unwrap();
        assert!(public.verify(format!("{signed}x").as_bytes(), &raw).is_err());

        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected).unwrap()).unwrap();
        assert_eq!(header, json!({"alg": "ES256", "typ": "JOSE", "kid": "k1", "jku": "https://a.b/jwks.json"}));
    }

    #[test]
    fn rejects_other_keys_and_prints_none() {
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        for pem in ["", "not PEM", &other] {
            assert_eq!(CardSigner::es256("k", pem.as_bytes()).err(), Some(SigningKeyError));
        }
        let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let signer = CardSigner::es256("k", pem.as_bytes()).unwrap();
        assert_eq!(format!("{signer:?}"), r#"CardSigner { key_id: "k", key_set_url: None, .. }"#);
    }
}
