//! One tool call: hooks, consent, arguments, time and panics, until there is exactly one result.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::call_outcome::{Answer, CallOutcome};
use super::effects::Effects;
use super::nesting;
use super::output_type::OutputType;
use crate::depth;
use crate::hook::{AfterToolCall, BeforeToolCall};
use crate::interrupt::{Interrupt, consents};
use crate::message::{ToolResult, ToolResultStatus, ToolUse};
use crate::outcome::AgentError;
use crate::state::AgentState;
use crate::tool::{
    CallToken, ContextParts, HostValues, RunningCall, Tool, ToolError, ToolEvent, ToolOutput, check_schema,
};
use crate::working_set::AgentConfig;

/// How often hooks may have one call made again.
const MAX_HOOK_RETRIES: u32 = 8;

/// What the calls of one turn share.
pub(super) struct ToolCalls<'a> {
    pub(super) config: Arc<AgentConfig>,
    /// Nesting depth of the invocation, one-based.
    pub(super) depth: usize,
    pub(super) effects: Effects<'a>,
    pub(super) state: AgentState,
    pub(super) host: HostValues,
    pub(super) cancellation: CancellationToken,
    pub(super) answers: Arc<BTreeMap<String, Value>>,
    pub(super) events: Option<mpsc::Sender<ToolEvent>>,
    /// Whoever records that a tool is started, before it is.
    pub(super) starts: Option<mpsc::Sender<Start>>,
    pub(super) output: Option<OutputType>,
}

/// A tool is about to be started. It is once this is recorded, and not if the recorder lets go of it.
pub(super) struct Start {
    pub(super) position: usize,
    pub(super) recorded: oneshot::Sender<()>,
}

/// A call that went ahead or was refused.
enum Performed {
    Done(Result<ToolOutput, ToolError>),
    Interrupted(Vec<Interrupt>),
}

