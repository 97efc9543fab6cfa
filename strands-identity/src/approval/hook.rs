//! The hook that requests approvals, checks responses, and lets approved calls run.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::AgentError;
use strands_core::hook::{
    AfterInvocation, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeTools, Hook, HookReplay, HookResult,
};

use super::checking::Checked;
use super::recording;
use super::report::{decision, record};
use super::request::check_approver;
use super::response::Stamped;
use super::rules::{Need, Needed, Rules};
use super::{ApprovalError, ApprovalHookBuilder, ApprovalRequest, Approver, Trust, binding, time};
use crate::{ApprovalRequirement, Audit, AuditDecision, Fingerprint, Identity};

/// A [`Hook`] that requires human approval of tool calls.
///
/// A call that needs an approval raises an interrupt, which ends the invocation; its reason is an [`ApprovalRequest`]. A
/// response resumes the agent, in this process or in another one: [`ApprovalRequest::approve`] makes one, and plain `true` or
/// `"yes"` is one as well.
///
/// Calls need an approval by the rules of the [builder](ApprovalHookBuilder), by `#[tool(approval)]`, and if an earlier hook
/// requires one, such as the hook of an authorizer. Add this hook after those.
///
/// # Checks
///
/// The identity that responds is the injected [`Approver`], or else the injected [`Identity`]. It must have one of the roles
/// that may approve, and must be another than the requester where that is required. An identity that may approve a call may
/// deny it, and so may its requester. A response that fails a check is an [`ApprovalError`]: nothing changes, and the request stays open.
///
/// A response that passes is stored with the run, then recorded in the audit, and then its call is made.
///
/// An approval is bound to the session, the agent, the id of the call, the tool and the arguments. On anything else it is void,
/// and so it is when the agent works for an identity that is neither the requester nor the approver: the tool does not run, and
/// the model reads that it has to call it again.
///
/// # Examples
///
/// ```
/// use strands::identity::{ApprovalHook, ApprovalRequest, Approver, Identity};
/// use strands::serde_json::json;
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, Prompt, tool, tools};
///
/// /// Books a hotel.
/// #[tool]
/// fn book(
///     /// The city.
///     city: String,
/// ) -> String {
///     format!("booked a hotel in {city}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let call = ScriptedTurn::tool_use("book", json!({"city": "Oslo"}));
/// # let model = ScriptedModel::new([call, ScriptedTurn::text("It is booked.")]);
/// let approval = ApprovalHook::builder().tools(["book"]).by_role("manager").by_another().build();
/// let mut agent = Agent::builder().model(model).tools(tools![Book]).hook(approval).build().await?;
///
/// let alice = Identity::new("alice").with_role("traveler");
/// let response = agent.prompt("Book a hotel in Oslo.").inject(alice.clone()).await?;
/// let request = response.interrupts.iter().find_map(ApprovalRequest::from_interrupt).ok_or("no request")?;
///
/// let bob = Identity::new("bob").with_role("manager");
/// assert!(request.may_be_approved_by(&bob) && !request.may_be_approved_by(&alice));
/// let resumed = agent.prompt(Prompt::none()).resume([request.approve()]);
/// let response = resumed.inject(alice).inject(Approver::new(bob)).await?;
/// assert_eq!(response.text(), "It is booked.");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ApprovalHook {
    pub(super) rules: Rules,
    pub(super) trust: Trust,
    pub(super) expires_after: Option<Duration>,
    pub(super) name: String,
    pub(super) audit: Audit,
}

/// Text of a denial for a response that does not fit the call.
const VOID: &str = "the approval of this call is void; call the tool again to request a new one";

/// Text of a denial for a call whose requirements no role meets.
const NOBODY: &str = "no role may approve this call";

impl ApprovalHook {
    /// Creates a builder. Without rules, only `#[tool(approval)]` and other hooks require approvals.
    pub fn builder() -> ApprovalHookBuilder {
        ApprovalHookBuilder::new()
    }

    /// Returns the request for the approval of a call.
    fn new_request(&self, event: &AuthorizeToolCall<'_>, requirement: ApprovalRequirement) -> ApprovalRequest {
        let (context, tool) = (event.context, &event.tool.spec().name);
        ApprovalRequest {
            interrupt_id: String::new(),
            session_id: context.session_id().map(str::to_owned),
            agent_id: context.agent_id().to_owned(),
            tool: tool.clone(),
            tool_use_id: event.tool_use.tool_use_id.clone(),
            input: event.input.clone(),
            requirement,
            requested_by: context.injected().map(Identity::without_claims),
            requested_at: Some(time::now()),
            expires_at: self.expires_after.and_then(time::after),
            fingerprint: binding::in_context(context, &event.tool_use.tool_use_id, tool, event.input),
        }
    }

