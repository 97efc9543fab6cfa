//! Tool calls of one turn with their progress. Approvals are recorded before any tool runs, so that one approval never runs
//! a tool twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::history::{INTERRUPTED, OUTCOME_UNKNOWN, Repair};
use crate::interrupt::{Interrupt, InterruptResponse, InterruptedCall};
use crate::message::{ContentBlock, Message, Role, ToolResult, ToolUse};

/// The tool calls of one turn, in the order in which the model made them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingTools {
    /// Tracking id of the message with the calls, once they are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    pub(crate) calls: Vec<PendingCall>,
    /// Responses to interrupts, by interrupt id.
    #[serde(default, rename = "answers", skip_serializing_if = "BTreeMap::is_empty")]
    responses: BTreeMap<String, Value>,
    /// True once a call was interrupted. From then on, a session records the progress of each call.
    #[serde(default)]
    recorded: bool,
    /// Unique id of the invocation that continues with these calls, so that each claim changes the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
}

/// A tool call with its progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingCall {
    pub(crate) tool_use: Arc<ToolUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<ToolResult>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) interrupts: Vec<Interrupt>,
    #[serde(default)]
    pub(crate) status: CallStatus,
}

/// Progress of a tool call without a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallStatus {
    /// The call is interrupted, or waits behind one that is.
    #[default]
    Open,
    /// All interrupts have responses; the tool was not started.
    Approved,
    /// The tool was started.
    Started,
    /// The tool was started, and its outcome is unknown. The call has an error result about that.
    Unknown,
}

/// Error of a response to an interrupt that is not pending.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownInterrupt(pub(crate) String);

impl PendingCall {
    fn new(tool_use: ToolUse) -> Self {
        Self { tool_use: Arc::new(tool_use), result: None, interrupts: Vec::new(), status: CallStatus::Open }
    }

    pub(crate) fn set_result(&mut self, result: ToolResult) {
        self.result = Some(result);
        self.interrupts.clear();
    }

    pub(crate) fn set_interrupts(&mut self, interrupts: Vec<Interrupt>) {
        self.interrupts = interrupts;
        self.status = CallStatus::Open;
    }
}

