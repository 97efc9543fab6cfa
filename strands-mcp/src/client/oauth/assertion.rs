//! Client assertions: signed JSON Web Tokens by which a client authenticates with its private key (RFC 7523).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use super::error::OAuthError;
use super::store::now;

/// Life of an assertion, in seconds. Each request has a new one.
const LIFE: u64 = 300;

/// Private key of a client, with the algorithm that fits it.
#[derive(Clone)]
pub(super) struct SigningKey {
    key: Arc<KeyPair>,
    pub(super) id: Option<String>,
}

enum KeyPair {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    Es384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm()).field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a key in PEM: PKCS#8, or PKCS#1 for RSA.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, OAuthError> {
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| OAuthError::InvalidKey("expected PEM with a `PRIVATE KEY` section"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(KeyPair::Rs256),
            _ => {
                return Err(OAuthError::InvalidKey("expected PKCS#8: convert it with `openssl pkcs8 -topk8 -nocrypt`"));
            }
        };
        let key = key.ok_or(OAuthError::InvalidKey("expected RSA of 2048 bits or more, P-256, P-384 or Ed25519"))?;
        Ok(Self { key: Arc::new(key), id: None })
    }

    fn from_pkcs8(der: &[u8]) -> Option<KeyPair> {
        let random = SystemRandom::new();
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der, &random).ok();
        ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(KeyPair::Es256)
            .or_else(|| ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING).map(KeyPair::Es384))
            .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(KeyPair::Ed25519))
            .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(KeyPair::Rs256))
    }

    /// Name of the algorithm in JSON Web Tokens.
    pub(super) fn algorithm(&self) -> &'static str {
        match *self.key {
            KeyPair::Rs256(_) => "RS256",
            KeyPair::Es256(_) => "ES256",
            KeyPair::Es384(_) => "ES384",
            KeyPair::Ed25519(_) => "EdDSA",
        }
    }

    /// Signs an assertion of a client for an authorization server.
    pub(super) fn assertion(&self, client_id: &str, audience: &str) -> Result<String, OAuthError> {
        let mut header = json!({ "alg": self.algorithm(), "typ": "JWT" });
        if let (Some(id), Some(header)) = (&self.id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.as_str().into());
        }
        let now = now();
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now.saturating_add(LIFE),
            "jti": random_id()?,
        });
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OAuthError> {
        let failed = |_| OAuthError::InvalidKey("signing failed");
        let random = SystemRandom::new();
        match &*self.key {
            KeyPair::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            KeyPair::Es256(key) | KeyPair::Es384(key) => {
                Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec())
            }
            KeyPair::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }
}

fn random_id() -> Result<String, OAuthError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| OAuthError::InvalidKey("the system has no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, KeyPair as _, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    fn pem(der: &[u8]) -> String {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    fn decode(part: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(part).unwrap()
    }

    #[test]
    fn signs_claims_of_the_client_for_the_authorization_server() {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        let mut key = SigningKey::from_pem(pem(der.as_ref()).as_bytes()).unwrap();
        key.id = Some("key-1".to_owned());

        let assertion = key.assertion("client", "https://as.example.com").unwrap();

        let parts: Vec<&str> = assertion.split('.').collect();
        let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
        assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT", "kid": "key-1" }));
        let claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client"), &json!("client")));
        assert_eq!(claims["aud"], "https://as.example.com");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), LIFE);
        let signed = format!("{}.{}", parts[0], parts[1]);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.public_key())
            .verify(signed.as_bytes(), &decode(parts[2]))
            .unwrap();
        assert_ne!(assertion, key.assertion("client", "https://as.example.com").unwrap());
    }

    #[test]
    fn reads_ed25519_keys() {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let public = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let key = SigningKey::from_pem(pem(der.as_ref()).as_bytes()).unwrap();
        assert_eq!(key.algorithm(), "EdDSA");
        let signature = key.sign(b"message").unwrap();
        UnparsedPublicKey::new(&ED25519, public.public_key()).verify(b"message", &signature).unwrap();
    }

    #[test]
    fn rejects_texts_without_a_usable_key() {
        for text in ["", "not PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            let error = SigningKey::from_pem(text.as_bytes()).unwrap_err();
            assert!(matches!(error, OAuthError::InvalidKey(_)), "{error:?}");
        }
    }
}
