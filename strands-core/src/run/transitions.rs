//! Transitions of a run: the next step, and the inputs that lead to the following one.

use serde_json::Value;

use super::output::OutputTool;
use super::pending_tools::{CallStatus, PendingCall, PendingTools, UnknownInterrupt};
use super::{Phase, Run};
use crate::history::Repair;
use crate::interrupt::{Interrupt, InterruptResponse, InterruptedCall, Suspension};
use crate::message::{Message, ToolResult};
use crate::models::StopReason;
use crate::nesting::Spent;
use crate::usage::Usage;

/// Maximum number of failed attempts at the structured output.
pub(super) const MAX_OUTPUT_ATTEMPTS: u32 = 3;

/// Prompt for a model that ended without the structured output, as in Strands.
const OUTPUT_PROMPT: &str = "You must format the previous response as structured output.";

/// The next step of a run.
#[derive(Debug, PartialEq)]
pub(crate) enum Step<'a> {
    /// Call the model, and force it to call this tool if there is one.
    CallModel { forced_tool: Option<&'a str> },
    /// Run the pending tools.
    RunTools(&'a PendingTools),
    /// The invocation has ended.
    Done(&'a StopReason),
}

/// Error of a model that did not return the structured output in this many attempts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MissingOutput {
    pub(crate) attempts: u32,
}

impl Run {
    /// Returns the next step.
    pub(crate) fn step(&mut self) -> Step<'_> {
        let Spent { turns, usage, unsettled } = self.spent();
        if matches!(self.phase, Phase::Model)
            && let Some(limit) = self.limits.without(unsettled).reached(turns, &usage)
        {
            self.phase = Phase::Done(limit);
        }
        match &self.phase {
            Phase::Model => {
                let output = self.output.as_ref().filter(|output| output.forced);
                Step::CallModel { forced_tool: output.map(|output| output.tool.spec.name.as_str()) }
            }
            Phase::Tools(pending) => Step::RunTools(pending),
            Phase::Done(stop_reason) => Step::Done(stop_reason),
        }
    }

    /// Takes the model's response. Returns the prompt that follows, if the structured output is missing.
    pub(crate) fn model_responded(
        &mut self,
        message: &Message,
        stop_reason: &StopReason,
        usage: Usage,
    ) -> Result<Option<Message>, MissingOutput> {
        self.turns = self.turns.saturating_add(1);
        self.usage.add(usage);
        // A response without calls needs no tools, for any stop reason.
        if *stop_reason == StopReason::ToolUse
            && let Some(pending) = PendingTools::of(message)
        {
            self.phase = Phase::Tools(pending);
            return Ok(None);
        }
        match &mut self.output {
            Some(output) if output.value.is_none() && is_natural_end(stop_reason) => {
                output.attempts += 1;
                if output.attempts > MAX_OUTPUT_ATTEMPTS {
                    return Err(MissingOutput { attempts: MAX_OUTPUT_ATTEMPTS });
                }
                output.forced = true;
                Ok(Some(Message::user(OUTPUT_PROMPT)))
            }
            _ => {
                self.phase = Phase::Done(stop_reason.clone());
                Ok(None)
            }
        }
    }

    /// Sets the result of a call.
    pub(crate) fn set_tool_result(&mut self, position: usize, result: ToolResult) {
        if let Some(pending) = self.pending_mut() {
            pending.set_result(position, result);
        }
    }

    /// Suspends a call, which waits for responses.
    pub(crate) fn suspend_tool(&mut self, position: usize, suspension: Suspension) {
        if let Some(pending) = self.pending_mut() {
            pending.set_suspended(position, suspension);
        }
    }

    /// Leaves a call suspended that could not be resumed.
    pub(crate) fn keep_tool_suspended(&mut self, position: usize) {
        if let Some(pending) = self.pending_mut() {
            pending.keep_suspended(position);
        }
    }

    /// Drops responses that no tool has checked, since the invocation that got them ends.
    pub(crate) fn drop_unchecked_responses(&mut self) {
        if let Some(pending) = self.pending_mut() {
            pending.drop_unchecked_responses();
        }
    }

    pub(crate) fn set_status(&mut self, position: usize, status: CallStatus) {
        if let Some(call) = self.call(position) {
            call.status = status;
        }
    }

    fn call(&mut self, position: usize) -> Option<&mut PendingCall> {
        self.pending_mut()?.calls.get_mut(position)
    }

    /// Requests the structured output with the next response.
    pub(crate) fn force_output(&mut self) {
        if let Some(output) = &mut self.output {
            output.forced = true;
        }
    }

    /// Sets a valid structured output. The first one counts.
    pub(crate) fn set_output_value(&mut self, value: Value) {
        if let Some(output) = &mut self.output {
            output.value.get_or_insert(value);
        }
    }

    /// Counts a structured output that is invalid.
    pub(crate) fn reject_output(&mut self) -> Result<(), MissingOutput> {
        let Some(output) = self.output.as_mut().filter(|output| output.value.is_none()) else { return Ok(()) };
        output.attempts += 1;
        if output.attempts >= MAX_OUTPUT_ATTEMPTS {
            return Err(MissingOutput { attempts: output.attempts });
        }
        Ok(())
    }

    /// Returns the tool whose arguments are the structured output.
    pub(crate) fn output_tool(&self) -> Option<&OutputTool> {
        self.output.as_ref().map(|output| &output.tool)
    }

    pub(crate) fn output(&self) -> Option<&Value> {
        self.output.as_ref()?.value.as_ref()
    }

    /// Takes the results of all calls as a message; `None` while calls are interrupted, or wait behind one that is.
    pub(crate) fn take_tool_results(&mut self) -> Option<Message> {
        if self.pending().is_some_and(|pending| !pending.is_complete()) {
            return None;
        }
        let results = self.pending_mut()?.take_results();
        self.phase = match &self.output {
            Some(output) if output.value.is_some() => Phase::Done(StopReason::EndTurn),
            _ => Phase::Model,
        };
        Some(results)
    }

    /// Returns the pending interrupts.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        self.pending().map(PendingTools::interrupts).unwrap_or_default()
    }

    /// Returns the interrupted calls without a result.
    pub(crate) fn interrupted_calls(&self) -> Vec<InterruptedCall> {
        self.pending().map(PendingTools::interrupted_calls).unwrap_or_default()
    }

    /// Checks that responses are for pending interrupts.
    pub(crate) fn check_responses(&self, responses: &[InterruptResponse]) -> Result<(), UnknownInterrupt> {
        match (self.pending(), responses.first()) {
            (Some(pending), _) => pending.check_responses(responses),
            (None, Some(response)) => Err(UnknownInterrupt(response.interrupt_id.clone())),
            (None, None) => Ok(()),
        }
    }

    /// Takes responses to interrupts. Interrupts without a response stay pending.
    pub(crate) fn resume(&mut self, responses: Vec<InterruptResponse>) -> Result<(), UnknownInterrupt> {
        self.check_responses(&responses)?;
        if let Some(pending) = self.pending_mut() {
            pending.resume(responses);
        }
        Ok(())
    }

    /// Decides about each approved call after the process that made the calls is gone. Returns the decisions.
    pub(crate) fn reconcile(&mut self, is_idempotent: impl Fn(&str) -> bool) -> Vec<Repair> {
        self.pending_mut().map(|pending| pending.reconcile(is_idempotent)).unwrap_or_default()
    }

    /// Sets an error result for each call without a result.
    pub(crate) fn fail_open_calls(&mut self, error: &str) {
        if let Some(pending) = self.pending_mut() {
            pending.fail_open_calls(error);
        }
    }

    /// Ends the invocation. Calls without a result get an error result; returns all results as a message.
    pub(crate) fn end(&mut self, stop_reason: StopReason, error: &str) -> Option<Message> {
        let results = self.pending_mut().map(|pending| {
            pending.fail_open_calls(error);
            pending.take_results()
        });
        self.phase = Phase::Done(stop_reason);
        results
    }
}

fn is_natural_end(stop_reason: &StopReason) -> bool {
    matches!(stop_reason, StopReason::EndTurn | StopReason::StopSequence)
}
