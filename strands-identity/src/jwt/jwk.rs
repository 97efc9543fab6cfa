//! JSON Web Keys: [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518).

use ring::signature::RsaPublicKeyComponents;
use serde_json::{Map, Value};

use super::algorithm::JwtAlgorithm;
use super::compact::decode;
use super::key::VerificationKey;

/// Members of private and of symmetric keys.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Longest public exponent that ring accepts: 33 bits.
const MAX_EXPONENT_BYTES: usize = 5;

/// A public key of a set.
#[derive(Debug)]
pub(super) struct Jwk {
    pub(super) id: Option<String>,
    /// The one algorithm that the key is for, if it names one.
    algorithm: Option<JwtAlgorithm>,
    key: VerificationKey,
}

impl Jwk {
    /// Reads a key. The error is the reason for which it can't be used.
    pub(super) fn read(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        if PRIVATE.iter().any(|part| jwk.contains_key(*part)) {
            return Err("it has private parts, so it is compromised");
        }
        if jwk.get("use").is_some_and(|usage| usage != "sig") {
            return Err("its `use` is not `sig`");
        }
        if let Some(operations) = jwk.get("key_ops") {
            let verifies = operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"));
            if !verifies {
                return Err("its `key_ops` don't include `verify`");
            }
        }
        let key = public_key(jwk)?;
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(
                name.as_str()
                    .and_then(JwtAlgorithm::from_name)
                    .filter(|algorithm| key.fits(*algorithm))
                    .ok_or("its `alg` is not supported or does not fit its type")?,
            ),
        };
        Ok(Self { id: id(jwk), algorithm, key })
    }

    /// Returns true if signatures of this algorithm may be verified with the key.
    pub(super) fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    pub(super) fn verifies(&self, algorithm: JwtAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.key.verifies(algorithm, message, signature)
    }
}

impl From<VerificationKey> for Jwk {
    fn from(key: VerificationKey) -> Self {
        Self { id: None, algorithm: None, key }
    }
}

/// Returns the id of a key.
pub(super) fn id(jwk: &Map<String, Value>) -> Option<String> {
    jwk.get("kid").and_then(Value::as_str).map(str::to_owned)
}

fn public_key(jwk: &Map<String, Value>) -> Result<VerificationKey, &'static str> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(|value| decode(value).ok());
    let point = |length: usize| match (bytes("x"), bytes("y")) {
        (Some(x), Some(y)) if x.len() == length && y.len() == length => Ok([&[4], x.as_slice(), &y].concat()),
        _ => Err("its coordinates are invalid"),
    };
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => rsa(bytes("n"), bytes("e")),
        (Some("EC"), Some("P-256")) => point(32).map(VerificationKey::P256),
        (Some("EC"), Some("P-384")) => point(48).map(VerificationKey::P384),
        (Some("OKP"), Some("Ed25519")) => match bytes("x") {
            Some(x) if x.len() == 32 => Ok(VerificationKey::Ed25519(x)),
            _ => Err("its coordinate is invalid"),
        },
        _ => Err("its type is not supported"),
    }
}

fn rsa(n: Option<Vec<u8>>, e: Option<Vec<u8>>) -> Result<VerificationKey, &'static str> {
    let (Some(n), Some(e)) = (n, e) else { return Err("its modulus or its exponent is missing or invalid") };
    let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if bits < *RSA_BITS.start() {
        return Err("an RSA key of fewer than 2048 bits");
    }
    if bits > *RSA_BITS.end() {
        return Err("an RSA key of more than 8192 bits");
    }
    // 1 would make every message its own signature.
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !odd || e == [1] || e.len() > MAX_EXPONENT_BYTES {
        return Err("its exponent is invalid");
    }
    Ok(VerificationKey::Rsa(RsaPublicKeyComponents { n, e }))
}

fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}