    /// Raises the interrupt that requests an approval.
    async fn request(&self, event: &mut AuthorizeToolCall<'_>, needed: Needed) {
        let request = self.new_request(event, needed.requirement);
        let reason = Some(request.requirement.reason.clone());
        let record = record(AuditDecision::ApprovalRequested, &request, None, reason, event.context);
        match (self.audit.record(record).await, serde_json::to_value(&request)) {
            (Ok(()), Ok(reason)) => drop(event.interrupt(&self.name, reason)),
            _ => event.deny("the approval could not be requested"),
        }
    }

    /// Decides about a call whose response this hook has checked and stored.
    async fn decide(&self, event: &mut AuthorizeToolCall<'_>, needed: Option<Needed>, stamped: &Stamped) -> HookResult {
        // Done in `before_tools`, unless a hook that wraps this one does not forward it.
        self.record_responses(event.context, Some(&event.tool_use.tool_use_id)).await?;
        if is_for_call(&stamped.fingerprint, event) && !stamped.approved {
            event.deny(denial(stamped.reason.as_deref()));
            return Ok(());
        }
        let requirement = needed.map(|needed| needed.requirement).unwrap_or_default();
        match void(event, &requirement, stamped) {
            None => self.approve(event, stamped.trust),
            Some(cause) => {
                let request = self.new_request(event, requirement);
                let request = ApprovalRequest { requested_by: stamped.requested_by.clone(), ..request };
                let cause = Some(format!("the approval is void: {cause}"));
                let refused = AuditDecision::ApprovalRefused;
                // The call is denied, with a record or without; the audit reports its failure.
                let _ =
                    self.audit.record(record(refused, &request, stamped.approver.as_ref(), cause, event.context)).await;
                event.deny(VOID);
                Ok(())
            }
        }
    }

    /// Approves a call of a trusted tool.
    async fn approve_by_trust(&self, event: &mut AuthorizeToolCall<'_>, needed: Needed) {
        let request = self.new_request(event, needed.requirement);
        let reason = Some("the tool is trusted".to_owned());
        match self.audit.record(record(AuditDecision::Approved, &request, None, reason, event.context)).await {
            Ok(()) => event.approve(),
            Err(_) => event.deny("the approval could not be recorded"),
        }
    }

    /// Decides about a call by a response that this hook has not checked before: that of a direct call, or one that Strands
    /// stored. The identity that makes the call is the approver.
    async fn decide_unchecked(
        &self,
        event: &mut AuthorizeToolCall<'_>,
        needed: Option<Needed>,
        response: &Value,
    ) -> HookResult {
        let requirement =
            needed.map_or_else(|| self.rules.completed(ApprovalRequirement::default()), |it| it.requirement);
        let request = self.new_request(event, requirement);
        let approver = Approver::of(event.context);
        let checked = self.answer(response, &self.name, &request.fingerprint, event.context).and_then(|answer| {
            match answer.approves {
                // The time of the response is not known.
                true if self.expires_after.is_some() && !event.context.is_direct() => {
                    Err(ApprovalError::Expired { tool: request.tool.clone() })
                }
                true => request.check_approver(approver).map(|()| answer),
                false => request.check_denier(approver).map(|()| answer),
            }
        });
        let (decision, reason) = match &checked {
            Ok(answer) => (decision(answer.approves), answer.note.clone()),
            Err(error) => (AuditDecision::ApprovalRefused, Some(error.to_string())),
        };
        let recorded = self.audit.record(record(decision, &request, approver, reason, event.context)).await;
        match checked.and_then(|answer| recorded.map(|()| answer).map_err(ApprovalError::Audit)) {
            Ok(answer) if answer.approves => self.approve(event, answer.trust)?,
            Ok(answer) => event.deny(denial(answer.note.as_deref())),
            Err(error) if event.context.is_direct() => return Err(error.into()),
            // It is stored, so that an error would return each time the agent is resumed.
            Err(_) => event.deny(VOID),
        }
        Ok(())
    }

