//! Access to the tools: an employee's identity and roles, the policies in Cedar, approval by managers, and the audit.

use std::{fmt, str::FromStr};

use serde_json::{Map, json};
use strands::{
    Plugin,
    identity::{
        ApprovalHook, Audit, AuthorizationHook, AuthorizationRequest, CedarAuthorizer, CedarError, CedarPolicies,
        Identity,
    },
};

use crate::{desk::Desk, error::TravelError};

/// The agent in the tokens that it mints for its users, and their issuer.
pub const AGENT: &str = "travel-agent";

/// A role of an employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Books own trips.
    Traveler,
    /// Books own trips, sees all bookings, and approves trips of others above a cost limit.
    Manager,
    /// Sees all bookings, and books nothing.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Traveler, Self::Manager, Self::Auditor];

    /// Returns the name in tokens and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traveler => "traveler",
            Self::Manager => "manager",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == name);
        found.ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// Returns the identity of an employee in a role that the caller vouches for.
pub fn trusted(username: &str, role: Role) -> Identity {
    Identity::new(username).with_name(username).with_role(role.as_str())
}

/// Returns the user name of an identity: its name, or else its subject.
pub fn username(identity: &Identity) -> &str {
    identity.name.as_deref().unwrap_or(&identity.subject)
}

/// Returns the full name that an identity provider has verified: the claim `name`, which the agent sends on as `full_name`.
pub(crate) fn full_name(identity: &Identity) -> Option<&str> {
    let claim = if identity.issuer.as_deref() == Some(AGENT) { "full_name" } else { "name" };
    identity.issuer.as_ref().and_then(|_| identity.claim(claim)?.as_str())
}

/// Returns the hooks that authorize each tool call, and ask a manager where the policies say so.
///
/// # Errors
///
/// Returns [`CedarError`] if the policies are invalid.
pub fn access(desk: Desk, audit: Audit) -> Result<Plugin, CedarError> {
    // A manager is a traveler, too.
    let roles = json!([{
        "uid": {"type": "Role", "id": Role::Manager.as_str()},
        "attrs": {},
        "parents": [{"type": "Role", "id": Role::Traveler.as_str()}],
    }]);
    let policies = CedarPolicies::parse(include_str!("policies.cedar"))?.with_entities(roles)?;
    let cedar = CedarAuthorizer::new(policies).session_facts(move |request: &AuthorizationRequest<'_>| {
        let is_booking = request.tool.name == "book_trip";
        let booking = is_booking.then(|| (desk.clone(), request.identity.clone(), request.input.clone()));
        async move {
            let mut facts = Map::new();
            if let Some((desk, user, order)) = booking {
                facts.insert("above_cost_limit".to_owned(), desk.above_cost_limit(&user, &order).await?.into());
            }
            Ok::<_, TravelError>(facts)
        }
    });
    Ok(Plugin::new("access")
        .hook(AuthorizationHook::new(cedar).audit(audit.clone()))
        .hook(ApprovalHook::builder().audit(audit).build()))
}
