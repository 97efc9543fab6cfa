//! Decisions of an authorizer.

use serde::{Deserialize, Serialize};

/// Decision about a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// The effect.
    pub effect: Effect,
    /// Ids of the policies that led to the decision, for the audit.
    pub policies: Vec<String>,
}

/// Effect of a [`Decision`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// The tool runs.
    Allow,
    /// The tool does not run; the model reads the reason.
    Deny {
        /// The reason.
        reason: String,
    },
    /// The tool runs if a human approves the call.
    Ask(ApprovalRequirement),
}

/// Approval that a call requires. JSON: `{"reason", "approvers", "other_than_requester"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApprovalRequirement {
    /// The reason to show to the approver.
    pub reason: String,
    /// Roles that may approve. Empty: all identities that may respond.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// True if the identity for which the agent works may not approve its own call. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_than_requester: bool,
}

impl Decision {
    /// Allows the call.
    pub fn allow() -> Self {
        Self { effect: Effect::Allow, policies: Vec::new() }
    }

    /// Denies the call, with a reason that the model reads.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self { effect: Effect::Deny { reason: reason.into() }, policies: Vec::new() }
    }

    /// Requires a human's approval.
    pub fn ask(requirement: ApprovalRequirement) -> Self {
        Self { effect: Effect::Ask(requirement), policies: Vec::new() }
    }

    /// Sets the ids of the policies that led to the decision.
    #[must_use]
    pub fn with_policies(mut self, policies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.policies = policies.into_iter().map(Into::into).collect();
        self
    }
}

impl ApprovalRequirement {
    /// Creates a requirement that all identities that may respond can meet.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// Adds a role that may approve.
    #[must_use]
    pub fn by_role(mut self, role: impl Into<String>) -> Self {
        self.approvers.push(role.into());
        self
    }

    /// Requires an approver other than the identity for which the agent works. The same subject of another issuer is another
    /// identity.
    #[must_use]
    pub fn by_another(mut self) -> Self {
        self.other_than_requester = true;
        self
    }

    /// Combines requirements, so that an approver meets all of them. Returns `None` if there are none, or if no role can.
    pub(crate) fn combined<'a>(requirements: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut requirements = requirements.into_iter();
        let mut all = requirements.next()?.clone();
        for next in requirements {
            all.reason = format!("{}; {}", all.reason, next.reason);
            all.other_than_requester |= next.other_than_requester;
            if all.approvers.is_empty() {
                all.approvers.clone_from(&next.approvers);
            } else if !next.approvers.is_empty() {
                all.approvers.retain(|role| next.approvers.contains(role));
                if all.approvers.is_empty() {
                    return None;
                }
            }
        }
        Some(all)
    }
}
