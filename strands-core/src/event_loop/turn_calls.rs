//! Tool calls of one turn in the loop: they include the call of the structured output's tool, and are recorded before they
//! start if the turn had interrupts.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::finished_call::{CallOutcome, FinishedCall};
use crate::message::{ToolResult, ToolResultStatus, ToolUse};
use crate::nesting::Budget;
use crate::output_type::OutputType;
use crate::tool_runner::{CallEnd, EndedCall, ToolCalls};
use crate::{depth, lenient_json};

/// The calls of one turn.
pub(super) struct TurnCalls {
    pub(super) calls: ToolCalls,
    /// Channel to the recorder of starts, which records each start before the tool is called.
    pub(super) starts: Option<mpsc::Sender<Start>>,
    pub(super) output: Option<OutputType>,
    /// True if a journal records each call with its usage.
    pub(super) is_journaled: bool,
}

/// Request to start a tool. The tool starts once this is recorded, and never if the recorder drops it.
pub(super) struct Start {
    pub(super) position: usize,
    recorded: oneshot::Sender<()>,
}

impl Start {
    /// Lets the tool start.
    pub(super) fn allow(self) {
        // The call may have been dropped.
        let _ = self.recorded.send(());
    }
}

impl TurnCalls {
    pub(super) fn is_exclusive(&self, name: &str) -> bool {
        self.calls.is_exclusive(name)
    }

    pub(super) fn is_idempotent(&self, name: &str) -> bool {
        self.calls.is_idempotent(name)
    }

    pub(super) async fn call(&self, position: usize, call: Arc<ToolUse>) -> FinishedCall {
        if self.output.as_ref().is_some_and(|output| output.name() == call.name) {
            return self.take_output(position, call);
        }
        let budget = &self.calls.context.scope().budget;
        let part = self.is_journaled.then(|| Arc::new(Budget::part(budget, CancellationToken::new())));
        let starting = || self.record_start(position);
        if let Some(part) = part {
            return Box::pin(self.call_with_journal(position, call, part, starting)).await;
        }
        let ended = self.calls.call(call, budget, starting).await;
        finished(position, ended)
    }

    /// Makes a call, and notes its part of the usage and of the changes to the agent's state.
    async fn call_with_journal<F: Future<Output = ()>>(
        &self,
        position: usize,
        call: Arc<ToolUse>,
        part: Arc<Budget>,
        starting: impl Fn() -> F,
    ) -> FinishedCall {
        let state = self.calls.context.state().noting_changes();
        let calls = self.calls.with_state(state.clone());
        let ended = calls.call(call, &part, starting).await;
        let spent = part.spent();
        FinishedCall {
            nested: (!spent.is_nothing()).then(|| Box::new(spent)),
            state: state.own_changes().map(Box::new),
            ..finished(position, ended)
        }
    }

    fn take_output(&self, position: usize, call: Arc<ToolUse>) -> FinishedCall {
        let id = call.tool_use_id.clone();
        let read = match &self.output {
            Some(output) => parsed(&call.input).and_then(|input| output.read(&input)),
            None => Ok(call.input.clone()),
        };
        let outcome = match read {
            Ok(output) => {
                let done = ToolResult::new(id, ToolResultStatus::Success, ["The output was accepted."]);
                CallOutcome::Output(Box::new((output, done)))
            }
            Err(error) => {
                let text =
                    format!("The arguments of {} are not valid: {error}. Call it again with all of them.", call.name);
                CallOutcome::InvalidOutput(Box::new((error, ToolResult::error(id, text))))
            }
        };
        FinishedCall::new(position, call, outcome)
    }

    /// Waits until the start of the tool is recorded. If that fails, the invocation is about to end, and drops the call.
    async fn record_start(&self, position: usize) {
        let Some(starts) = &self.starts else { return };
        let (recorded, is_recorded) = oneshot::channel();
        let is_sent = starts.send(Start { position, recorded }).await.is_ok();
        if !is_sent || is_recorded.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns the outcome of a call that has ended.
fn finished(position: usize, ended: EndedCall) -> FinishedCall {
    let EndedCall { call, end, is_known, duration, hook_failure } = ended;
    let outcome = match end {
        CallEnd::Result(result) => CallOutcome::Result(result),
        CallEnd::Suspended(suspension) => CallOutcome::Suspended(suspension),
        CallEnd::StillSuspended(suspension) => CallOutcome::StillSuspended(suspension),
    };
    FinishedCall { is_known, duration, hook_failure, ..FinishedCall::new(position, call, outcome) }
}

/// Returns the arguments as JSON. A string holds the text of arguments that are not valid JSON, or of a JSON string.
fn parsed(input: &Value) -> Result<Cow<'_, Value>, String> {
    let Some(text) = input.as_str().filter(|text| !text.trim().is_empty()) else { return Ok(Cow::Borrowed(input)) };
    let parsed = lenient_json::from_str(text).map_err(|error| format!("they are not valid JSON: {error}"))?;
    depth::check(&parsed).map(|()| Cow::Owned(parsed)).map_err(|error| format!("it {error}"))
}
