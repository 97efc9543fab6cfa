//! Audit records.

use std::fmt::Write;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::hook::HookContext;

use crate::{Fingerprint, Identity};

/// A record of a decision about a tool call, of an approval, or of an identity that was refused.
///
/// JSON: an object with the fields below; those that are `None` or empty are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// Time of the decision, RFC 3339 in UTC with milliseconds.
    pub time: String,
    /// The decision.
    pub decision: AuditDecision,
    /// The identity, without claims. `None` if there is none, or if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The identity that approved or denied a call, without claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Identity>,
    /// Id of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Id of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Id of the invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// Name of the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Id of the tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    /// Fingerprint of the call: [`Fingerprint::of_call`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The arguments, if the audit includes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The reason of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Ids of the policies that led to the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

impl AuditRecord {
    /// Creates a record of a decision that is made now.
    pub fn new(decision: AuditDecision) -> Self {
        Self {
            time: rfc3339(SystemTime::now()),
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

    /// Sets the agent, the session and the invocation.
    #[must_use]
    pub fn with_context(mut self, context: &HookContext) -> Self {
        self.agent_id = Some(context.agent_id().to_owned());
        self.session_id = context.session_id().map(ToOwned::to_owned);
        self.invocation_id = Some(context.invocation_id().to_owned());
        self
    }

    /// Sets the identity, without its claims.
    #[must_use]
    pub fn with_identity(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.without_claims());
        self
    }

    /// Sets the identity that approved or denied the call, without its claims.
    #[must_use]
    pub fn with_approver(mut self, approver: &Identity) -> Self {
        self.approver = Some(approver.without_claims());
        self
    }

    /// Sets the tool, the id of the call, its fingerprint and its arguments. [`Audit`](crate::Audit) removes the arguments
    /// unless it is set to include them.
    #[must_use]
    pub fn with_call(mut self, tool_use_id: &str, tool: &str, input: &Value) -> Self {
        self.tool = Some(tool.to_owned());
        self.tool_use_id = Some(tool_use_id.to_owned());
        self.fingerprint = Some(Fingerprint::of_call(tool_use_id, tool, input));
        self.input = Some(input.clone());
        self
    }

    /// Sets the reason of the decision.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the ids of the policies that led to the decision.
    #[must_use]
    pub fn with_policies(mut self, policies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.policies = policies.into_iter().map(Into::into).collect();
        self
    }
}

/// Formats a time as RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let mut text = String::new();
    // `humantime` panics before 1970, and fails after the year 9999.
    let time = time.max(SystemTime::UNIX_EPOCH);
    if write!(text, "{}", humantime::format_rfc3339_millis(time)).is_err() {
        text = "9999-12-31T23:59:59.999Z".to_owned();
    }
    text
}

/// Kind of an [`AuditRecord`]. In JSON in snake case: `approval_requested`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditDecision {
    /// A tool call was allowed.
    Allowed,
    /// A tool call was denied: by a policy, or since the authorizer failed.
    Denied,
    /// A tool call needs the approval of a human. An authorizer decides, and this is recorded, again when the call is resumed.
    ApprovalRequested,
    /// A human approved a tool call, or its tool is trusted. The approval of a human is stored with the run, and counts.
    Approved,
    /// A human denied a tool call. The denial is stored with the run, and counts.
    Disapproved,
    /// A response to an approval request was refused: it is late, its sender may not approve, or another response was first.
    ApprovalRefused,
    /// A token or another proof of an identity was refused.
    IdentityRefused,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn formats_times_even_if_the_clock_is_wrong() {
        let at = |seconds: u64| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1_000 + 7));
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(253_402_300_799), "9999-12-31T23:59:59.007Z");
        assert_eq!(at(253_402_300_800), "9999-12-31T23:59:59.999Z");
    }
}