impl ToolCalls<'_> {
    pub(super) fn is_exclusive(&self, name: &str) -> bool {
        self.config.tools.get(name).is_some_and(|tool| tool.policy().exclusive)
    }

    pub(super) async fn call(&self, position: usize, asked: Arc<ToolUse>) -> CallOutcome {
        if self.output.as_ref().is_some_and(|output| output.name() == asked.name) {
            return self.take_output(position, asked);
        }
        let began = self.effects.now();
        let mut outcome = CallOutcome {
            position,
            call: Arc::clone(&asked),
            answer: Answer::Interrupts(Vec::new()),
            known: false,
            took: Duration::ZERO,
            hook_failure: None,
        };
        let mut retries = 0;
        loop {
            let (call, tool, denied) = match self.before(&asked).await {
                Ok(Ok(ready)) => ready,
                Ok(Err(interrupts)) => {
                    outcome.answer = Answer::Interrupts(interrupts);
                    return outcome;
                }
                Err(failure) => {
                    outcome.hook_failure = Some(failure);
                    outcome.answer =
                        Answer::Result(ToolResult::error(&asked.tool_use_id, "a check before the tool failed"));
                    return outcome;
                }
            };
            outcome.known = tool.is_some();
            outcome.call = Arc::clone(&call);
            let performed = match denied {
                Some(reason) => Performed::Done(Err(ToolError::new(reason))),
                None => self.perform(position, &call, tool.as_ref()).await,
            };
            let (mut result, error) = match performed {
                Performed::Interrupted(interrupts) => {
                    outcome.answer = Answer::Interrupts(interrupts);
                    return outcome;
                }
                Performed::Done(Ok(output)) => (output.into_result(&asked.tool_use_id), None),
                Performed::Done(Err(error)) => {
                    (ToolResult::error(&asked.tool_use_id, self.text_for_model(&error)), Some(error))
                }
            };
            outcome.took = self.effects.since(began);
            let retry = self.after(&call, &mut result, error.as_ref(), &mut outcome).await;
            // Whatever a hook made of it, the result answers this call.
            result.tool_use_id.clone_from(&asked.tool_use_id);
            if let Err(too_deep) = depth::check_result(&result) {
                result = ToolResult::error(&asked.tool_use_id, format!("the result of the tool {too_deep}"));
            }
            if retry && retries < MAX_HOOK_RETRIES && outcome.hook_failure.is_none() {
                retries += 1;
                continue;
            }
            self.tell(|| ToolEvent::End {
                tool_use: Arc::clone(&call),
                result: result.clone(),
                duration: outcome.took,
            })
            .await;
            outcome.answer = Answer::Result(result);
            return outcome;
        }
    }

    async fn before(&self, asked: &Arc<ToolUse>) -> Result<Result<Ready, Vec<Interrupt>>, AgentError> {
        let tool_named = |name: &str| self.config.tools.get(name).cloned();
        if self.config.hooks.is_empty() {
            return Ok(Ok((Arc::clone(asked), tool_named(&asked.name), None)));
        }
        let mut call = ToolUse::clone(asked);
        let mut interrupts = Vec::new();
        let mut event = BeforeToolCall {
            state: &self.state,
            tool_use: &mut call,
            tool: None,
            deny: None,
            answers: &self.answers,
            interrupts: &mut interrupts,
        };
        for hook in &self.config.hooks {
            nesting::inside(self.depth, hook.before_tool_call(&mut event))
                .await
                .map_err(AgentError::in_hook("before_tool_call"))?;
        }
        let (swapped, deny) = (event.tool, event.deny);
        call.tool_use_id.clone_from(&asked.tool_use_id);
        if deny.is_none() && !interrupts.is_empty() {
            return Ok(Err(interrupts));
        }
        let tool = swapped.or_else(|| tool_named(&call.name));
        Ok(Ok((Arc::new(call), tool, deny)))
    }

    async fn after(
        &self,
        call: &ToolUse,
        result: &mut ToolResult,
        error: Option<&ToolError>,
        outcome: &mut CallOutcome,
    ) -> bool {
        let error = error.map(|error| error as &(dyn StdError + Send + Sync));
        let mut event =
            AfterToolCall { state: &self.state, tool_use: call, result, error, duration: outcome.took, retry: false };
        for hook in self.config.hooks.iter().rev() {
            if let Err(failure) = nesting::inside(self.depth, hook.after_tool_call(&mut event)).await {
                outcome.hook_failure = Some(AgentError::in_hook("after_tool_call")(failure));
                return false;
            }
        }
        event.retry
    }

    async fn perform(&self, position: usize, call: &Arc<ToolUse>, tool: Option<&Arc<dyn Tool>>) -> Performed {
        let Some(tool) = tool else { return Performed::Done(Err(self.unknown(&call.name))) };
        let input = match arguments(&call.input, &**tool) {
            Ok(input) => input,
            Err(mistake) => return Performed::Done(Err(ToolError::invalid_input(mistake))),
        };
        match self.consent(call, &**tool) {
            Consent::Given => {}
            Consent::Refused => return Performed::Done(Err(ToolError::new("the user did not approve this call"))),
            Consent::Asked(question) => return Performed::Interrupted(vec![question]),
        }
        self.record_start(position).await;
        self.tell(|| ToolEvent::Start { tool_use: Arc::clone(call) }).await;
        let ctx = RunningCall::new(ContextParts {
            tool_use: Arc::clone(call),
            host: self.host.clone(),
            state: self.state.clone(),
            cancellation: CallToken::of(&self.cancellation),
            progress: self.events.clone(),
            answers: Arc::clone(&self.answers),
        });
        // A tool may panic while it makes its future, too.
        let running = nesting::inside(self.depth, async { tool.call(ctx.context(), input).await });
        let running = AssertUnwindSafe(running).catch_unwind();
        let done = match tool.policy().timeout.or(self.config.tool_timeout) {
            Some(timeout) => match tokio::time::timeout(timeout, running).await {
                Ok(done) => done,
                Err(_) => Ok(Err(ToolError::new(format!("tool `{}` did not answer within {timeout:?}", call.name)))),
            },
            None => running.await,
        };
        match done {
            Ok(Err(error)) => match error.as_interrupt() {
                Some(question) => Performed::Interrupted(vec![question.clone()]),
                None => Performed::Done(Err(error)),
            },
            Ok(done) => Performed::Done(done),
            Err(panic) => Performed::Done(Err(panicked(&call.name, &*panic))),
        }
    }

    fn unknown(&self, name: &str) -> ToolError {
        let known: Vec<_> = self.config.tools.iter().map(|tool| tool.spec().name.as_str()).collect();
        ToolError::new(format!("Unknown tool: {name}. The tools are: {}", known.join(", ")))
    }

    fn consent(&self, call: &ToolUse, tool: &dyn Tool) -> Consent {
        let is_needed = tool.policy().approval;
        if !is_needed && self.answers.is_empty() {
            return Consent::Given;
        }
        // The arguments are part of the question: consent to one call can't be used for another.
        let id = Interrupt::before_tool_call_id(&call.tool_use_id, &format!("approval:{}:{}", call.name, call.input));
        match self.answers.get(&id) {
            Some(answer) if consents(answer) => Consent::Given,
            // Also if the tool's policy asks no longer.
            Some(_) => Consent::Refused,
            None if !is_needed => Consent::Given,
            None => {
                let reason = json!({"tool": call.name, "input": call.input});
                Consent::Asked(Interrupt::new(id, "approval", reason))
            }
        }
    }

    fn text_for_model(&self, error: &ToolError) -> String {
        if self.config.redact_tool_errors && !error.is_explicit() {
            "the tool failed".to_owned()
        } else {
            error.to_string()
        }
    }

    fn take_output(&self, position: usize, call: Arc<ToolUse>) -> CallOutcome {
        let id = call.tool_use_id.clone();
        let read = match &self.output {
            Some(output) => output.read(&call.input),
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
        CallOutcome { position, call, answer, known: false, took: Duration::ZERO, hook_failure: None }
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

    async fn tell(&self, event: impl FnOnce() -> ToolEvent) {
        if let Some(events) = &self.events {
            // The driver listens for as long as a call runs.
            let _ = events.send(event()).await;
        }
    }
}

/// A call that hooks have let through, its tool where there is one, and why it was denied where it was.
type Ready = (Arc<ToolUse>, Option<Arc<dyn Tool>>, Option<String>);

enum Consent {
    Given,
    Refused,
    Asked(Interrupt),
}

/// The arguments as an object that fits the tool's schema, or what is wrong with them.
fn arguments(input: &Value, tool: &dyn Tool) -> Result<Value, String> {
    let input = match input {
        Value::Object(_) => input.clone(),
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Value::String(text) => {
            let why = match serde_json::from_str::<Value>(text) {
                Ok(parsed) => match depth::check(&parsed) {
                    Ok(()) => "they are a string".to_owned(),
                    Err(too_deep) => format!("it {too_deep}"),
                },
                Err(error) => error.to_string(),
            };
            return Err(format!("the arguments are not a valid JSON object: {why}"));
        }
        _ => return Err(format!("the arguments must be a JSON object, not {input}")),
    };
    if !tool.checks_input() {
        check_schema(&tool.spec().input_schema, &input)?;
    }
    Ok(input)
}

fn panicked(tool: &str, panic: &(dyn Any + Send)) -> ToolError {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = format!("tool `{tool}` panicked: {}", words.unwrap_or("no reason given"));
    ToolError::from_source(text)
}
