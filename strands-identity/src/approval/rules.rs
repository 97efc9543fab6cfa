//! Rules for the calls that need an approval.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use strands_core::hook::AuthorizeToolCall;

use crate::ApprovalRequirement;

/// Decides by a call whether it needs an approval.
pub(super) type Classifier = dyn Fn(&AuthorizeToolCall<'_>) -> Option<ApprovalRequirement> + Send + Sync;

/// Rules for the calls that need an approval, and for their approvers.
#[derive(Clone, Default)]
pub(super) struct Rules {
    pub(super) all: bool,
    pub(super) tools: HashSet<String>,
    /// Tools that need no approval by `all` and by annotations.
    pub(super) except: HashSet<String>,
    /// Tools that need an approval each time.
    pub(super) always: HashSet<String>,
    pub(super) destructive: bool,
    pub(super) not_read_only: bool,
    pub(super) classifiers: Vec<Arc<Classifier>>,
    /// Roles that may approve, unless an authorizer or a classifier names some.
    pub(super) approvers: Vec<String>,
    pub(super) other_than_requester: bool,
}

/// Need of a call for an approval.
pub(super) enum Need {
    Nothing,
    Approval(Needed),
    /// No role may approve, since the requirements for the call have none in common.
    Impossible,
}

/// An approval that a call needs.
pub(super) struct Needed {
    pub(super) requirement: ApprovalRequirement,
    /// True if trust in the tool stands for an approval.
    pub(super) by_trust: bool,
}

/// The reason of a hook that requires an approval in the form of a requirement can't be read.
#[derive(Debug, thiserror::Error)]
#[error("a hook requires an approval in an unknown form: {0}")]
pub(super) struct UnknownRequirement(serde_json::Error);

impl Rules {
    /// Returns the approval that a call needs.
    pub(super) fn needed(&self, call: &AuthorizeToolCall<'_>) -> Result<Need, UnknownRequirement> {
        let of_hooks = call.required_approvals().iter().filter(|reason| !reason.is_null());
        let mut requirements = of_hooks.map(of_hook).collect::<Result<Vec<_>, _>>()?;
        let is_asked_by_hook = !requirements.is_empty();
        let classified: Vec<_> = self.classifiers.iter().filter_map(|classifier| classifier(call)).collect();
        let names_approvers = |it: &ApprovalRequirement| it.other_than_requester || !it.approvers.is_empty();
        // Trust in a tool does not count if this call is special.
        let by_trust = !is_asked_by_hook && !self.is_always(call) && !classified.iter().any(names_approvers);
        requirements.extend(classified);
        if requirements.is_empty() {
            requirements.extend(self.by_tool(call));
        }
        if requirements.is_empty() {
            return Ok(Need::Nothing);
        }
        let combined = ApprovalRequirement::combined(&requirements).map(|all| self.completed(all));
        Ok(combined.map_or(Need::Impossible, |requirement| Need::Approval(Needed { requirement, by_trust })))
    }

    /// Returns the requirement by the tool alone.
    fn by_tool(&self, call: &AuthorizeToolCall<'_>) -> Option<ApprovalRequirement> {
        let names = [call.tool_use.name.as_str(), call.tool.spec().name.as_str()];
        let is_named = names.iter().any(|name| self.tools.contains(*name));
        if self.is_always(call) {
            Some(ApprovalRequirement::new("each call of the tool needs an approval"))
        } else if is_named || call.required_approval().is_some() {
            Some(ApprovalRequirement::new("the tool needs an approval"))
        } else {
            self.by_kind(call, &names)
        }
    }

    /// Adds who may approve by the settings of the hook.
    pub(super) fn completed(&self, mut requirement: ApprovalRequirement) -> ApprovalRequirement {
        if requirement.approvers.is_empty() {
            requirement.approvers.clone_from(&self.approvers);
        }
        requirement.other_than_requester |= self.other_than_requester;
        requirement
    }

    /// Returns true if calls of the tool need an approval each time.
    pub(super) fn is_always(&self, call: &AuthorizeToolCall<'_>) -> bool {
        self.always.contains(&call.tool_use.name) || self.always.contains(&call.tool.spec().name)
    }

    fn by_kind(&self, call: &AuthorizeToolCall<'_>, names: &[&str]) -> Option<ApprovalRequirement> {
        if names.iter().all(|name| self.except.contains(*name)) {
            return None;
        }
        let annotations = &call.tool.spec().annotations;
        let reason = if self.all {
            "each tool needs an approval"
        } else if self.destructive && annotations.destructive == Some(true) {
            "the tool is destructive"
        } else if self.not_read_only && annotations.read_only != Some(true) {
            "the tool may change things"
        } else {
            return None;
        };
        Some(ApprovalRequirement::new(reason))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("all", &self.all)
            .field("tools", &self.tools)
            .field("except", &self.except)
            .field("always", &self.always)
            .field("approvers", &self.approvers)
            .finish_non_exhaustive()
    }
}

/// Returns the requirement of another hook: an object with a reason and who may approve, or any other JSON as the reason.
fn of_hook(reason: &Value) -> Result<ApprovalRequirement, UnknownRequirement> {
    match reason {
        Value::String(text) => Ok(ApprovalRequirement::new(text)),
        // Who may approve must not get lost.
        Value::Object(fields) if fields.contains_key("approvers") || fields.contains_key("other_than_requester") => {
            ApprovalRequirement::deserialize(reason).map_err(UnknownRequirement)
        }
        Value::Object(fields) => match fields.get("reason") {
            Some(Value::String(text)) if fields.len() == 1 => Ok(ApprovalRequirement::new(text)),
            _ => Ok(ApprovalRequirement::new(reason.to_string())),
        },
        other => Ok(ApprovalRequirement::new(other.to_string())),
    }
}
