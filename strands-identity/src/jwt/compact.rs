//! The compact form of a token: three parts in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json_object;
use super::reason::JwtReason;

/// Largest token, in bytes. HTTP servers rarely accept larger headers.
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The parts of a token. Nothing but the number of parts and the size is checked yet.
#[derive(Clone, Copy)]
pub(super) struct CompactToken<'a> {
    /// The part that is signed: header and claims.
    pub(super) message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> CompactToken<'a> {
    /// Splits a token.
    pub(super) fn split(token: &'a str) -> Result<Self, JwtReason> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtReason::TooLarge);
        }
        match token.bytes().filter(|byte| *byte == b'.').count() {
            2 => {}
            4 => return Err(JwtReason::Encrypted),
            _ => return Err(JwtReason::Malformed),
        }
        let (message, signature) = token.rsplit_once('.').ok_or(JwtReason::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(JwtReason::Malformed)?;
        Ok(Self { message, header, claims, signature })
    }

    /// Decodes the header.
    pub(super) fn header(&self) -> Result<Map<String, Value>, JwtReason> {
        object(self.header)
    }

    /// Decodes the claims. Verify the signature first.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, JwtReason> {
        object(self.claims)
    }

    /// Decodes the signature.
    pub(super) fn signature(&self) -> Result<Vec<u8>, JwtReason> {
        decode(self.signature)
    }
}

/// Joins a header and claims to the part of a token that is signed.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

/// Encodes bytes in base64url.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url, which has exactly one form for each value: no padding, no line breaks, no unused bits.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, JwtReason> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtReason::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, JwtReason> {
    json_object::object(&decode(part)?)
}
