//! Tool calls of one turn with their progress. Approvals are recorded before any tool runs, so that one approval never runs
//! a tool twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::nested_calls;
use crate::continuation::Continuation;
use crate::history::{INTERRUPTED, OUTCOME_UNKNOWN, Repair};
use crate::interrupt::{Interrupt, InterruptResponse, InterruptedCall, Suspension, is_of_hook};
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
    /// States of tools that continue with the responses, by the id of their call. They are stored where Strands has them.
    #[serde(skip)]
    continuations: Option<Arc<BTreeMap<String, Continuation>>>,
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
    /// The call has the responses that it needs; the tool was not started.
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

    fn set_result(&mut self, result: ToolResult) {
        self.result = Some(result);
        self.interrupts.clear();
    }

    /// Returns the interrupts that the tool has raised, and not a hook before it.
    fn of_tool(&self) -> impl Iterator<Item = &Interrupt> {
        self.interrupts.iter().filter(|interrupt| !is_of_hook(&interrupt.id))
    }
}

/// Returns true if a call has the responses that it needs: those to all of its interrupts. A tool with a state takes responses as they
/// come, so that one to any of its own interrupts is enough.
fn is_ready(
    call: &PendingCall,
    responses: &BTreeMap<String, Value>,
    continuations: Option<&Arc<BTreeMap<String, Continuation>>>,
) -> bool {
    let has_response = |interrupt: &Interrupt| responses.contains_key(&interrupt.id);
    if !continuations.is_some_and(|all| all.contains_key(&call.tool_use.tool_use_id)) {
        return call.interrupts.iter().all(has_response);
    }
    let mut of_hooks = call.interrupts.iter().filter(|interrupt| is_of_hook(&interrupt.id));
    let mut of_tool = call.of_tool().peekable();
    of_hooks.all(has_response) && (of_tool.peek().is_none() || of_tool.any(has_response))
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

    /// Returns the states of tools that continue with the responses, by the id of their call.
    pub(crate) fn continuations(&self) -> Option<&Arc<BTreeMap<String, Continuation>>> {
        self.continuations.as_ref()
    }

    /// Returns the calls whose tools have a state, by the name of the tool.
    pub(crate) fn suspended_tools(&self) -> Vec<(String, Continuation)> {
        let Some(continuations) = &self.continuations else { return Vec::new() };
        let open = self.calls.iter().filter(|call| call.result.is_none());
        let suspended = open.filter_map(|call| {
            let continuation = continuations.get(&call.tool_use.tool_use_id)?;
            Some((call.tool_use.name.clone(), continuation.clone()))
        });
        suspended.collect()
    }

    /// Sets the result of a call.
    pub(crate) fn set_result(&mut self, position: usize, result: ToolResult) {
        if let Some(call) = self.calls.get_mut(position) {
            if let Some(continuations) = &mut self.continuations {
                Arc::make_mut(continuations).remove(&call.tool_use.tool_use_id);
            }
            call.set_result(result);
        }
    }

    /// Suspends a call. If its tool has a state, it has taken the responses to its earlier interrupts. If a hook has raised the
    /// interrupts before a tool with a state, those of the tool stay.
    pub(crate) fn set_suspended(&mut self, position: usize, suspension: Suspension) {
        let Some(call) = self.calls.get_mut(position) else { return };
        let Suspension { mut interrupts, continuation } = suspension;
        let id = &call.tool_use.tool_use_id;
        if let Some(continuation) = continuation {
            call.of_tool().for_each(|interrupt| drop(self.responses.remove(&interrupt.id)));
            Arc::make_mut(self.continuations.get_or_insert_default()).insert(id.clone(), continuation);
        } else if self.continuations.as_ref().is_some_and(|all| all.contains_key(id)) {
            interrupts.extend(call.of_tool().cloned());
        }
        (call.interrupts, call.status) = (interrupts, CallStatus::Open);
    }

    /// Leaves a call suspended that could not be resumed. The responses for its tool are dropped.
    pub(crate) fn keep_suspended(&mut self, position: usize) {
        let Some(call) = self.calls.get_mut(position) else { return };
        call.of_tool().for_each(|interrupt| drop(self.responses.remove(&interrupt.id)));
        call.status = CallStatus::Open;
    }

    /// Drops responses that tools with a state have not taken. Only such a tool can check them, for instance that of an approver who may
    /// not approve, and it does so with the values of the invocation that got them. So they are never left to a later one.
    pub(crate) fn drop_unchecked_responses(&mut self) {
        let Some(continuations) = &self.continuations else { return };
        for call in self.calls.iter_mut().filter(|call| call.result.is_none() && call.status != CallStatus::Started) {
            if continuations.contains_key(&call.tool_use.tool_use_id) {
                call.of_tool().for_each(|interrupt| drop(self.responses.remove(&interrupt.id)));
                call.status = CallStatus::Open;
            }
        }
    }

    /// Restores the states of tools from before the run was stored.
    pub(crate) fn restore_continuations(&mut self, continuations: BTreeMap<String, Continuation>) {
        let is_open =
            |id: &String| self.calls.iter().any(|call| call.result.is_none() && call.tool_use.tool_use_id == *id);
        let open: BTreeMap<_, _> = continuations.into_iter().filter(|(id, _)| is_open(id)).collect();
        self.continuations = (!open.is_empty()).then(|| Arc::new(open));
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

    /// Restores interrupts from before the run was stored, with their responses. The id of an interrupt names its call.
    pub(crate) fn restore_interrupts(&mut self, interrupts: impl IntoIterator<Item = Interrupt>) {
        for mut interrupt in interrupts {
            let response = interrupt.response.take();
            let mut open: Vec<_> = self.calls.iter_mut().filter(|call| call.result.is_none()).collect();
            let named = open.iter().position(|call| interrupt.is_of_call(&call.tool_use.tool_use_id)).unwrap_or(0);
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
        call.result.is_none() && !is_ready(call, &self.responses, self.continuations())
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

    /// Returns the interrupted calls without a result: those of agents that are tools in place of the calls of these agents.
    pub(crate) fn interrupted_calls(&self) -> Vec<InterruptedCall> {
        let open = self.calls.iter().filter(|call| call.result.is_none() && !call.interrupts.is_empty());
        open.flat_map(|call| {
            let mut own: Vec<_> = call.interrupts.iter().map(|interrupt| self.with_response(interrupt)).collect();
            let continuation = self.continuations().and_then(|all| all.get(&call.tool_use.tool_use_id));
            let mut calls = nested_calls::of(&call.tool_use, continuation, &mut own);
            if !own.is_empty() {
                let tool_use = Arc::clone(&call.tool_use);
                calls.push(InterruptedCall { tool_use, within: Vec::new(), interrupts: own });
            }
            calls
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
        let (responses, continuations) = (&self.responses, self.continuations.as_ref());
        for call in self.calls.iter_mut().filter(|call| call.result.is_none() && call.status == CallStatus::Open) {
            if !call.interrupts.is_empty() && is_ready(call, responses, continuations) {
                call.status = CallStatus::Approved;
            }
        }
    }

    /// Decides about approved calls after the process that made them is gone. A tool that was not started can still run. One
    /// that was started has an unknown outcome, and runs again only if it is idempotent.
    pub(super) fn reconcile(&mut self, is_idempotent: impl Fn(&str) -> bool) -> Vec<Repair> {
        let mut repairs = Vec::new();
        for call in self.calls.iter_mut().filter(|call| call.result.is_none() && call.status == CallStatus::Started) {
            if is_idempotent(&call.tool_use.name) {
                call.status = CallStatus::Approved;
            }
        }
        self.drop_unchecked_responses();
        for call in &mut self.calls {
            let tool_use_id = call.tool_use.tool_use_id.clone();
            match (call.status, &call.result) {
                // Decided before, but the results are not in the history yet.
                (CallStatus::Unknown, _) => repairs.push(Repair::OutcomeUnknown { tool_use_id }),
                (_, Some(_)) | (CallStatus::Open, None) => {}
                (CallStatus::Started, None) => {
                    call.set_result(ToolResult::error(&tool_use_id, OUTCOME_UNKNOWN));
                    call.status = CallStatus::Unknown;
                    repairs.push(Repair::OutcomeUnknown { tool_use_id });
                }
                (CallStatus::Approved, None) => {
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
