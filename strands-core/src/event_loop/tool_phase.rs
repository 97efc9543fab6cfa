//! Tool phase of a turn: runs the pending calls between the `before_tools` and `after_tools` hooks, and adds their results
//! to the history, exactly one for each call, in the order of the calls.

use std::sync::Arc;

use super::driver::Driver;
use super::finished_call::{CallOutcome, FinishedCall};
use super::stop_signal::StopSignal;
use super::tool_execution::ToolsEnd;
use crate::hook::{AfterTools, BeforeTools};
use crate::message::{Message, Role, ToolResult, ToolUse};
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::run::Run;

/// Error result of a call that was cut off by a stop.
const CANCELLED: &str = "Tool execution cancelled";

/// The results of a turn's calls.
enum Results {
    /// They were added to the history.
    Added(Option<Arc<Message>>),
    /// A call waits for the response to an interrupt.
    Interrupted,
    NoRun,
}

/// A call without a result, by its position in the turn.
pub(super) type OpenCall = (usize, Arc<ToolUse>);

impl Driver<'_> {
    /// Runs the pending tools. Returns [`StopReason::Interrupt`] if a call was interrupted, [`StopReason::ToolUse`] if the
    /// loop continues, and otherwise the reason for which it ends.
    pub(super) async fn run_tools(&mut self, stop: &mut StopSignal) -> Result<StopReason, AgentError> {
        let denied = self.before_tools(stop).await?.or_else(|| self.refused_delegation());
        let mut end = ToolsEnd::default();
        if let Some(reason) = denied {
            for (position, call) in self.open_calls() {
                self.set_tool_result(position, ToolResult::error(&call.tool_use_id, &*reason));
            }
        } else {
            self.ran_tools = true;
            end = self.execute(stop).await;
        }
        let ToolsEnd { stopped, failure } = end;
        if failure.as_ref().is_some_and(|failure| matches!(failure, AgentError::Session(_) | AgentError::Journal(_))) {
            // The calls may be in progress elsewhere, so they get no results here.
            return failure.map_or(Ok(StopReason::ToolUse), Err);
        }
        let output_failure = self.reject_output().map(Box::new);
        let results = match self.add_results(stopped.as_ref()) {
            Results::Added(results) => results,
            Results::Interrupted => return failure.map_or(Ok(StopReason::Interrupt), Err),
            Results::NoRun => return Ok(StopReason::EndTurn),
        };
        if let Some(results) = results {
            self.end_tools(&results, stopped.is_some(), stop).await?;
        }
        let queued = self.work.run.as_mut().map(Run::take_prompt).unwrap_or_default();
        if !queued.is_empty() && stopped.is_none() {
            self.add_prompt(queued);
        }
        match (failure, output_failure) {
            (Some(failure), _) => Err(failure),
            (None, Some(failure)) => Err(*failure),
            (None, None) => Ok(stopped.unwrap_or(StopReason::ToolUse)),
        }
    }

    /// Adds the results of all calls to the history; calls that were cut off get an error result.
    ///
    /// No await in between: a dropped invocation must not separate the calls from their results.
    fn add_results(&mut self, stopped: Option<&StopReason>) -> Results {
        let Some(mut run) = self.work.run.take() else { return Results::NoRun };
        if stopped.is_some() {
            self.work.note_abandoned(&run);
            run.fail_open_calls(CANCELLED);
        }
        let run = self.work.run.insert(run);
        if run.pending().is_some_and(|pending| pending.is_recorded() && pending.is_complete()) {
            let completed = run.clone();
            self.work.prepare_results(&completed);
        }
        let Some(run) = &mut self.work.run else { return Results::NoRun };
        let results = match stopped {
            Some(reason) => run.end(reason.clone(), CANCELLED),
            None => match run.take_tool_results() {
                Some(results) => Some(results),
                None => {
                    if let (Some(pending), Some(calling)) = (run.pending_mut(), self.work.history.messages().last()) {
                        pending.suspend(calling);
                    }
                    return Results::Interrupted;
                }
            },
        };
        Results::Added(results.map(|mut results| {
            self.effects.track(&mut results);
            self.work.history.push(results)
        }))
    }

    /// Returns the calls without a result, including interrupted ones.
    pub(super) fn open_calls(&self) -> Vec<OpenCall> {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        let calls = pending.into_iter().flat_map(|pending| pending.calls.iter().enumerate());
        let open = calls.filter(|(_, call)| call.result.is_none());
        open.map(|(position, call)| (position, Arc::clone(&call.tool_use))).collect()
    }

    async fn before_tools(&mut self, stop: &mut StopSignal) -> Result<Option<String>, AgentError> {
        if self.work.config.hooks().is_empty() {
            return Ok(None);
        }
        self.update_context();
        let contexts = self.event_contexts();
        let Some(message) = self.work.history.messages().last() else { return Ok(None) };
        let mut event = BeforeTools { context: &self.context, message, deny: None };
        match self.call_hooks(&mut event, contexts.as_deref(), stop).await?.failure {
            Some(failure) => Err(failure),
            None => Ok(event.deny),
        }
    }

    /// Returns true if a call has no result. In a replay, a call of a later batch may have ended earlier.
    pub(super) fn is_open(&self, position: usize) -> bool {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        pending.and_then(|pending| pending.calls.get(position)).is_some_and(|call| call.result.is_none())
    }

    /// Returns true if a call waits for the response to an interrupt.
    pub(super) fn waits(&self, position: usize) -> bool {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        pending.is_some_and(|pending| pending.calls.get(position).is_some_and(|call| pending.waits(call)))
    }

    /// Adds the outcome of a call to the run and the metrics.
    pub(super) fn take_outcome(&mut self, outcome: FinishedCall, failure: &mut Option<AgentError>) {
        let FinishedCall { position, call, outcome, is_known, duration, hook_failure, nested: _, state: _ } = outcome;
        if failure.is_none() {
            *failure = hook_failure.map(|failure| *failure);
        }
        match outcome {
            CallOutcome::Result(result) => {
                if is_known {
                    self.metrics().add_tool_call(&call, !result.is_error(), duration);
                    self.note_delegation(&call);
                }
                self.set_tool_result(position, result);
            }
            CallOutcome::Output(output) => {
                let (value, result) = *output;
                if let Some(run) = &mut self.work.run {
                    run.set_output_value(value);
                }
                self.set_tool_result(position, result);
            }
            CallOutcome::InvalidOutput(output) => {
                let (error, result) = *output;
                self.output.set_error(error);
                self.set_tool_result(position, result);
            }
            CallOutcome::StillSuspended(None) => {
                if let Some(run) = &mut self.work.run {
                    run.keep_tool_suspended(position);
                }
            }
            CallOutcome::Suspended(suspension) | CallOutcome::StillSuspended(Some(suspension)) => {
                if let Some(run) = &mut self.work.run {
                    run.suspend_tool(position, suspension);
                }
            }
        }
    }

    fn set_tool_result(&mut self, position: usize, result: ToolResult) {
        if let Some(run) = &mut self.work.run {
            run.set_tool_result(position, result);
        }
    }

    /// Counts a structured output that did not fit its type. Returns an error after too many.
    fn reject_output(&mut self) -> Option<AgentError> {
        if !self.output.take_new_error() {
            return None;
        }
        let refused = self.work.run.as_mut()?.reject_output();
        refused.err().map(|missing| self.no_output(&missing))
    }

    /// Calls `after_tools` hooks and announces the results.
    async fn end_tools(
        &mut self,
        results: &Arc<Message>,
        stopped: bool,
        stop: &mut StopSignal,
    ) -> Result<(), AgentError> {
        let (mut failure, mut end_turn) = (None, None);
        if !self.work.config.hooks().is_empty() {
            self.update_context();
            let contexts = self.event_contexts();
            let mut event = AfterTools { context: &self.context, results, end_turn: None };
            failure = self.call_hooks(&mut event, contexts.as_deref(), stop).await?.failure;
            end_turn = event.end_turn;
        }
        // A prompt queued behind the results still needs a response.
        let has_prompt = self.work.run.as_ref().is_some_and(Run::has_prompt);
        let end_turn = end_turn.filter(|_| !stopped && !has_prompt);
        self.announce(results, stop).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let delegated = self.delegated_response(results);
        let response = match end_turn {
            Some(text) => Some(Message::new(Role::Assistant, [text])),
            None if stopped || has_prompt => None,
            None => delegated.map(|(call, response)| {
                self.ended_by = Some(call);
                response
            }),
        };
        if let Some(response) = response {
            Box::pin(self.end_with(response, stop)).await?;
        }
        Ok(())
    }
}
