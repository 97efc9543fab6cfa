//! Authorization by roles: each role has a list of tools.

mod pattern;
mod role;
mod text;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::mem;

use async_trait::async_trait;
use strands_core::ToolSpec;

pub use self::role::Role;
use self::role::Verdict;
pub use self::text::RolesError;
use super::{ApprovalRequirement, AuthorizationRequest, Authorizer, Decision, Effect, ToolRequest};
use crate::Identity;

/// Authorizer by the roles of the identity.
///
/// A call is allowed if one of the roles allows the tool. Otherwise it needs an approval if one of the roles
/// [asks](Role::ask) for it: the first one, in the order of the identity's roles. A role that [denies](Role::deny) a tool wins
/// over all others. Roles that are not configured allow nothing. Tools that no role may call are hidden from the model.
///
/// # Examples
///
/// ```
/// use strands::identity::{ApprovalRequirement, RoleAuthorizer};
///
/// let manager = ApprovalRequirement::new("bookings need a manager").by_role("manager").by_another();
/// let in_code = RoleAuthorizer::new()
///     .everyone(|role| role.allow("search_*"))
///     .role("traveler", |role| role.ask("book_flight", manager))
///     .role("manager", |role| role.allow("book_flight"))
///     .role("auditor", |role| role.allow_read_only().deny("book_*"));
///
/// let in_toml = RoleAuthorizer::from_toml(
///     r#"
///     [everyone]
///     allow = ["search_*"]
///
///     [[roles.traveler.ask]]
///     tools = ["book_flight"]
///     reason = "bookings need a manager"
///     approvers = ["manager"]
///     other_than_requester = true
///
///     [roles.manager]
///     allow = ["book_flight"]
///
///     [roles.auditor]
///     allow_read_only = true
///     deny = ["book_*"]
///     "#,
/// )?;
/// assert_eq!(in_code, in_toml);
/// # Ok::<(), strands::identity::RolesError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleAuthorizer {
    everyone: Role,
    roles: BTreeMap<String, Role>,
}

impl RoleAuthorizer {
    /// Creates an authorizer that allows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to the rules of a role. Names are case-sensitive.
    #[must_use]
    pub fn role(mut self, name: impl Into<String>, rules: impl FnOnce(Role) -> Role) -> Self {
        let role = self.roles.entry(name.into()).or_default();
        *role = rules(mem::take(role));
        self
    }

    /// Adds to the rules of all identities, with and without roles.
    #[must_use]
    pub fn everyone(mut self, rules: impl FnOnce(Role) -> Role) -> Self {
        self.everyone = rules(self.everyone);
        self
    }

    /// Reads roles from TOML; see the example of the type.
    ///
    /// # Errors
    ///
    /// Returns an error with its position for invalid TOML, and for unknown keys.
    pub fn from_toml(text: &str) -> Result<Self, RolesError> {
        text::parse(text)
    }

    fn decide(&self, identity: &Identity, tool: &ToolSpec) -> Decision {
        let own = identity.roles.iter().filter_map(|name| Some((name.as_str(), self.roles.get(name)?)));
        let mut asks: Option<(&str, &ApprovalRequirement)> = None;
        let mut allows = None;
        for (name, role) in own.chain([("everyone", &self.everyone)]) {
            match role.verdict(tool) {
                Verdict::Deny => {
                    let reason = format!("`{}` is not allowed for the role `{name}`", tool.name);
                    return Decision::deny(reason).with_policies([policy_id(name)]);
                }
                Verdict::Allow => {
                    allows.get_or_insert(name);
                }
                Verdict::Ask(requirement) => {
                    asks.get_or_insert((name, requirement));
                }
                Verdict::None => {}
            }
        }
        match (allows, asks) {
            (Some(name), _) => Decision::allow().with_policies([policy_id(name)]),
            (None, Some((name, requirement))) => Decision::ask(requirement.clone()).with_policies([policy_id(name)]),
            (None, None) => Decision::deny(format!("`{}` is not allowed for the roles of this user", tool.name)),
        }
    }
}

/// Returns the id of a role in audit records.
fn policy_id(role: &str) -> String {
    format!("role:{role}")
}

#[async_trait]
impl Authorizer for RoleAuthorizer {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn StdError + Send + Sync>> {
        Ok(self.decide(request.identity, request.tool))
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        Ok(!matches!(self.decide(request.identity, request.tool).effect, Effect::Deny { .. }))
    }
}
