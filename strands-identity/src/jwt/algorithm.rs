//! Signature algorithms of tokens.

/// A signature algorithm of tokens, by its name in [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// EdDSA on Ed25519.
    EdDsa,
    /// HMAC with SHA-256, for tokens between services that share a secret.
    Hs256,
}

impl JwtAlgorithm {
    /// All algorithms with a public key.
    pub const PUBLIC_KEY: [Self; 7] =
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];

    /// Returns the name in tokens and keys, such as `RS256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// Returns the algorithm of a name. Names are case-sensitive.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::PUBLIC_KEY.into_iter().chain([Self::Hs256]).find(|algorithm| algorithm.name() == name)
    }
}
