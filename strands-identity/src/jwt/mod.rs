//! JSON Web Tokens: verification of a user's token, and tokens for services.
//!
//! Signatures are checked and made with ring. `jsonwebtoken` is no dependency: its `decode`, `encode`, `crypto::verify` and
//! `crypto::sign` take their cryptography from a process-wide provider, which belongs to the program, and panic without one;
//! its validation of claims is private; its headers and keys accept duplicate members and private parts. All that remained of it
//! would be names of algorithms, for two more crates (`jsonwebtoken` and `signature`, by `cargo tree`).

mod algorithm;
mod builder;
mod claims;
mod compact;
mod error;
mod fetch;
mod header;
mod identity_claims;
mod json_object;
mod jwk;
mod key;
mod key_cache;
mod key_set;
mod minted_tokens;
mod minter;
mod minter_builder;
mod reason;
mod signing_key;
mod verifier;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use algorithm::JwtAlgorithm;
pub use builder::JwtVerifierBuilder;
pub use error::{JwtError, JwtSetupError, MintError};
pub use identity_claims::ClaimPath;
pub use minter::ServiceTokenMinter;
pub use minter_builder::ServiceTokenMinterBuilder;
pub use reason::JwtReason;
pub use verifier::JwtVerifier;

/// Returns the current time.
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Returns the time since 1970, or `None` if the clock is before.
fn since_1970(clock: &Clock) -> Option<Duration> {
    clock().duration_since(SystemTime::UNIX_EPOCH).ok()
}
