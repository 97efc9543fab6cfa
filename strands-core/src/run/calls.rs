//! The tool calls of one turn, and how far each has come. What a human has approved is recorded before anything runs, so
//! that one approval never runs a tool twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::history::{INTERRUPTED, OUTCOME_UNKNOWN, Repair};
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::message::{ContentBlock, Message, Role, ToolResult, ToolUse};

/// The tool calls of one turn, in the order in which the model made them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingTools {
    /// The tracking id of the message that has the calls, once they are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    pub(crate) calls: Vec<PendingCall>,
    /// The answers of humans, by interrupt id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    answers: BTreeMap<String, Value>,
    /// True once humans were asked about these calls: from then on a session records how far each has come.
    #[serde(default)]
    recorded: bool,
    /// Names the invocation that goes on with these calls, so that each claim is another record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
}

/// A tool call, and how far it has come.
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
    /// It waits for a human, or behind a call that does.
    #[default]
    Open,
    /// All questions about it have an answer; the tool was not started.
    Approved,
    /// The tool was started.
    Started,
    /// The tool was started, and nobody knows the outcome. The result says so.
    Unknown,
}

/// An answer to a question that nobody asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownInterrupt(pub(crate) String);

impl PendingCall {
    fn new(tool_use: ToolUse) -> Self {
        Self { tool_use: Arc::new(tool_use), result: None, interrupts: Vec::new(), status: CallStatus::Open }
    }

    pub(crate) fn answered(&mut self, result: ToolResult) {
        self.result = Some(result);
        self.interrupts.clear();
    }

    pub(crate) fn interrupted(&mut self, interrupts: Vec<Interrupt>) {
        self.interrupts = interrupts;
        self.status = CallStatus::Open;
    }
}

impl PendingTools {
    /// The calls of a message; `None` if it has none.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let calls: Vec<_> = message.tool_uses().cloned().map(PendingCall::new).collect();
        (!calls.is_empty()).then(|| Self { calls, ..Self::default() })
    }

    /// True if these are the calls of this message.
    pub(crate) fn belong_to(&self, message: &Message) -> bool {
        if message.role != Role::Assistant {
            return false;
        }
        match (&self.message, &message.tracking_id) {
            (Some(id), Some(other)) => id == other,
            _ => self.calls.iter().map(|call| &*call.tool_use).eq(message.tool_uses()),
        }
    }

    pub(crate) fn answers(&self) -> &BTreeMap<String, Value> {
        &self.answers
    }

    /// True once humans were asked about these calls.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Humans are asked about these calls, which are those of this message.
    pub(crate) fn suspend(&mut self, message: &Message) {
        self.message.clone_from(&message.tracking_id);
        self.recorded = true;
    }

    /// With the results that tools had given before the run was stored.
    pub(crate) fn with_results(&mut self, results: Vec<ToolResult>) {
        for result in results {
            let mut open = self.calls.iter_mut().filter(|call| call.result.is_none());
            if let Some(call) = open.find(|call| call.tool_use.tool_use_id == result.tool_use_id) {
                call.answered(result);
            }
        }
    }

    /// With the questions that humans were asked before the run was stored, and those answers that they have given. The
    /// id of a question contains the tool use id of its call.
    pub(crate) fn with_interrupts(&mut self, interrupts: impl IntoIterator<Item = Interrupt>) {
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
                self.answers.insert(id, response);
            }
        }
        self.approve();
        self.recorded = true;
    }

    /// An invocation goes on with these calls.
    pub(crate) fn claim(&mut self, claim: String) {
        self.claim = Some(claim);
    }

    /// True if a call has a result, or will get one, though it was never recorded that its tool was started: another
    /// worker may be about to start it.
    pub(crate) fn has_unrecorded(&self) -> bool {
        self.calls.iter().any(|call| matches!(call.status, CallStatus::Open | CallStatus::Approved))
    }

    /// True if a call waits for an answer of a human.
    pub(crate) fn waits(&self, call: &PendingCall) -> bool {
        call.result.is_none() && call.interrupts.iter().any(|asked| !self.answers.contains_key(&asked.id))
    }

    /// The questions that wait for an answer.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        let open = self.calls.iter().filter(|call| call.result.is_none());
        let asked = open.flat_map(|call| &call.interrupts);
        asked.filter(|asked| !self.answers.contains_key(&asked.id)).cloned().collect()
    }

    /// The questions about calls without a result, with the answers that were given.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Interrupt> {
        let open = self.calls.iter().filter(|call| call.result.is_none());
        open.flat_map(|call| &call.interrupts).map(|asked| {
            let mut asked = asked.clone();
            asked.response = self.answers.get(&asked.id).cloned();
            asked
        })
    }

    /// True if all calls have their results.
    pub(crate) fn is_complete(&self) -> bool {
        self.calls.iter().all(|call| call.result.is_some())
    }

    /// Takes humans' answers. An answer that was given before may come again: queues deliver some messages twice.
    pub(super) fn resume(&mut self, responses: Vec<InterruptResponse>) -> Result<(), UnknownInterrupt> {
        let asked = self.interrupts();
        let is_known = |response: &InterruptResponse| {
            asked.iter().any(|each| each.id == response.interrupt_id)
                || self.answers.get(&response.interrupt_id) == Some(&response.response)
        };
        if let Some(unknown) = responses.iter().find(|response| !is_known(response)) {
            return Err(UnknownInterrupt(unknown.interrupt_id.clone()));
        }
        self.answers.extend(responses.into_iter().map(|response| (response.interrupt_id, response.response)));
        self.approve();
        Ok(())
    }

    fn approve(&mut self) {
        let answers = &self.answers;
        for call in self.calls.iter_mut().filter(|call| call.result.is_none() && call.status == CallStatus::Open) {
            if !call.interrupts.is_empty() && call.interrupts.iter().all(|asked| answers.contains_key(&asked.id)) {
                call.status = CallStatus::Approved;
            }
        }
    }

    /// Decides about the calls that were approved, when the process that was to make them is gone: a tool that was not
    /// started can still run; the outcome of one that was is unknown, and it runs again only if it is idempotent.
    pub(super) fn reconcile(&mut self, is_idempotent: impl Fn(&str) -> bool) -> Vec<Repair> {
        let mut repairs = Vec::new();
        for call in &mut self.calls {
            let tool_use_id = call.tool_use.tool_use_id.clone();
            match (call.status, &call.result) {
                // Told before, but the results are not in the history yet.
                (CallStatus::Unknown, _) => repairs.push(Repair::OutcomeUnknown { tool_use_id }),
                (_, Some(_)) | (CallStatus::Open, None) => {}
                (CallStatus::Started, None) if !is_idempotent(&call.tool_use.name) => {
                    call.answered(ToolResult::error(&tool_use_id, OUTCOME_UNKNOWN));
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

    /// Gives the calls without a result an error.
    pub(super) fn refuse_open(&mut self, reason: &str) {
        for call in self.calls.iter_mut().filter(|call| call.result.is_none()) {
            let reason = if call.status == CallStatus::Started && self.recorded { OUTCOME_UNKNOWN } else { reason };
            call.answered(ToolResult::error(&call.tool_use.tool_use_id, reason));
        }
    }

    /// Takes the results, in the order in which the model asked.
    pub(super) fn take_results(&mut self) -> Message {
        let results = std::mem::take(&mut self.calls).into_iter().map(|call| {
            let missing = || ToolResult::error(&call.tool_use.tool_use_id, INTERRUPTED);
            ContentBlock::ToolResult(call.result.unwrap_or_else(missing))
        });
        Message::new(Role::User, results)
    }
}
