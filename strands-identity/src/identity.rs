//! Identity of the user for whom an agent works.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Identity of a user, or of a program, for whom an agent works: a plain value that the host verified.
///
/// Inject it into the agent or the invocation; tools take it as `&Identity`, hooks and policies read it from the context. It
/// never comes from the conversation, so a model can't change it.
///
/// JSON: `{"subject", "name", "issuer", "roles", "scopes", "claims"}`; empty fields are left out.
///
/// # Examples
///
/// ```
/// use strands::identity::Identity;
///
/// let alice = Identity::new("alice").with_name("Alice").with_role("traveler").with_scope("bookings:write");
/// assert!(alice.has_role("traveler") && !alice.has_role("manager"));
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// Unique id of the user at the issuer: the `sub` claim of a token.
    pub subject: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Issuer that verified the user: the `iss` claim of a token. `None` for an identity of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Roles or groups, in the order of the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Scopes of the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// All claims of the token, including those above.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

impl Identity {
    /// Creates an identity with a subject, and nothing else.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            name: None,
            issuer: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            claims: Map::new(),
        }
    }

    /// Sets the display name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the issuer.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Adds a role.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Adds a scope.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Sets a claim.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Returns true if the identity has a role. Names are case-sensitive.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Returns true if the identity has a scope. Names are case-sensitive.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// Returns a claim by its name.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// Returns true if this is the same user: the same subject at the same issuer.
    pub fn is_same_user(&self, other: &Self) -> bool {
        self.subject == other.subject && self.issuer == other.issuer
    }

    /// Returns the identity without its claims, for storage and logs.
    #[must_use]
    pub fn without_claims(&self) -> Self {
        Self { claims: Map::new(), ..self.clone() }
    }
}

impl fmt::Debug for Identity {
    /// Leaves out the values of the claims, which may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject)
            .field("issuer", &self.issuer)
            .field("roles", &self.roles)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
