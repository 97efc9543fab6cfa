//! Checks of responses, before they are stored.

use serde_json::Value;
use strands_core::Interrupt;
use strands_core::hook::{BeforeInvocation, HookContext};
use strands_core::message::ToolUse;

use super::request::is_named;
use super::response::{Answer, Stamped};
use super::{ApprovalError, ApprovalHook, ApprovalRequest, Approver, Trust};
use crate::{Fingerprint, Identity};

/// A response that was checked, or refused.
pub(super) struct Checked<'a> {
    pub(super) request: ApprovalRequest,
    pub(super) approver: Option<&'a Identity>,
    pub(super) outcome: Result<Stamped, ApprovalError>,
}

impl ApprovalHook {
    /// Checks the responses to this hook's requests. Replaces them by those to store if all are valid.
    ///
    /// Nothing is awaited between the first check and the replacement.
    pub(super) fn check_responses<'a>(&self, event: &mut BeforeInvocation<'a>) -> Vec<Checked<'a>> {
        let mut checked: Vec<Checked<'a>> = Vec::new();
        let mut stamps: Vec<(usize, Value)> = Vec::new();
        for (at, response) in event.responses.iter().enumerate() {
            let own = event.interrupted.iter().find_map(|call| {
                let interrupt = call.interrupts.iter().find(|interrupt| interrupt.id == response.interrupt_id)?;
                is_named(interrupt, &self.name).then_some((call, interrupt))
            });
            let Some((call, interrupt)) = own else { continue };
            if interrupt.response.is_some() {
                // Delivered twice, and checked the first time: the agent rejects one that differs from the stored one.
                continue;
            }
            let (request, is_foreign) = self.request_of(interrupt, &call.tool_use, event.context);
            let approver = Approver::of(event.context);
            let is_repeated = checked.iter().any(|other| other.request.interrupt_id == interrupt.id);
            let outcome = match is_repeated {
                true => Err(ApprovalError::Repeated { interrupt_id: interrupt.id.clone() }),
                false => self.check(&request, is_foreign, &response.response, approver, event.context),
            };
            if let Ok(stamped) = &outcome {
                stamps.push((at, stamped.to_json()));
            }
            checked.push(Checked { request, approver, outcome });
        }
        if let Some(refused) = checked.iter().position(|checked| checked.outcome.is_err()) {
            // Refused together, so that only the refusal is reported.
            return vec![checked.swap_remove(refused)];
        }
        for (at, stamp) in stamps {
            if let Some(response) = event.responses.get_mut(at) {
                response.response = stamp;
            }
        }
        checked
    }

    /// Returns the request of an interrupt, and true if Strands wrote it.
    pub(super) fn request_of(
        &self,
        interrupt: &Interrupt,
        tool_use: &ToolUse,
        context: &HookContext,
    ) -> (ApprovalRequest, bool) {
        let own = ApprovalRequest::from_interrupt(interrupt);
        let is_foreign = own.is_none();
        let mut request = own.unwrap_or_else(|| {
            let request = ApprovalRequest::of_strands(interrupt, context.session_id(), context.agent_id(), tool_use);
            ApprovalRequest { requested_by: context.injected().map(Identity::without_claims), ..request }
        });
        request.requirement = self.rules.completed(request.requirement);
        (request, is_foreign)
    }

    fn check(
        &self,
        request: &ApprovalRequest,
        is_foreign: bool,
        response: &Value,
        approver: Option<&Identity>,
        context: &HookContext,
    ) -> Result<Stamped, ApprovalError> {
        let answer = self.answer(response, &request.interrupt_id, &request.fingerprint, context)?;
        if answer.approves {
            // The time of a replay is not that of the response.
            let has_expired = request.has_expired() || (is_foreign && self.expires_after.is_some());
            if has_expired && !context.is_replay() {
                return Err(ApprovalError::Expired { tool: request.tool.clone() });
            }
            request.check_approver(approver)?;
        } else {
            request.check_denier(approver)?;
        }
        let (fingerprint, requester) = (request.fingerprint.clone(), request.requested_by.as_ref());
        Ok(Stamped::new(answer, fingerprint, approver, requester, context.invocation_id()))
    }

    /// Parses a response to the call with a fingerprint.
    pub(super) fn answer(
        &self,
        response: &Value,
        interrupt_id: &str,
        expected: &Fingerprint,
        context: &HookContext,
    ) -> Result<Answer, ApprovalError> {
        let interrupt_id = || interrupt_id.to_owned();
        // A runner of direct calls may serve many users with one state.
        let allowed = if context.is_direct() { Trust::Call } else { self.trust };
        let Some(answer) = Answer::parse(response, allowed) else {
            return Err(ApprovalError::InvalidResponse { interrupt_id: interrupt_id() });
        };
        if answer.fingerprint.as_ref().is_some_and(|found| found != expected) {
            return Err(ApprovalError::OtherCall { interrupt_id: interrupt_id() });
        }
        if answer.trust > allowed {
            return Err(ApprovalError::TrustNotAllowed { interrupt_id: interrupt_id(), allowed });
        }
        Ok(answer)
    }
}
