//! Reasons for which tokens are refused.

use std::borrow::Cow;
use std::fmt;

/// The reason for which a token was refused, for the operator: in the audit and in logs.
///
/// Its text has no part of the token, except for names of claims that the program's settings have. Don't send it to the caller:
/// it tells how to make a better forgery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtReason {
    /// The request has no bearer token.
    NoBearerToken,
    /// The token is larger than the limit. Nothing of it was decoded.
    TooLarge,
    /// The token does not have three parts in base64url, or the first two are not JSON objects.
    Malformed,
    /// The header or the claims have an object with two members of one name.
    DuplicateMember,
    /// The token is encrypted.
    Encrypted,
    /// The token has another token as its content.
    Nested,
    /// The header has a key, or refers to one: `jwk`, `jku`, `x5c` or `x5u`.
    KeyInHeader,
    /// The header has `crit`, `b64` or `zip`: an extension that changes the meaning of a token.
    Extension,
    /// The header's `typ` is not one of the allowed types.
    TokenType,
    /// The algorithm is missing, unknown, `none`, or not one of the allowed ones.
    Algorithm,
    /// The token names no key, and several fit.
    MissingKeyId,
    /// No key has this id.
    UnknownKey,
    /// The key of this id can't be used.
    UnusableKey(&'static str),
    /// The key of this id is for another algorithm.
    KeyMismatch,
    /// Two keys with this id are for this algorithm.
    AmbiguousKey,
    /// The signature does not match.
    Signature,
    /// A required claim is missing.
    MissingClaim(Cow<'static, str>),
    /// A claim has the wrong type, or is empty.
    InvalidClaim(Cow<'static, str>),
    /// A claim does not have the required value.
    ClaimValue(Cow<'static, str>),
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// The token was issued in the future.
    IssuedInFuture,
    /// Another issuer has issued the token.
    Issuer,
    /// The token is for another audience.
    Audience,
    /// The claims don't have the program's type.
    ClaimsType,
    /// The program's clock is before 1970, so that expiry can't be checked.
    Clock,
    /// The provider's keys can't be obtained: the token was not checked.
    KeysUnavailable,
}

impl fmt::Display for JwtReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBearerToken => "no bearer token",
            Self::TooLarge => "token too large",
            Self::Malformed => "malformed token",
            Self::DuplicateMember => "duplicate member in the header or the claims",
            Self::Encrypted => "encrypted token",
            Self::Nested => "nested token",
            Self::KeyInHeader => "the header has a key or refers to one",
            Self::Extension => "the header has a critical extension",
            Self::TokenType => "token of another type",
            Self::Algorithm => "algorithm not allowed",
            Self::MissingKeyId => "no key id, and not exactly one key fits",
            Self::UnknownKey => "unknown key",
            Self::UnusableKey(why) => return write!(f, "unusable key: {why}"),
            Self::KeyMismatch => "the key is for another algorithm",
            Self::AmbiguousKey => "two keys have the same id",
            Self::Signature => "invalid signature",
            Self::MissingClaim(name) => return write!(f, "claim `{name}` is missing"),
            Self::InvalidClaim(name) => return write!(f, "claim `{name}` has the wrong type or is empty"),
            Self::ClaimValue(name) => return write!(f, "claim `{name}` does not have the required value"),
            Self::Expired => "expired token",
            Self::NotYetValid => "token not valid yet",
            Self::IssuedInFuture => "token issued in the future",
            Self::Issuer => "token of another issuer",
            Self::Audience => "token for another audience",
            Self::ClaimsType => "the claims don't have the program's type",
            Self::Clock => "the clock is before 1970",
            Self::KeysUnavailable => "the provider's keys can't be obtained",
        })
    }
}
