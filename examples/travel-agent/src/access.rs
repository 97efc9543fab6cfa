//! Access to the tools: an employee's identity and roles, the policies in Cedar, approval by managers, and the audit.

use std::{borrow::Cow, error::Error, fmt, str::FromStr, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, json};
use strands::{
    Plugin, ToolSpec, async_trait,
    identity::{
        ApprovalHook, Audit, AuthorizationHook, AuthorizationRequest, Authorizer, CedarAuthorizer, CedarError,
        CedarPolicies, Decision, Identity, ToolRequest,
    },
};

use crate::{
    clock::Clock,
    error::TravelError,
    policy::Verdict,
    store::Store,
    tools::OWN_TOOLS,
    trip::{Traveller, TripOrder},
};

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

/// An employee who uses the agent: who travels, and what the identity provider says about them.
#[derive(Clone, Debug)]
pub struct User {
    /// The employee.
    pub traveller: Traveller,
    /// The identity, for policies and the audit.
    pub identity: Identity,
}

impl User {
    /// Returns the employee with a user name, in a role that the caller vouches for.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownUser`] if there is none.
    pub fn employee(store: &Store, username: &str, role: Role) -> Result<Self, TravelError> {
        let traveller = store.traveller(username)?;
        let identity = Identity::new(&traveller.username).with_name(&traveller.username).with_role(role.as_str());
        Ok(Self { traveller, identity })
    }

    /// Returns the employee of a verified identity. Its name, or else its subject, is the user name.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownUser`] if there is none.
    pub fn identified(store: &Store, identity: Identity) -> Result<Self, TravelError> {
        let username = identity.name.as_deref().unwrap_or(&identity.subject);
        Ok(Self { traveller: store.traveller(username)?, identity })
    }
}

/// Returns the hooks that authorize each tool call, and ask a manager where the policies say so.
///
/// # Errors
///
/// Returns [`CedarError`] if the policies are invalid.
pub fn access(store: Arc<Store>, clock: Clock, audit: Audit) -> Result<Plugin, CedarError> {
    // A manager is a traveler, too.
    let roles = json!([{
        "uid": {"type": "Role", "id": Role::Manager.as_str()},
        "attrs": {},
        "parents": [{"type": "Role", "id": Role::Traveler.as_str()}],
    }]);
    let policies = CedarPolicies::parse(include_str!("policies.cedar"))?.with_entities(roles)?;
    let cedar = CedarAuthorizer::new(policies).session_facts(move |request| facts(request, &store, &clock));
    Ok(Plugin::new("access")
        .hook(AuthorizationHook::new(TravelAuthorizer { cedar }).audit(audit.clone()))
        .hook(ApprovalHook::builder().audit(audit).build()))
}

/// The policies, with one action for all tools of MCP servers, whose names the policies can't know.
struct TravelAuthorizer {
    cedar: CedarAuthorizer,
}

/// Action of the policies for tools that are not the agent's own.
const MCP_TOOLS: &str = "mcp_tools";

impl TravelAuthorizer {
    /// Returns a tool under the name of its action.
    fn action(tool: &ToolSpec) -> Cow<'_, ToolSpec> {
        if OWN_TOOLS.contains(&tool.name.as_str()) {
            return Cow::Borrowed(tool);
        }
        let mut action = tool.clone();
        MCP_TOOLS.clone_into(&mut action.name);
        Cow::Owned(action)
    }
}

#[async_trait]
impl Authorizer for TravelAuthorizer {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn Error + Send + Sync>> {
        let AuthorizationRequest { identity, tool, tool_use_id, input, context, .. } = *request;
        let action = Self::action(tool);
        self.cedar.authorize(&AuthorizationRequest::new(identity, &action, tool_use_id, input, context)).await
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let action = Self::action(request.tool);
        self.cedar.may_call(&ToolRequest::new(request.identity, &action, request.context)).await
    }
}

/// Returns the facts that the policies need besides the arguments.
fn facts(request: &AuthorizationRequest<'_>, store: &Store, clock: &Clock) -> Map<String, serde_json::Value> {
    let mut facts = Map::new();
    if request.tool.name == "book_trip" {
        let order = TripOrder::deserialize(request.input).ok();
        let checked = order.map(|order| store.check(&order.draft(), clock.today()));
        facts.insert("above_cost_limit".to_owned(), checked.is_some_and(is_above_cost_limit).into());
    }
    facts
}

fn is_above_cost_limit(checked: Result<Verdict, TravelError>) -> bool {
    match checked {
        Ok(verdict) => verdict.needs_approval,
        // The costs are unknown, so a manager decides.
        Err(TravelError::Database(_) | TravelError::Unavailable { .. }) => true,
        // For an order that makes no sense, the tool itself has the better error.
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_of_unknown_costs_needs_an_approval() {
        assert!(is_above_cost_limit(Err(TravelError::Database(rusqlite::Error::InvalidQuery))));
        assert!(!is_above_cost_limit(Err(TravelError::SameCity { city: "Boston".to_owned() })));
    }
}
