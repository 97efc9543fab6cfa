//! Audit records.

use serde::Serialize;
use serde_json::Value;

use crate::{Fingerprint, Identity};

/// A record of a decision about a tool call, of an approval, or of an identity that was refused.
///
/// JSON: an object with the fields below; those that are `None` or empty are left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// Time of the decision, RFC 3339 in UTC with milliseconds.
    pub time: String,
    /// The decision.
    pub decision: AuditDecision,
    /// The identity, without claims. `None` if there is none, or if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The identity that approved or denied a call, without claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<Identity>,
    /// Id of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Id of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Id of the invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// Name of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Id of the tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    /// Fingerprint of the call: [`Fingerprint::of_call`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The arguments, if the audit includes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The reason of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Ids of the policies that led to the decision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

impl AuditRecord {
    /// Creates a record of a decision, now.
    pub fn new(decision: AuditDecision) -> Self {
        Self {
            time: String::new(),
            decision,
            identity: None,
            approver: None,
            agent_id: None,
            session_id: None,
            invocation_id: None,
            tool: None,
            tool_use_id: None,
            fingerprint: None,
            input: None,
            reason: None,
            policies: Vec::new(),
        }
    }

    /// Sets the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// Kind of an [`AuditRecord`]. In JSON in snake case: `approval_requested`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditDecision {
    /// A tool call was allowed.
    Allowed,
    /// A tool call was denied: by a policy, or since the authorizer failed.
    Denied,
    /// A tool call needs the approval of a human.
    ApprovalRequested,
    /// A human approved a tool call.
    Approved,
    /// A human denied a tool call.
    Disapproved,
    /// A response to an approval request was refused: it is unknown, late, or from somebody who may not approve.
    ApprovalRefused,
    /// A token or another proof of an identity was refused.
    IdentityRefused,
}
