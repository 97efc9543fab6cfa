//! Builder for approval hooks.

use std::sync::Arc;
use std::time::Duration;

use strands_core::hook::AuthorizeToolCall;

use super::request::NAME;
use super::rules::Rules;
use super::{ApprovalHook, Trust};
use crate::{ApprovalRequirement, Audit};

/// Builder for [`ApprovalHook`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct ApprovalHookBuilder {
    rules: Rules,
    trust: Trust,
    expires_after: Option<Duration>,
    name: String,
    audit: Audit,
}

impl ApprovalHookBuilder {
    pub(super) fn new() -> Self {
        Self {
            rules: Rules::default(),
            trust: Trust::Call,
            expires_after: None,
            name: NAME.to_owned(),
            audit: Audit::default(),
        }
    }

    /// Requires an approval of calls of these tools.
    pub fn tools(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rules.tools.extend(names.into_iter().map(Into::into));
        self
    }

    /// Requires an approval of calls of all tools, except those of [`except`](Self::except).
    pub fn all_tools(mut self) -> Self {
        self.rules.all = true;
        self
    }

    /// Sets tools that need no approval by [`all_tools`](Self::all_tools) or their annotations.
    pub fn except(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rules.except.extend(names.into_iter().map(Into::into));
        self
    }

    /// Requires an approval of each call of these tools. Trust in the tool has no effect.
    pub fn always(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rules.always.extend(names.into_iter().map(Into::into));
        self
    }

    /// Requires an approval of calls of tools that are annotated as destructive.
    pub fn destructive_tools(mut self) -> Self {
        self.rules.destructive = true;
        self
    }

    /// Requires an approval of calls of tools that are not annotated as read-only.
    pub fn tools_that_write(mut self) -> Self {
        self.rules.not_read_only = true;
        self
    }

    /// Requires an approval of calls for which a function returns a requirement. It gets the final call, with valid arguments,
    /// and is called again when the call is resumed. A decision that needs I/O belongs in an [`Authorizer`](crate::Authorizer).
    ///
    /// If several functions and authorizers require an approval of one call, its approver meets all requirements. A call is
    /// denied if their roles have none in common.
    pub fn when(
        mut self,
        classify: impl Fn(&AuthorizeToolCall<'_>) -> Option<ApprovalRequirement> + Send + Sync + 'static,
    ) -> Self {
        self.rules.classifiers.push(Arc::new(classify));
        self
    }

    /// Adds a role that may approve. It applies to calls for which neither an authorizer nor a function of
    /// [`when`](Self::when) names roles. Default: none, so that each caller who can resume the agent may approve.
    pub fn by_role(mut self, role: impl Into<String>) -> Self {
        self.rules.approvers.push(role.into());
        self
    }

    /// Requires an approver other than the identity for which the agent works. Default: false.
    pub fn by_another(mut self) -> Self {
        self.rules.other_than_requester = true;
        self
    }

    /// Sets the longest trust in a tool that a response may grant. Default: [`Trust::Call`].
    ///
    /// Trust stands for the approvals that this hook and `#[tool(approval)]` require. A call for which an authorizer asks, or a
    /// function of [`when`](Self::when) that says who may approve, needs an approval each time. A direct tool call grants no
    /// trust.
    pub fn trust(mut self, longest: Trust) -> Self {
        self.trust = longest;
        self
    }

    /// Sets the time from a request to its expiry. Default: none.
    ///
    /// The time of the response counts: a call that was approved in time runs, also after a crash. A request that Strands wrote
    /// has no time, so that it can only be denied by a hook with an expiry. In direct tool calls nothing is stored, and
    /// requests do not expire.
    ///
    /// A durable engine may replay the response after the expiry. That is no error, if its
    /// [`Journal::is_replaying`](strands_core::Journal::is_replaying) can tell.
    pub fn expires_after(mut self, expires_after: Duration) -> Self {
        self.expires_after = Some(expires_after);
        self
    }

    /// Sets the name of the interrupts. Default: `strands:human-in-the-loop`, with which sessions are exchanged with Strands'
    /// `HumanInTheLoop`.
    pub fn interrupt_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the audit of requests and responses. Default: `tracing`.
    ///
    /// Without a record of it, no request is made, and no approved call runs. A response is recorded once it is stored with
    /// the run: of two approvers at the same time, the one who gets a conflict has a record of a refused response. If the
    /// process dies in between, it is recorded when the agent is prompted again. A crash after the record may lead to a second
    /// one, which is equal in all fields.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Builds the hook.
    pub fn build(self) -> ApprovalHook {
        let Self { rules, trust, expires_after, name, audit } = self;
        ApprovalHook { rules, trust, expires_after, name, audit }
    }
}
