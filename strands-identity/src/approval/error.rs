//! Errors of responses to approval requests.

use strands_core::AgentError;

use super::Trust;
use crate::AuditError;

/// An error of a response to an approval request. Nothing has changed, and the request is still open, unless it is
/// [`Audit`](Self::Audit).
///
/// It is the source of the [`AgentError::Hook`] with which the invocation ends: see [`of`](Self::of). A response to an
/// interrupt that is not pending, since it is unknown or has a response already, is [`AgentError::UnknownInterrupt`] instead.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// No identity of an approver was injected.
    #[error("no approver is known for the request for `{tool}`: inject an `Approver` into the invocation")]
    NoApprover {
        /// The tool.
        tool: String,
    },
    /// The approver has none of the roles that may approve.
    #[error("`{approver}` may not respond to the request for `{tool}`: it needs one of the roles {}", roles.join(", "))]
    NotAllowed {
        /// Subject of the approver.
        approver: String,
        /// The tool.
        tool: String,
        /// The roles.
        roles: Vec<String>,
    },
    /// The approver is the identity that requested the call, and another must approve it.
    #[error("`{approver}` requested the call of `{tool}`: another identity must approve it")]
    OwnRequest {
        /// Subject of the approver.
        approver: String,
        /// The tool.
        tool: String,
    },
    /// Another identity than the requester must approve the call, and the requester is not known.
    #[error("the requester of the call of `{tool}` is not known: inject an `Identity` when the agent is prompted")]
    UnknownRequester {
        /// The tool.
        tool: String,
    },
    /// The request has expired. It can still be denied.
    #[error("the request for `{tool}` has expired: deny it, and let the agent request it again")]
    Expired {
        /// The tool.
        tool: String,
    },
    /// The response was made for another call: for other arguments, or in another session.
    #[error("the response to `{interrupt_id}` is for another call: read the request again")]
    OtherCall {
        /// Id of the interrupt.
        interrupt_id: String,
    },
    /// There are two responses to one request.
    #[error("two responses to `{interrupt_id}`: send one")]
    Repeated {
        /// Id of the interrupt.
        interrupt_id: String,
    },
    /// The response neither approves nor denies.
    #[error(
        "invalid response to `{interrupt_id}`: expected a boolean, a text such as `yes`, or an object with `approved`"
    )]
    InvalidResponse {
        /// Id of the interrupt.
        interrupt_id: String,
    },
    /// The response grants longer trust than the hook allows.
    #[error("the response to `{interrupt_id}` grants trust in the tool for longer than {allowed:?}")]
    TrustNotAllowed {
        /// Id of the interrupt.
        interrupt_id: String,
        /// Longest trust that a response may grant.
        allowed: Trust,
    },
    /// The audit could not record the response. It is stored with the run, and its call has not run: the next prompt, which
    /// may be `Prompt::none()`, records it and makes the call. In a direct call, nothing has changed.
    #[error(
        "the response could not be recorded in the audit, and its call has not run: repair the audit, and prompt again"
    )]
    Audit(#[source] AuditError),
}

strands_core::__debug_with_sources!(ApprovalError);

impl ApprovalError {
    /// Returns the approval error that ended an invocation, if it was one.
    pub fn of(error: &AgentError) -> Option<&Self> {
        match error.failure() {
            AgentError::Hook { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}
