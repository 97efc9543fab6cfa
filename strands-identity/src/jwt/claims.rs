//! Checks of the claims of a token whose signature is valid.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::reason::JwtReason;

/// Latest time, in seconds since 1970: the end of the year 9999. Later ones are in another unit.
const MAX_SECONDS: f64 = 253_402_300_799.0;

/// Claims that a token must have.
#[derive(Clone)]
pub(super) struct ClaimRules {
    pub(super) issuer: String,
    /// The audiences to be one of. `None`: any, and none.
    pub(super) audiences: Option<Vec<String>>,
    pub(super) leeway: Duration,
    /// Further claims, with their values if these are required.
    pub(super) required: Vec<(String, Option<Value>)>,
}

impl ClaimRules {
    /// Checks claims. `now` is the time since 1970.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: Duration) -> Result<(), JwtReason> {
        if text(claims, "iss")? != self.issuer {
            return Err(JwtReason::Issuer);
        }
        self.check_audience(claims)?;
        self.check_times(claims, now)?;
        text(claims, "sub")?;
        for (name, required) in &self.required {
            match (claims.get(name), required) {
                (None | Some(Value::Null), _) => return Err(JwtReason::MissingClaim(name.clone().into())),
                (Some(value), Some(required)) if value != required => {
                    return Err(JwtReason::ClaimValue(name.clone().into()));
                }
                (Some(_), _) => {}
            }
        }
        Ok(())
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), JwtReason> {
        let audiences = match claims.get("aud") {
            None if self.audiences.is_none() => return Ok(()),
            None => return Err(JwtReason::MissingClaim(Cow::Borrowed("aud"))),
            Some(value) => texts(value).ok_or(JwtReason::InvalidClaim(Cow::Borrowed("aud")))?,
        };
        match &self.audiences {
            Some(allowed) if !audiences.iter().any(|one| allowed.iter().any(|own| own == one)) => {
                Err(JwtReason::Audience)
            }
            _ => Ok(()),
        }
    }

    fn check_times(&self, claims: &Map<String, Value>, now: Duration) -> Result<(), JwtReason> {
        let (now, leeway) = (now.as_secs_f64(), self.leeway.as_secs_f64());
        let expires = time(claims, "exp")?.ok_or(JwtReason::MissingClaim(Cow::Borrowed("exp")))?;
        let starts = time(claims, "nbf")?;
        let issued = time(claims, "iat")?;
        if now >= expires + leeway {
            Err(JwtReason::Expired)
        } else if starts.is_some_and(|starts| now + leeway < starts) {
            Err(JwtReason::NotYetValid)
        } else if issued.is_some_and(|issued| now + leeway < issued) {
            Err(JwtReason::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}

/// Prints names only.
impl fmt::Debug for ClaimRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimRules")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("leeway", &self.leeway)
            .finish_non_exhaustive()
    }
}

/// Returns a required claim that is a text and not empty.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<&'a str, JwtReason> {
    match claims.get(name) {
        None => Err(JwtReason::MissingClaim(name.to_owned().into())),
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(JwtReason::InvalidClaim(name.to_owned().into())),
    }
}

/// Returns a text, or an array of texts, as texts. An empty array and all else is `None`.
pub(super) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) if !items.is_empty() => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Returns a claim that is a time, in seconds since 1970.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, JwtReason> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=MAX_SECONDS).contains(&seconds) => Ok(Some(seconds)),
            _ => Err(JwtReason::InvalidClaim(Cow::Borrowed(name))),
        },
    }
}
