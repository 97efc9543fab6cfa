//! The tool calls of one turn as the loop makes them: the call of the structured output's tool among them, with a record
//! before each start where humans were asked.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::call_outcome::{Answer, CallOutcome};
use super::output_type::OutputType;
use crate::message::{ToolResult, ToolResultStatus, ToolUse};
use crate::nesting::Budget;
use crate::tool_runner::{CallEnd, EndedCall, ToolCalls};
use crate::{depth, lenient_json};

/// The calls of one turn.
pub(super) struct TurnCalls {
    pub(super) calls: ToolCalls,
    /// Whoever records that a tool is started, before it is.
    pub(super) starts: Option<mpsc::Sender<Start>>,
    pub(super) output: Option<OutputType>,
    /// True if a journal records each call, with what it has spent.
    pub(super) is_journaled: bool,
}

/// A tool is about to be started. It is once this is recorded, and not if the recorder lets go of it.
pub(super) struct Start {
    pub(super) position: usize,
    pub(super) recorded: oneshot::Sender<()>,
}

impl TurnCalls {
    pub(super) fn is_exclusive(&self, name: &str) -> bool {
        self.calls.is_exclusive(name)
    }

    pub(super) async fn call(&self, position: usize, asked: Arc<ToolUse>) -> CallOutcome {
        if self.output.as_ref().is_some_and(|output| output.name() == asked.name) {
            return self.take_output(position, asked);
        }
        let budget = &self.calls.context.scope().budget;
        let part = self.is_journaled.then(|| Arc::new(Budget::part(budget, CancellationToken::new())));
        let starting = || self.record_start(position);
        let ended = self.calls.call(asked, part.as_ref().unwrap_or(budget), starting).await;
        let EndedCall { call, end, is_known: known, duration: took, hook_failure } = ended;
        let answer = match end {
            CallEnd::Result(result) => Answer::Result(result),
            CallEnd::Interrupts(interrupts) => Answer::Interrupts(interrupts),
        };
        let nested = part.map(|part| Box::new(part.spent())).filter(|spent| !spent.is_nothing());
        CallOutcome { position, call, answer, known, took, hook_failure, nested }
    }

    fn take_output(&self, position: usize, call: Arc<ToolUse>) -> CallOutcome {
        let id = call.tool_use_id.clone();
        let read = match &self.output {
            Some(output) => given(&call.input).and_then(|given| output.read(&given)),
            None => Ok(call.input.clone()),
        };
        let answer = match read {
            Ok(output) => {
                let done = ToolResult::new(id, ToolResultStatus::Success, ["The answer was accepted."]);
                Answer::Output(output, done)
            }
            Err(mistake) => {
                let told =
                    format!("The arguments of {} are not valid: {mistake}. Call it again with all of them.", call.name);
                Answer::BadOutput(mistake, ToolResult::error(id, told))
            }
        };
        CallOutcome { position, call, answer, known: false, took: Duration::ZERO, hook_failure: None, nested: None }
    }

    /// Waits until it is recorded that the tool is started. If it can't be, the invocation is about to end, and the call
    /// with it.
    async fn record_start(&self, position: usize) {
        let Some(starts) = &self.starts else { return };
        let (recorded, is_recorded) = oneshot::channel();
        let asked = starts.send(Start { position, recorded }).await.is_ok();
        if !asked || is_recorded.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns the arguments as the model gave them. A string holds the text of arguments that are not valid JSON, or of a JSON
/// string.
fn given(input: &Value) -> Result<Cow<'_, Value>, String> {
    let Some(text) = input.as_str().filter(|text| !text.trim().is_empty()) else { return Ok(Cow::Borrowed(input)) };
    let parsed = lenient_json::from_str(text).map_err(|error| format!("they are not valid JSON: {error}"))?;
    depth::check(&parsed).map(|()| Cow::Owned(parsed)).map_err(|error| format!("it {error}"))
}
