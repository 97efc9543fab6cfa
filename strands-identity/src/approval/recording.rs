//! Records of responses. They follow the write that stores the responses, so that of two approvers at the same time only the one
//! whose response counts is recorded, and precede the tools. Responses of a process that died in between are recorded when the run
//! is resumed.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use strands_core::InterruptedCall;
use strands_core::hook::HookContext;

use super::checking::Checked;
use super::report::of_response;
use super::request::is_named;
use super::response::Stamped;
use super::{ApprovalError, ApprovalHook, time};
use crate::{AuditDecision, AuditRecord};

/// Key of the recorded responses of a run in the agent's state: the time of the response by the id of its interrupt.
const RECORDED: &str = "approval:recorded";

/// Reason of a response that was not stored.
const LOST: &str = "another response or prompt was first";

/// A response without a record.
#[derive(Clone)]
struct Unrecorded {
    /// Name of the interrupts of its hook.
    hook: String,
    interrupt_id: String,
    record: AuditRecord,
    /// True if it came with this invocation.
    is_new: bool,
}

/// Responses without a record, of all approval hooks of an invocation.
#[derive(Default)]
struct Responses(Mutex<Vec<Unrecorded>>);

impl Responses {
    fn with<T>(&self, read: impl FnOnce(&mut Vec<Unrecorded>) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ApprovalHook {
    /// Keeps the responses that were checked, and those that an earlier invocation left without a record.
    pub(super) fn await_storage(
        &self,
        context: &HookContext,
        interrupted: &[InterruptedCall],
        checked: &[Checked<'_>],
    ) {
        let new = checked.iter().filter_map(|checked| Some((&checked.request, checked.outcome.as_ref().ok()?)));
        let new = new.map(|(request, stamped)| {
            self.unrecorded(&request.interrupt_id, of_response(request, stamped, context), true)
        });
        let recorded = context.state().get(RECORDED).unwrap_or_default();
        let mut unrecorded: Vec<Unrecorded> = new.collect();
        for call in interrupted {
            for interrupt in call.interrupts.iter().filter(|interrupt| is_named(interrupt, &self.name)) {
                let Some(stamped) = interrupt.response.as_ref().and_then(Stamped::parse) else { continue };
                if recorded.get(&interrupt.id).and_then(Value::as_str) == Some(&stamped.at) {
                    continue;
                }
                let (request, _) = self.request_of(interrupt, &call.tool_use, context);
                unrecorded.push(self.unrecorded(&interrupt.id, of_response(&request, &stamped, context), false));
            }
        }
        if !unrecorded.is_empty() {
            context.local(Responses::default).with(|responses| responses.extend(unrecorded));
        }
    }

    fn unrecorded(&self, interrupt_id: &str, record: AuditRecord, is_new: bool) -> Unrecorded {
        Unrecorded { hook: self.name.clone(), interrupt_id: interrupt_id.to_owned(), record, is_new }
    }

    /// Records the responses, which are stored now: of one call, or of all.
    ///
    /// # Errors
    ///
    /// Returns an error if the audit has no record. The calls stay approved, and are recorded and run with the next prompt.
    pub(super) async fn record_responses(
        &self,
        context: &HookContext,
        tool_use_id: Option<&str>,
    ) -> Result<(), ApprovalError> {
        let responses = context.local(Responses::default);
        let is_wanted = |it: &Unrecorded| {
            it.hook == self.name && (tool_use_id.is_none() || it.record.tool_use_id.as_deref() == tool_use_id)
        };
        while let Some(next) = responses.with(|all| all.iter().find(|it| is_wanted(it)).cloned()) {
            if !context.is_replay() {
                self.audit.record(next.record.clone()).await.map_err(ApprovalError::Audit)?;
            }
            responses.with(|all| all.retain(|it| !(is_wanted(it) && it.interrupt_id == next.interrupt_id)));
            remember(context, &next);
        }
        Ok(())
    }

    /// Records the refusal of the responses of this invocation, which lost against others.
    pub(super) async fn record_lost_responses(&self, context: &HookContext) {
        let responses = context.local(Responses::default);
        let lost = responses.with(|all| all.extract_if(.., |it| it.is_new && it.hook == self.name).collect::<Vec<_>>());
        for Unrecorded { record, .. } in lost {
            let refused = AuditDecision::ApprovalRefused;
            let record = AuditRecord { time: time::now(), decision: refused, reason: Some(LOST.to_owned()), ..record };
            // Nothing has changed, with a record or without; the audit reports its failure.
            let _ = self.audit.record(record).await;
        }
    }
}

/// Remembers a recorded response until the run ends, since a call may be approved and wait for others of its turn.
fn remember(context: &HookContext, response: &Unrecorded) {
    // Without it, the same record is made again. The value nests one level, which can't fail.
    let _ = context.state().update(RECORDED, |recorded| {
        if !recorded.is_object() {
            *recorded = json!({});
        }
        if let Some(recorded) = recorded.as_object_mut() {
            recorded.insert(response.interrupt_id.clone(), response.record.time.clone().into());
        }
    });
}

/// Forgets the recorded responses, once all calls of the turn have results.
pub(super) fn forget(context: &HookContext) {
    if context.state().get(RECORDED).is_some() {
        context.state().remove(RECORDED);
    }
}
