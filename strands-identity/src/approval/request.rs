//! Request for the approval of a call: the reason of the interrupt that an approval hook raises.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::message::ToolUse;
use strands_core::{Interrupt, InterruptResponse, InterruptedCall};

use super::response::Answer;
use super::{ApprovalError, Trust, binding, time};
use crate::{ApprovalRequirement, Fingerprint, Identity};

/// Name of the interrupts of an approval hook, which is that of Strands' `HumanInTheLoop`.
pub(super) const NAME: &str = "strands:human-in-the-loop";
/// Start of the ids of interrupts that were raised before a tool runs. Tools can't raise them.
const BEFORE_TOOL_CALL: &str = "v1:before_tool_call:";
/// Number of characters of a request's id.
const ID_LENGTH: usize = 12;

/// A request for the approval of a tool call: what an approver reads, and responds to.
///
/// JSON: an object with these fields, which is the `reason` of the interrupt; those that are `None` or empty are left out.
///
/// # Examples
///
/// An approver's process finds the requests in a store, with `SessionStore::open_interrupts`, and responds to one:
///
/// ```
/// use strands::identity::{ApprovalRequest, Identity};
/// use strands::{Interrupt, InterruptResponse};
///
/// fn approve(interrupts: &[Interrupt], id: &str, manager: &Identity) -> Option<InterruptResponse> {
///     let mut requests = interrupts.iter().filter_map(ApprovalRequest::from_interrupt);
///     let request = requests.find(|request| request.id() == id && request.may_be_approved_by(manager))?;
///     Some(request.approve())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApprovalRequest {
    /// Id of the interrupt. It is not in the interrupt's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub interrupt_id: String,
    /// Id of the session; `None` without a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Id of the agent.
    pub agent_id: String,
    /// The tool.
    pub tool: String,
    /// Id of the call.
    pub tool_use_id: String,
    /// The arguments with which the tool runs.
    pub input: Value,
    /// The reason of the request, who may approve, and whether another than the requester must.
    #[serde(flatten)]
    pub requirement: ApprovalRequirement,
    /// The identity for which the agent works, without claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<Identity>,
    /// Time of the request, RFC 3339 in UTC. `None` for a request of Strands' `HumanInTheLoop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<String>,
    /// Time after which the call can't be approved any more, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Fingerprint of the call, its agent and its session.
    pub fingerprint: Fingerprint,
}

impl ApprovalRequest {
    /// Returns the request of an interrupt, if an [`ApprovalHook`](crate::ApprovalHook) raised it, also one of an agent that is a
    /// tool: then the agent and the call are those of that agent, and it has no session.
    ///
    /// An agent on another server can raise an interrupt that looks like a request. [`from_stored`](Self::from_stored) tells them apart.
    pub fn from_interrupt(interrupt: &Interrupt) -> Option<Self> {
        if !interrupt.innermost_id().starts_with(BEFORE_TOOL_CALL) {
            return None;
        }
        let request: Self = match &interrupt.reason {
            // A reason that nests too deep is stored as its text.
            Value::String(text) => serde_json::from_str(text).ok()?,
            reason => Self::deserialize(reason).ok()?,
        };
        Some(Self { interrupt_id: interrupt.id.clone(), ..request })
    }

    /// Returns the requests of an interrupted call of a stored agent: those of an [`ApprovalHook`](crate::ApprovalHook), and
    /// those of Strands' `HumanInTheLoop`, which do not say who may approve.
    ///
    /// Requests that an agent behind the call claims to have are left out, such as those of an agent on another server. So are those of
    /// Strands' `HumanInTheLoop` in an agent that is a tool, since they don't say which agent asks: respond to such an interrupt with
    /// `true` or `"yes"`.
    pub fn from_stored(session_id: &str, agent_id: &str, call: &InterruptedCall) -> Vec<Self> {
        let open = call.interrupts.iter().filter(|interrupt| interrupt.response.is_none());
        let is_own =
            |interrupt: &&Interrupt| call.id_within(interrupt).is_some_and(|id| id.starts_with(BEFORE_TOOL_CALL));
        let request = |interrupt: &Interrupt| {
            Self::from_interrupt(interrupt).or_else(|| {
                (interrupt.name == NAME && call.within.is_empty())
                    .then(|| Self::of_strands(interrupt, Some(session_id), agent_id, &call.tool_use))
            })
        };
        open.filter(is_own).filter_map(request).collect()
    }

    /// Returns the request of an interrupt that Strands' `HumanInTheLoop` raised. Its reason is a text.
    pub(super) fn of_strands(
        interrupt: &Interrupt,
        session_id: Option<&str>,
        agent_id: &str,
        tool_use: &ToolUse,
    ) -> Self {
        let (id, tool, input) = (&tool_use.tool_use_id, &tool_use.name, &tool_use.input);
        Self {
            interrupt_id: interrupt.id.clone(),
            session_id: session_id.map(str::to_owned),
            agent_id: agent_id.to_owned(),
            tool: tool.clone(),
            tool_use_id: id.clone(),
            input: input.clone(),
            requirement: ApprovalRequirement::new(interrupt.reason.as_str().unwrap_or_default()),
            requested_by: None,
            requested_at: None,
            expires_at: None,
            fingerprint: binding::fingerprint(session_id, agent_id, id, tool, input),
        }
    }

