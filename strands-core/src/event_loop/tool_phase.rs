//! The tools of one turn: beside each other up to the agent's cap, each answered exactly once, in the order of the calls.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::driver::{Driver, Stop, failed};
use super::run::{Run, Step};
use super::tool_call::{Answer, CallOutcome, ToolCalls};
use crate::agent::{AgentError, AgentEvent};
use crate::hook::{AfterTools, BeforeTools};
use crate::message::{Message, Role, ToolResult, ToolUse};
use crate::model::StopReason;

/// How many events tools may be ahead of the listener.
const EVENTS_AHEAD: usize = 64;

/// What a call is answered that was cut short.
const CANCELLED: &str = "Tool execution cancelled";

impl Driver<'_> {
    /// Runs the tools that the state machine waits for. Returns [`StopReason::Interrupt`] when a human is asked,
    /// [`StopReason::ToolUse`] when the loop goes on, and otherwise why it ends.
    pub(super) async fn run_tools(&mut self, stop: Stop<'_>) -> Result<StopReason, AgentError> {
        let calls = self.open_calls();
        let denied = self.before_tools().await?;
        let mut hook_failure = None;
        let mut stopped = None;
        if let Some(reason) = denied {
            for (position, call) in calls {
                self.answered(position, ToolResult::error(&call.tool_use_id, &*reason));
            }
        } else {
            self.ran_tools = true;
            (stopped, hook_failure) = self.perform(&calls, stop).await;
        }
        let output_failure = self.refused_output();
        let Some(run) = &mut self.agent.run else { return Ok(StopReason::EndTurn) };
        let results = match &stopped {
            Some(reason) => run.end(reason.clone(), CANCELLED),
            None => match run.tools_answered() {
                Some(results) => Some(results),
                None => return hook_failure.map_or(Ok(StopReason::Interrupt), Err),
            },
        };
        if let Some(results) = results {
            // Nothing waits in between: whoever drops the invocation can't part the calls from their results.
            let results = self.agent.history.push(results);
            self.end_tools(&results, stopped.is_some()).await?;
        }
        match (hook_failure, output_failure) {
            (Some(failure), _) | (None, Some(failure)) => Err(failure),
            (None, None) => Ok(stopped.unwrap_or(StopReason::ToolUse)),
        }
    }

    fn open_calls(&mut self) -> Vec<(usize, Arc<ToolUse>)> {
        match self.agent.run.as_mut().map(Run::step) {
            Some(Step::RunTools(pending)) => {
                let calls = pending.calls.iter().enumerate().filter(|(_, call)| call.result.is_none());
                calls.map(|(position, call)| (position, Arc::clone(&call.tool_use))).collect()
            }
            _ => Vec::new(),
        }
    }

    async fn before_tools(&self) -> Result<Option<String>, AgentError> {
        let Some(message) = self.agent.history.messages().last() else { return Ok(None) };
        let mut event = BeforeTools { state: &self.agent.state, message, deny: None };
        for hook in &self.agent.shared.hooks {
            hook.before_tools(&mut event).await.map_err(failed("before_tools"))?;
        }
        Ok(event.deny)
    }

    /// Calls the tools. Returns why they were stopped, and the first failure of a hook.
    async fn perform(
        &mut self,
        calls: &[(usize, Arc<ToolUse>)],
        mut stop: Stop<'_>,
    ) -> (Option<StopReason>, Option<AgentError>) {
        let listening = !self.emitter.is_silent();
        let (events, mut heard) = listening.then(|| mpsc::channel(EVENTS_AHEAD)).unzip();
        let answers = match self.agent.run.as_mut().map(Run::step) {
            Some(Step::RunTools(pending)) => Arc::new(pending.answers().clone()),
            _ => Arc::default(),
        };
        let tools = ToolCalls {
            shared: Arc::clone(&self.agent.shared),
            state: self.agent.state.clone(),
            host: self.host.clone(),
            cancellation: self.cancellation.clone(),
            answers,
            events,
            output_tool: self.agent.run.as_ref().and_then(Run::output_tool).map(str::to_owned),
            output: self.output.kind.clone(),
        };
        let beside = |call: &(usize, Arc<ToolUse>)| !tools.is_exclusive(&call.1.name);
        let mut failure = None;
        for batch in calls.chunk_by(|call, next| beside(call) && beside(next)) {
            let running = match batch {
                // Most turns call one tool, which needs nothing to run beside others.
                [(position, call)] => stream::once(tools.call(*position, Arc::clone(call))).left_stream(),
                _ => stream::iter(batch.to_vec())
                    .map(|(position, call)| tools.call(position, call))
                    .buffer_unordered(self.agent.shared.tool_concurrency)
                    .right_stream(),
            };
            let mut running = std::pin::pin!(running);
            loop {
                tokio::select! {
                    biased;
                    reason = stop.as_mut() => return (Some(reason), failure),
                    // In front of the events: a task that a tool left behind may send those without end.
                    outcome = running.next() => match outcome {
                        Some(outcome) => self.take_outcome(outcome, &mut failure),
                        None => break,
                    },
                    event = hear(&mut heard), if listening => self.emitter.emit(|| event).await,
                }
            }
            for _ in 0..EVENTS_AHEAD {
                let Some(Ok(event)) = heard.as_mut().map(mpsc::Receiver::try_recv) else { break };
                self.emitter.emit(|| event).await;
            }
        }
        (None, failure)
    }

    fn take_outcome(&mut self, outcome: CallOutcome, failure: &mut Option<AgentError>) {
        let CallOutcome { position, call, answer, known, took, hook_failure } = outcome;
        if failure.is_none() {
            *failure = hook_failure;
        }
        match answer {
            Answer::Result(result) => {
                if known {
                    self.metrics().add_tool_call(&call, !result.is_error(), took);
                }
                self.answered(position, result);
            }
            Answer::Output(value, result) => {
                if let Some(run) = &mut self.agent.run {
                    run.output_given(value);
                }
                self.answered(position, result);
            }
            Answer::BadOutput(mistake, result) => {
                self.output.mistaken(mistake);
                self.answered(position, result);
            }
            Answer::Interrupts(interrupts) => {
                if let Some(run) = &mut self.agent.run {
                    run.tool_interrupted(position, interrupts);
                }
            }
        }
    }

    fn answered(&mut self, position: usize, result: ToolResult) {
        if let Some(run) = &mut self.agent.run {
            run.tool_answered(position, result);
        }
    }

    /// Counts a typed output that did not fit its type; too many end the invocation.
    fn refused_output(&mut self) -> Option<AgentError> {
        if !self.output.take_mistaken() {
            return None;
        }
        let refused = self.agent.run.as_mut()?.output_refused();
        refused.err().map(|not_given| self.no_output(&not_given))
    }

    async fn end_tools(&mut self, results: &Arc<Message>, stopped: bool) -> Result<(), AgentError> {
        let mut event = AfterTools { state: &self.agent.state, results, end_turn: None };
        let mut failure = None;
        for hook in self.agent.shared.hooks.iter().rev() {
            if let Err(error) = hook.after_tools(&mut event).await {
                failure = Some(failed("after_tools")(error));
                break;
            }
        }
        let end_turn = event.end_turn.filter(|_| !stopped);
        self.added(results).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(answer) = end_turn {
            self.end_with(Message::new(Role::Assistant, [answer])).await?;
        }
        Ok(())
    }
}

/// The next event of a tool; none ever comes where nobody listens.
async fn hear(events: &mut Option<mpsc::Receiver<AgentEvent>>) -> AgentEvent {
    match events {
        Some(events) => match events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