    fn approve(&self, event: &mut AuthorizeToolCall<'_>, trust: Trust) -> HookResult {
        if trust <= self.trust && !self.rules.is_always(event) {
            trust.record(event.context, &event.tool.spec().name)?;
        }
        event.approve();
        Ok(())
    }
}

#[async_trait]
impl Hook for ApprovalHook {
    /// Responses that are to be recorded are kept with the invocation, between its start and its tools.
    fn replay(&self) -> HookReplay {
        HookReplay::RecordedAndCalled
    }

    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        if event.interrupted.is_empty() {
            return Ok(());
        }
        let context = event.context;
        let mut checked = self.check_responses(event);
        if let Some(at) = checked.iter().position(|checked| checked.outcome.is_err()) {
            let Checked { request, approver, outcome } = checked.swap_remove(at);
            let reason = outcome.as_ref().err().map(ToString::to_string);
            if !context.is_replay() {
                let refused = record(AuditDecision::ApprovalRefused, &request, approver, reason, context);
                // The response is refused, with a record or without; the audit reports its failure.
                let _ = self.audit.record(refused).await;
            }
            outcome?;
        }
        // Recorded once they are stored: of two approvers at the same time, one gets a conflict.
        self.await_storage(context, event.interrupted, &checked);
        Ok(())
    }

    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        Ok(self.record_responses(event.context, None).await?)
    }

    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        recording::forget(event.context);
        Ok(())
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        if let Err(AgentError::Session(error)) = event.outcome
            && error.is_conflict()
        {
            self.record_lost_responses(event.context).await;
        }
        Ok(())
    }

    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        let needed = match self.rules.needed(event)? {
            Need::Nothing => None,
            Need::Approval(needed) => Some(needed),
            Need::Impossible => {
                let request = self.new_request(event, ApprovalRequirement::default());
                let reason = Some(NOBODY.to_owned());
                // The call is denied, with a record or without; the audit reports its failure.
                let _ = self.audit.record(record(AuditDecision::Denied, &request, None, reason, event.context)).await;
                event.deny(NOBODY);
                return Ok(());
            }
        };
        if let Some(response) = event.response(&self.name).cloned() {
            return match Stamped::parse(&response) {
                // In a direct call, the responses are those of the caller.
                Some(stamped) if !event.context.is_direct() => self.decide(event, needed, &stamped).await,
                _ => self.decide_unchecked(event, needed, &response).await,
            };
        }
        match needed {
            None => {}
            Some(needed) if needed.by_trust && self.trust.covers(event.context, &event.tool.spec().name) => {
                self.approve_by_trust(event, needed).await;
            }
            Some(needed) => self.request(event, needed).await,
        }
        Ok(())
    }
}

/// Returns true if a fingerprint is that of the call: with the arguments that the tool gets or, as Strands requests approvals,
/// with those of the model.
fn is_for_call(fingerprint: &Fingerprint, event: &AuthorizeToolCall<'_>) -> bool {
    let (id, name) = (&event.tool_use.tool_use_id, &event.tool.spec().name);
    let of = |input: &Value| binding::in_context(event.context, id, name, input);
    *fingerprint == of(event.input) || *fingerprint == of(&event.tool_use.input)
}

/// Returns the reason for which a stored approval is not valid for a call, with the rules of now. `None` if it is.
fn void(event: &AuthorizeToolCall<'_>, requirement: &ApprovalRequirement, stamped: &Stamped) -> Option<&'static str> {
    let (requester, approver) = (stamped.requested_by.as_ref(), stamped.approver.as_ref());
    if !is_for_call(&stamped.fingerprint, event) {
        return Some("the call is another one");
    }
    if let (Some(requester), Some(current)) = (requester, event.context.injected::<Identity>())
        && ![Some(requester), approver].into_iter().flatten().any(|known| known.is_same_user(current))
    {
        return Some("the agent works for another identity");
    }
    let is_allowed = check_approver(requirement, &event.tool.spec().name, requester, approver).is_ok();
    (!is_allowed).then_some("the rules have changed, and its approver may not approve any more")
}

/// Returns the text of a denial for the model.
fn denial(reason: Option<&str>) -> String {
    match reason {
        Some(reason) if !reason.trim().is_empty() => format!("a human denied the call: {reason}"),
        _ => "a human denied the call".to_owned(),
    }
}