    /// Returns a short id for people: 12 hexadecimal digits of a hash over the session, the agent and the interrupt. It is the
    /// same each time the request is read.
    pub fn id(&self) -> String {
        let parts = serde_json::json!([self.session_id, self.agent_id, self.interrupt_id]);
        Fingerprint::of(&parts).as_str().chars().take(ID_LENGTH).collect()
    }

    /// Returns true if the fingerprint is that of this call, agent and session, as it is in each request of an
    /// [`ApprovalHook`](crate::ApprovalHook). Check it before acting for [`requested_by`](Self::requested_by): another hook may
    /// raise an interrupt with a reason that looks like a request.
    pub fn is_bound(&self) -> bool {
        let session_id = self.session_id.as_deref();
        self.fingerprint == binding::fingerprint(session_id, &self.agent_id, &self.tool_use_id, &self.tool, &self.input)
    }

    /// Returns true if an identity may approve the call now.
    ///
    /// The hook checks it again, with its own settings, when it gets the response.
    pub fn may_be_approved_by(&self, approver: &Identity) -> bool {
        !self.has_expired() && self.check_approver(Some(approver)).is_ok()
    }

    /// Returns true if the call can't be approved any more.
    pub fn has_expired(&self) -> bool {
        self.expires_at.as_deref().is_some_and(time::has_passed)
    }

    /// Creates a response that approves this call, and no other.
    pub fn approve(&self) -> InterruptResponse {
        self.approve_with(Trust::Call)
    }

    /// Creates a response that approves this call, and trusts the tool for longer. The hook refuses it if it does not allow
    /// that.
    pub fn approve_with(&self, trust: Trust) -> InterruptResponse {
        self.respond(Answer { approves: true, trust, note: None, fingerprint: None })
    }

    /// Creates a response that denies this call.
    pub fn deny(&self) -> InterruptResponse {
        self.respond(Answer { approves: false, trust: Trust::Call, note: None, fingerprint: None })
    }

    /// Creates a response that denies this call, with a reason that the model reads.
    pub fn deny_with(&self, reason: impl Into<String>) -> InterruptResponse {
        self.respond(Answer { approves: false, trust: Trust::Call, note: Some(reason.into()), fingerprint: None })
    }

    fn respond(&self, answer: Answer) -> InterruptResponse {
        let answer = Answer { fingerprint: Some(self.fingerprint.clone()), ..answer };
        InterruptResponse::new(self.interrupt_id.clone(), answer.into_json())
    }

    /// Checks that an identity may approve the call, apart from the time.
    pub(super) fn check_approver(&self, approver: Option<&Identity>) -> Result<(), ApprovalError> {
        check_approver(&self.requirement, &self.tool, self.requested_by.as_ref(), approver)
    }

    /// Checks that an identity may deny the call: one that may approve it, or its requester.
    pub(super) fn check_denier(&self, denier: Option<&Identity>) -> Result<(), ApprovalError> {
        let is_requester = self.requested_by.as_ref().zip(denier).is_some_and(|(one, other)| one.is_same_user(other));
        if is_requester {
            return Ok(());
        }
        let anybody_else = ApprovalRequirement { other_than_requester: false, ..self.requirement.clone() };
        check_approver(&anybody_else, &self.tool, None, denier)
    }
}

/// Returns true for an interrupt of a hook, raised before a tool runs, with a name.
pub(super) fn is_named(interrupt: &Interrupt, name: &str) -> bool {
    interrupt.name == name && interrupt.id.starts_with(BEFORE_TOOL_CALL)
}

/// Checks that an identity meets a requirement for a call that `requester` made.
pub(super) fn check_approver(
    requirement: &ApprovalRequirement,
    tool: &str,
    requester: Option<&Identity>,
    approver: Option<&Identity>,
) -> Result<(), ApprovalError> {
    let tool = || tool.to_owned();
    let roles = &requirement.approvers;
    if roles.is_empty() && !requirement.other_than_requester {
        return Ok(());
    }
    let Some(approver) = approver else { return Err(ApprovalError::NoApprover { tool: tool() }) };
    if !roles.is_empty() && !roles.iter().any(|role| approver.has_role(role)) {
        let approver = approver.subject.clone();
        return Err(ApprovalError::NotAllowed { approver, tool: tool(), roles: roles.clone() });
    }
    match requester {
        _ if !requirement.other_than_requester => Ok(()),
        None => Err(ApprovalError::UnknownRequester { tool: tool() }),
        Some(requester) if requester.is_same_user(approver) => {
            Err(ApprovalError::OwnRequest { approver: approver.subject.clone(), tool: tool() })
        }
        Some(_) => Ok(()),
    }
}
