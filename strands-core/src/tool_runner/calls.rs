//! Execution of tool calls: hooks, consent, arguments, timeout and panics, until each has exactly one result.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::arguments::validated;
use super::consent::Consent;
use crate::depth;
use crate::diagnostics;
use crate::hook::{AfterToolCall, BeforeToolCall, Hook, HookContext, MAX_RETRIES};
use crate::interrupt::Interrupt;
use crate::message::{ToolResult, ToolUse};
use crate::nesting::{self, Budget};
use crate::outcome::AgentError;
use crate::schema_validation::quoting;
use crate::tool::{ContextParts, RunningCall, Tool, ToolError, ToolEvent, ToolOutput, ToolSet};

/// Characters of the name of a tool that nobody has. Names that are valid have 64.
const MAX_NAME: usize = 80;

/// Tools that are named to a model that called one that nobody has.
const MAX_LISTED: usize = 100;

/// Settings of all tool calls of an agent or a runner.
#[derive(Clone, Default)]
pub(crate) struct CallSettings {
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
    pub(crate) tool_timeout: Option<Duration>,
    pub(crate) redact_tool_errors: bool,
}

/// State that the calls of one turn share.
pub(crate) struct ToolCalls {
    pub(crate) settings: Arc<CallSettings>,
    /// The tools that may be called.
    pub(crate) tools: ToolSet,
    pub(crate) context: HookContext,
    /// The answers of humans, by interrupt id.
    pub(crate) answers: Arc<BTreeMap<String, Value>>,
    /// `None` when nobody listens.
    pub(crate) events: Option<mpsc::Sender<ToolEvent>>,
}

/// The end of a call.
pub(crate) struct EndedCall {
    /// The call as hooks have left it.
    pub(crate) call: Arc<ToolUse>,
    pub(crate) end: CallEnd,
    /// True for a tool that exists.
    pub(crate) is_known: bool,
    pub(crate) duration: Duration,
    pub(crate) hook_failure: Option<Box<AgentError>>,
}

pub(crate) enum CallEnd {
    Result(ToolResult),
    Interrupts(Vec<Interrupt>),
}

/// A call that went ahead or was refused.
enum Performed {
    Done(ToolOutput),
    /// With the cause, for operators.
    Failed(ToolError, &'static str),
    Interrupted(Vec<Interrupt>),
}

impl ToolCalls {
    pub(crate) fn is_exclusive(&self, name: &str) -> bool {
        self.tools.get(name).is_some_and(|tool| tool.policy().exclusive)
    }

    /// Makes a call, whose nested agents spend from a budget. `starting` is awaited right before the tool is called.
    pub(crate) async fn call<F: Future<Output = ()>>(
        &self,
        asked: Arc<ToolUse>,
        budget: &Arc<Budget>,
        starting: impl Fn() -> F,
    ) -> EndedCall {
        let began = Instant::now();
        let mut ended = EndedCall {
            call: Arc::clone(&asked),
            end: CallEnd::Interrupts(Vec::new()),
            is_known: false,
            duration: Duration::ZERO,
            hook_failure: None,
        };
        let mut retries = 0;
        loop {
            let (call, tool, denied) = match self.before(&asked, budget).await {
                Ok(Ok(ready)) => ready,
                Ok(Err(interrupts)) => {
                    ended.end = CallEnd::Interrupts(interrupts);
                    return ended;
                }
                Err(failure) => {
                    ended.hook_failure = Some(Box::new(failure));
                    ended.end =
                        CallEnd::Result(ToolResult::error(&asked.tool_use_id, "a check before the tool failed"));
                    return ended;
                }
            };
            ended.is_known = tool.is_some();
            ended.call = Arc::clone(&call);
            let performed = match denied {
                Some(reason) => Performed::Failed(ToolError::new(reason), "denied"),
                None => self.perform(&call, tool.as_ref(), budget, &starting).await,
            };
            let (mut result, error) = match performed {
                Performed::Interrupted(interrupts) => {
                    ended.end = CallEnd::Interrupts(interrupts);
                    return ended;
                }
                Performed::Done(output) => (output.into_result(&asked.tool_use_id), None),
                Performed::Failed(error, cause) => {
                    // The name of a tool that nobody has is the model's text.
                    let name = if ended.is_known { call.name.as_str() } else { "unknown" };
                    diagnostics::tool_failed(self.context.scope(), name, &call.tool_use_id, cause);
                    (ToolResult::error(&asked.tool_use_id, self.text_for_model(&error)), Some(error))
                }
            };
            ended.duration = began.elapsed();
            let retry = self.after(&mut result, error.as_ref(), &mut ended, budget).await;
            // Whatever a hook made of it, the result is that of this call.
            result.tool_use_id.clone_from(&asked.tool_use_id);
            if let Err(too_deep) = depth::check_result(&result) {
                result = ToolResult::error(&asked.tool_use_id, format!("the result of the tool {too_deep}"));
            }
            if retry && retries < MAX_RETRIES && ended.hook_failure.is_none() {
                retries += 1;
                continue;
            }
            self.tell(|| ToolEvent::End {
                tool_use: Arc::clone(&call),
                result: result.clone(),
                duration: ended.duration,
            })
            .await;
            ended.end = CallEnd::Result(result);
            return ended;
        }
    }

