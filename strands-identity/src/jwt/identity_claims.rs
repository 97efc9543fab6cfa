//! Mapping of claims to an identity.

use serde_json::{Map, Value};

use super::claims;
use super::reason::JwtReason;
use crate::Identity;

const NAME_CLAIMS: [&str; 5] = ["name", "preferred_username", "username", "cognito:username", "user_name"];
const SCOPE_CLAIMS: [&str; 2] = ["scope", "scp"];

/// Path to a claim: its name, or the names of objects and of a member.
///
/// A text is one name, whatever characters it has: `"https://example.com/roles"`. An array is a path:
/// `["realm_access", "roles"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    fn get<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    }

    fn joined(&self) -> String {
        self.0.join(".")
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl From<String> for ClaimPath {
    fn from(name: String) -> Self {
        Self(vec![name])
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).into())
    }
}

impl From<Vec<String>> for ClaimPath {
    fn from(names: Vec<String>) -> Self {
        Self(names)
    }
}

/// The claims that make an identity.
#[derive(Clone, Debug)]
pub(super) struct IdentityClaims {
    pub(super) subject: ClaimPath,
    /// Paths to names; the first that a token has counts.
    pub(super) names: Vec<ClaimPath>,
    pub(super) roles: Vec<ClaimPath>,
}

impl Default for IdentityClaims {
    fn default() -> Self {
        Self { subject: "sub".into(), names: NAME_CLAIMS.map(ClaimPath::from).into(), roles: vec!["roles".into()] }
    }
}

impl IdentityClaims {
    /// Makes an identity of verified claims.
    pub(super) fn identity(&self, claims: Map<String, Value>) -> Result<Identity, JwtReason> {
        let mut identity = Identity::new(self.subject(&claims)?).with_issuer(claims::text(&claims, "iss")?);
        let text = |path: &ClaimPath| path.get(&claims)?.as_str().filter(|name| !name.is_empty());
        identity.name = self.names.iter().find_map(text).map(str::to_owned);
        for path in &self.roles {
            for role in roles(path, &claims)? {
                if !identity.has_role(role) {
                    identity.roles.push(role.to_owned());
                }
            }
        }
        identity.scopes = scopes(&claims)?;
        identity.claims = claims;
        Ok(identity)
    }

    fn subject<'a>(&self, claims: &'a Map<String, Value>) -> Result<&'a str, JwtReason> {
        match self.subject.get(claims) {
            None => Err(JwtReason::MissingClaim(self.subject.joined().into())),
            Some(Value::String(subject)) if !subject.is_empty() => Ok(subject),
            Some(_) => Err(JwtReason::InvalidClaim(self.subject.joined().into())),
        }
    }
}

/// Returns the roles of a claim: an array of texts, or one text, which is one role even with spaces. A missing claim has none.
fn roles<'a>(path: &ClaimPath, claims: &'a Map<String, Value>) -> Result<Vec<&'a str>, JwtReason> {
    match path.get(claims) {
        None => Ok(Vec::new()),
        Some(Value::Array(none)) if none.is_empty() => Ok(Vec::new()),
        Some(value) => claims::texts(value).ok_or_else(|| JwtReason::InvalidClaim(path.joined().into())),
    }
}

/// Returns the scopes: a text with spaces between them, or an array.
fn scopes(claims: &Map<String, Value>) -> Result<Vec<String>, JwtReason> {
    let Some((name, value)) = SCOPE_CLAIMS.iter().find_map(|name| Some((*name, claims.get(*name)?))) else {
        return Ok(Vec::new());
    };
    let scopes: Vec<String> = match value {
        Value::String(scopes) => scopes.split_ascii_whitespace().map(str::to_owned).collect(),
        Value::Array(none) if none.is_empty() => Vec::new(),
        _ => {
            let texts = claims::texts(value).ok_or(JwtReason::InvalidClaim(name.into()))?;
            texts.into_iter().map(str::to_owned).collect()
        }
    };
    Ok(scopes)
}
