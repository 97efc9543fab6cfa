//! Roles in TOML.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Role, RoleAuthorizer};
use crate::ApprovalRequirement;
use crate::authorization::position::line_and_column;

/// An error in the TOML of a [`RoleAuthorizer`].
#[derive(thiserror::Error)]
#[error("invalid roles at {line}:{column}: {message}")]
#[non_exhaustive]
pub struct RolesError {
    /// One-based line.
    pub line: usize,
    /// One-based column, in characters.
    pub column: usize,
    /// The error.
    pub message: String,
}

strands_core::__debug_with_sources!(RolesError);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesText {
    #[serde(default)]
    everyone: RoleText,
    #[serde(default)]
    roles: BTreeMap<String, RoleText>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RoleText {
    allow: Vec<String>,
    allow_read_only: bool,
    ask: Vec<AskText>,
    deny: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskText {
    tools: Vec<String>,
    reason: String,
    #[serde(default)]
    approvers: Vec<String>,
    #[serde(default)]
    other_than_requester: bool,
}

pub(super) fn parse(text: &str) -> Result<RoleAuthorizer, RolesError> {
    let parsed: RolesText = toml::from_str(text).map_err(|error| {
        let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
        RolesError { line, column, message: error.message().to_owned() }
    })?;
    let roles = parsed.roles.into_iter().map(|(name, role)| (name, role.into())).collect();
    Ok(RoleAuthorizer { everyone: parsed.everyone.into(), roles })
}

impl From<RoleText> for Role {
    fn from(text: RoleText) -> Self {
        let mut role = Self { allow_read_only: text.allow_read_only, ..Self::default() };
        role = text.allow.into_iter().fold(role, Self::allow);
        role = text.deny.into_iter().fold(role, Self::deny);
        for AskText { tools, reason, approvers, other_than_requester } in text.ask {
            let mut requirement =
                approvers.into_iter().fold(ApprovalRequirement::new(reason), ApprovalRequirement::by_role);
            requirement.other_than_requester = other_than_requester;
            role = tools.into_iter().fold(role, |role, tool| role.ask(tool, requirement.clone()));
        }
        role
    }
}