impl PendingTools {
    /// Creates the pending calls of a message; `None` if it has none.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let calls: Vec<_> = message.tool_uses().cloned().map(PendingCall::new).collect();
        (!calls.is_empty()).then(|| Self { calls, ..Self::default() })
    }

    /// Returns true if these are the calls of a message.
    pub(crate) fn belong_to(&self, message: &Message) -> bool {
        if message.role != Role::Assistant {
            return false;
        }
        match (&self.message, &message.tracking_id) {
            (Some(id), Some(other)) => id == other,
            _ => self.calls.iter().map(|call| &*call.tool_use).eq(message.tool_uses()),
        }
    }

    pub(crate) fn responses(&self) -> &BTreeMap<String, Value> {
        &self.responses
    }

    /// Returns true once a call was interrupted.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Suspends the calls, which are those of a message.
    pub(crate) fn suspend(&mut self, message: &Message) {
        self.message.clone_from(&message.tracking_id);
        self.recorded = true;
    }

    /// Restores results from before the run was stored.
    pub(crate) fn restore_results(&mut self, results: Vec<ToolResult>) {
        for result in results {
            let mut open = self.calls.iter_mut().filter(|call| call.result.is_none());
            if let Some(call) = open.find(|call| call.tool_use.tool_use_id == result.tool_use_id) {
                call.set_result(result);
            }
        }
    }

    /// Restores interrupts from before the run was stored, with their responses. The id of an interrupt contains the tool use
    /// id of its call.
    pub(crate) fn restore_interrupts(&mut self, interrupts: impl IntoIterator<Item = Interrupt>) {
        for mut interrupt in interrupts {
            let response = interrupt.response.take();
            let mut open: Vec<_> = self.calls.iter_mut().filter(|call| call.result.is_none()).collect();
            let names = |call: &&mut PendingCall| interrupt.id.contains(&format!(":{}:", call.tool_use.tool_use_id));
            let named = open.iter().position(names).unwrap_or(0);
            let id = interrupt.id.clone();
            if let Some(call) = open.get_mut(named) {
                call.interrupts.push(interrupt);
            }
            if let Some(response) = response {
                self.responses.insert(id, response);
            }
        }
        self.approve();
        self.recorded = true;
    }

    /// Claims the calls for one invocation.
    pub(crate) fn claim(&mut self, claim: String) {
        self.claim = Some(claim);
    }

    /// Returns true if the start of a call was never recorded, so that another worker may be about to start it.
    pub(crate) fn has_unrecorded(&self) -> bool {
        self.calls.iter().any(|call| matches!(call.status, CallStatus::Open | CallStatus::Approved))
    }

    /// Returns true if a call waits for the response to an interrupt.
    pub(crate) fn waits(&self, call: &PendingCall) -> bool {
        call.result.is_none() && call.interrupts.iter().any(|interrupt| !self.responses.contains_key(&interrupt.id))
    }

    /// Returns the pending interrupts.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        let open = self.calls.iter().filter(|call| call.result.is_none());
        let interrupts = open.flat_map(|call| &call.interrupts);
        interrupts.filter(|interrupt| !self.responses.contains_key(&interrupt.id)).cloned().collect()
    }

    /// Returns the interrupts of calls without a result, with their responses.
    pub(crate) fn all_interrupts(&self) -> impl Iterator<Item = Interrupt> {
        let open = self.calls.iter().filter(|call| call.result.is_none());
        open.flat_map(|call| &call.interrupts).map(|interrupt| self.with_response(interrupt))
    }

    /// Returns true if all calls have results.
    pub(crate) fn is_complete(&self) -> bool {
        self.calls.iter().all(|call| call.result.is_some())
    }

    /// Returns the interrupted calls without a result.
    pub(crate) fn interrupted_calls(&self) -> Vec<InterruptedCall> {
        let open = self.calls.iter().filter(|call| call.result.is_none() && !call.interrupts.is_empty());
        open.map(|call| InterruptedCall {
            tool_use: Arc::clone(&call.tool_use),
            interrupts: call.interrupts.iter().map(|interrupt| self.with_response(interrupt)).collect(),
        })
        .collect()
    }

    fn with_response(&self, interrupt: &Interrupt) -> Interrupt {
        Interrupt { response: self.responses.get(&interrupt.id).cloned(), ..interrupt.clone() }
    }

    /// Checks that responses are for pending interrupts. A response may be delivered twice, as message queues do.
    pub(super) fn check_responses(&self, responses: &[InterruptResponse]) -> Result<(), UnknownInterrupt> {
        let pending = self.interrupts();
        let is_known = |response: &InterruptResponse| {
            pending.iter().any(|interrupt| interrupt.id == response.interrupt_id)
                || self.responses.get(&response.interrupt_id) == Some(&response.response)
        };
        match responses.iter().find(|response| !is_known(response)) {
            Some(unknown) => Err(UnknownInterrupt(unknown.interrupt_id.clone())),
            None => Ok(()),
        }
    }

    /// Takes responses to interrupts.
    pub(super) fn resume(&mut self, responses: Vec<InterruptResponse>) {
        self.responses.extend(responses.into_iter().map(|response| (response.interrupt_id, response.response)));
        self.approve();
    }

    fn approve(&mut self) {
        let responses = &self.responses;
        for call in self.calls.iter_mut().filter(|call| call.result.is_none() && call.status == CallStatus::Open) {
            if !call.interrupts.is_empty()
                && call.interrupts.iter().all(|interrupt| responses.contains_key(&interrupt.id))
            {
                call.status = CallStatus::Approved;
            }
        }
    }

    /// Decides about approved calls after the process that made them is gone. A tool that was not started can still run. One
    /// that was started has an unknown outcome, and runs again only if it is idempotent.
    pub(super) fn reconcile(&mut self, is_idempotent: impl Fn(&str) -> bool) -> Vec<Repair> {
        let mut repairs = Vec::new();
        for call in &mut self.calls {
            let tool_use_id = call.tool_use.tool_use_id.clone();
            match (call.status, &call.result) {
                // Decided before, but the results are not in the history yet.
                (CallStatus::Unknown, _) => repairs.push(Repair::OutcomeUnknown { tool_use_id }),
                (_, Some(_)) | (CallStatus::Open, None) => {}
                (CallStatus::Started, None) if !is_idempotent(&call.tool_use.name) => {
                    call.set_result(ToolResult::error(&tool_use_id, OUTCOME_UNKNOWN));
                    call.status = CallStatus::Unknown;
                    repairs.push(Repair::OutcomeUnknown { tool_use_id });
                }
                (CallStatus::Started | CallStatus::Approved, None) => {
                    call.status = CallStatus::Approved;
                    repairs.push(Repair::CallPending { tool_use_id });
                }
            }
        }
        repairs
    }

    /// Sets an error result for each call without a result.
    pub(super) fn fail_open_calls(&mut self, reason: &str) {
        for call in self.calls.iter_mut().filter(|call| call.result.is_none()) {
            let reason = if call.status == CallStatus::Started && self.recorded { OUTCOME_UNKNOWN } else { reason };
            call.set_result(ToolResult::error(&call.tool_use.tool_use_id, reason));
        }
    }

    /// Takes the results as a message, in the order of the calls.
    pub(super) fn take_results(&mut self) -> Message {
        let calls = std::mem::take(&mut self.calls);
        // With its exact capacity, since the message stays in memory.
        let mut results: Vec<ContentBlock> = Vec::with_capacity(calls.len());
        results.extend(calls.into_iter().map(|call| {
            let missing = || ToolResult::error(&call.tool_use.tool_use_id, INTERRUPTED);
            ContentBlock::ToolResult(call.result.unwrap_or_else(missing))
        }));
        Message::new(Role::User, results)
    }
}