    async fn before(
        &self,
        asked: &Arc<ToolUse>,
        budget: &Arc<Budget>,
    ) -> Result<Result<Ready, Vec<Interrupt>>, AgentError> {
        let tool_named = |name: &str| self.tools.get(name).cloned();
        if self.settings.hooks.is_empty() {
            return Ok(Ok((Arc::clone(asked), tool_named(&asked.name), None)));
        }
        let mut call = ToolUse::clone(asked);
        let mut interrupts = Vec::new();
        let mut event = BeforeToolCall {
            context: &self.context,
            tool_use: &mut call,
            tool: None,
            deny: None,
            answers: &self.answers,
            interrupts: &mut interrupts,
        };
        for hook in &self.settings.hooks {
            nesting::inside(budget, hook.before_tool_call(&mut event))
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

    /// Returns true if a hook wants the call to be made again.
    async fn after(
        &self,
        result: &mut ToolResult,
        error: Option<&ToolError>,
        ended: &mut EndedCall,
        budget: &Arc<Budget>,
    ) -> bool {
        if self.settings.hooks.is_empty() {
            return false;
        }
        let mut event = AfterToolCall {
            context: &self.context,
            tool_use: &ended.call,
            result,
            error: error.map(|error| error as &(dyn StdError + Send + Sync)),
            duration: ended.duration,
            retry: false,
        };
        for hook in self.settings.hooks.iter().rev() {
            if let Err(failure) = nesting::inside(budget, hook.after_tool_call(&mut event)).await {
                ended.hook_failure = Some(Box::new(AgentError::in_hook("after_tool_call")(failure)));
                return false;
            }
        }
        event.retry
    }

    async fn perform<F: Future<Output = ()>>(
        &self,
        call: &Arc<ToolUse>,
        tool: Option<&Arc<dyn Tool>>,
        budget: &Arc<Budget>,
        starting: &impl Fn() -> F,
    ) -> Performed {
        let Some(tool) = tool else { return Performed::Failed(self.unknown(&call.name), "unknown_tool") };
        let input = match validated(&call.input, tool, &self.tools) {
            Ok(input) => input,
            Err(mistake) => return Performed::Failed(ToolError::invalid_input(mistake), "invalid_input"),
        };
        match Consent::to(call, &**tool, &self.answers) {
            Consent::Given => {}
            Consent::Refused => {
                return Performed::Failed(ToolError::new("the user did not approve this call"), "not_approved");
            }
            Consent::Asked(question) => return Performed::Interrupted(vec![question]),
        }
        starting().await;
        self.tell(|| ToolEvent::Start { tool_use: Arc::clone(call) }).await;
        let scope = self.context.scope();
        let ctx = RunningCall::new(ContextParts {
            tool_use: Arc::clone(call),
            scope: Arc::clone(scope),
            budget: Arc::clone(budget),
            cancellation: OnceLock::new(),
            progress: self.events.clone(),
            responses: Arc::clone(&self.answers),
        });
        // A tool may panic while it makes its future, too.
        let running = nesting::inside(budget, async { tool.call(ctx.context(), input).await });
        let running = AssertUnwindSafe(running).catch_unwind();
        let done = match tool.policy().timeout.or(self.settings.tool_timeout) {
            Some(timeout) => match tokio::time::timeout(timeout, running).await {
                Ok(done) => done,
                Err(_) => {
                    let error = ToolError::new(format!("tool `{}` did not answer within {timeout:?}", call.name));
                    return Performed::Failed(error, "timeout");
                }
            },
            None => running.await,
        };
        match done {
            Ok(Ok(output)) => Performed::Done(output),
            Ok(Err(error)) => match error.as_interrupt() {
                Some(question) => Performed::Interrupted(vec![question.clone()]),
                None if error.is_invalid_input() => Performed::Failed(error, "invalid_input"),
                None => Performed::Failed(error, "error"),
            },
            Err(panic) => Performed::Failed(panicked(&call.name, &*panic), "panic"),
        }
    }

    fn unknown(&self, name: &str) -> ToolError {
        // Both are text of a model or of a server, of any length.
        let name = quoting::truncated(name, MAX_NAME);
        let mut known: Vec<_> = self.tools.iter().map(|tool| tool.spec().name.as_str()).take(MAX_LISTED).collect();
        if self.tools.iter().len() > MAX_LISTED {
            known.push("…");
        }
        ToolError::new(format!("Unknown tool: {name}. The tools are: {}", known.join(", ")))
    }

    fn text_for_model(&self, error: &ToolError) -> String {
        if self.settings.redact_tool_errors && !error.is_explicit() {
            "the tool failed".to_owned()
        } else {
            error.to_string()
        }
    }

    async fn tell(&self, event: impl FnOnce() -> ToolEvent) {
        if let Some(events) = &self.events {
            // Somebody listens for as long as a call runs.
            let _ = events.send(event()).await;
        }
    }
}

/// A call that hooks have let through, its tool if there is one, and the reason if it was denied.
type Ready = (Arc<ToolUse>, Option<Arc<dyn Tool>>, Option<String>);

fn panicked(tool: &str, panic: &(dyn Any + Send)) -> ToolError {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = format!("tool `{tool}` panicked: {}", words.unwrap_or("no reason given"));
    ToolError::from_source(text)
}
