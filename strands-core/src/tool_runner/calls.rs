//! Execution of tool calls: hooks, arguments, authorization, approval, and the run of the tool. Each call ends with exactly one
//! result.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::OptionFuture;
use serde_json::Value;
use tokio::time::Instant;

use super::approval::Approval;
use super::arguments::validated;
use super::execution::Execution;
use crate::continuation::Continuation;
use crate::depth;
use crate::diagnostics;
use crate::hook::{AfterToolCall, AuthorizeToolCall, BeforeToolCall, Hook, HookContext, MAX_RETRIES};
use crate::injected::InjectedValues;
use crate::interrupt::{Interrupt, Suspension, is_of_call};
use crate::message::{ToolResult, ToolUse};
use crate::nesting::{self, Budget, Surroundings};
use crate::outcome::AgentError;
use crate::schema_validation::quoting;
use crate::scope::Scope;
use crate::state::AgentState;
use crate::tool::{Tool, ToolError, ToolEvent, ToolEventSender, ToolFailure, ToolSet};
use crate::trace_context::TraceContext;

/// Maximum number of characters of an unknown tool's name in an error. Valid names have at most 64.
const MAX_NAME: usize = 80;

/// Error result of a call that needs an approval which no hook asks for.
const NO_APPROVER: &str = "this call needs an approval, and the program asks no approver";

/// Error result of a call whose hook failed.
const CHECK_FAILED: &str = "a check before the tool failed";

/// Maximum number of tools listed in the error about an unknown tool.
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
    /// Tools that may be called.
    pub(crate) tools: ToolSet,
    pub(crate) context: HookContext,
    /// Responses to interrupts, by interrupt id.
    pub(crate) responses: Arc<BTreeMap<String, Value>>,
    /// States of tools that continue with the responses, by the id of their call.
    pub(crate) continuations: Option<Arc<BTreeMap<String, Continuation>>>,
    /// `None` without a listener.
    pub(crate) events: Option<ToolEventSender>,
}

/// A call that has ended.
pub(crate) struct EndedCall {
    /// The call as hooks changed it.
    pub(crate) call: Arc<ToolUse>,
    pub(crate) end: CallEnd,
    /// True if the tool exists.
    pub(crate) is_known: bool,
    pub(crate) duration: Duration,
    pub(crate) hook_failure: Option<Box<AgentError>>,
}

/// Outcome of a call.
pub(crate) enum CallEnd {
    Result(ToolResult),
    Suspended(Suspension),
    /// The call could not be resumed, and is suspended: with this state, or as it was before.
    StillSuspended(Option<Suspension>),
}

/// Decision of `authorize_tool_call` hooks about a call.
enum Authorization {
    /// Approved by a hook.
    Approved,
    /// Not denied. A reason requires a human's approval, as the tool's policy may do.
    Undecided {
        required: Option<Value>,
    },
    Denied(String),
    Interrupted(Vec<Interrupt>),
}

impl ToolCalls {
    pub(crate) fn is_exclusive(&self, name: &str) -> bool {
        self.tools.get(name).is_some_and(|tool| tool.policy().exclusive)
    }

    pub(crate) fn is_idempotent(&self, name: &str) -> bool {
        self.tools.get(name).is_some_and(|tool| tool.spec().annotations.idempotent == Some(true))
    }

    /// Returns the calls with another handle of the agent's state.
    pub(crate) fn with_state(&self, state: AgentState) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            tools: self.tools.clone(),
            context: self.context.with_state(state),
            responses: Arc::clone(&self.responses),
            continuations: self.continuations.clone(),
            events: self.events.clone(),
        }
    }

    /// Makes a call. Nested agents share `budget`, and `starting` is awaited right before the tool is called.
    pub(crate) async fn call<F: Future<Output = ()>>(
        &self,
        requested: Arc<ToolUse>,
        budget: &Arc<Budget>,
        starting: impl Fn() -> F,
    ) -> EndedCall {
        let began = Instant::now();
        let mut ended = EndedCall {
            call: Arc::clone(&requested),
            end: CallEnd::Suspended(Suspension::default()),
            is_known: false,
            duration: Duration::ZERO,
            hook_failure: None,
        };
        let mut retries = 0;
        loop {
            let Ready { call, tool, denied, extras } = match self.before(&requested, budget).await {
                Ok(Ok(ready)) => ready,
                Ok(Err(interrupts)) => {
                    ended.end = CallEnd::Suspended(interrupts.into());
                    return ended;
                }
                Err(failure) => {
                    ended.hook_failure = Some(Box::new(failure));
                    ended.end = CallEnd::Result(ToolResult::error(&requested.tool_use_id, CHECK_FAILED));
                    return ended;
                }
            };
            ended.is_known = tool.is_some();
            ended.call = Arc::clone(&call);
            let mut attempts = 0;
            let ends_turn =
                !self.settings.hooks.is_empty() && tool.as_ref().is_some_and(|tool| tool.policy().ends_turn);
            let execution = match denied {
                Some(reason) => Execution::Failed(ToolError::new(reason), ToolFailure::Denied),
                None => self.execute(&call, tool.as_ref(), budget, extras.as_deref(), &mut attempts, &starting).await,
            };
            let (mut result, failed) = match execution {
                Execution::Interrupted(suspension) => {
                    ended.end = CallEnd::Suspended(suspension);
                    return ended;
                }
                Execution::NotResumed(failure, suspension) => {
                    ended.hook_failure = Some(failure);
                    ended.end = CallEnd::StillSuspended(suspension);
                    return ended;
                }
                Execution::Fatal(failure) => {
                    ended.hook_failure = Some(Box::new(failure));
                    ended.end = CallEnd::Result(ToolResult::error(&requested.tool_use_id, CHECK_FAILED));
                    return ended;
                }
                Execution::Completed(output) => (output.into_result(&requested.tool_use_id), None),
                Execution::Failed(error, cause) => {
                    // The name of an unknown tool is text of the model, which diagnostics must not contain.
                    let name = if ended.is_known { call.name.as_str() } else { "unknown" };
                    diagnostics::tool_failed(self.context.scope(), name, &call.tool_use_id, cause.as_str());
                    (ToolResult::error(&requested.tool_use_id, self.text_for_model(&error)), Some((error, cause)))
                }
            };
            ended.duration = began.elapsed();
            let retry = self.after(&mut result, failed.as_ref(), (attempts, ends_turn), &mut ended, budget).await;
            // A hook may have replaced the result, but not its id.
            result.tool_use_id.clone_from(&requested.tool_use_id);
            if let Err(too_deep) = depth::check_result(&result) {
                result = ToolResult::error(&requested.tool_use_id, format!("the result of the tool {too_deep}"));
            }
            if retry
                && retries < MAX_RETRIES
                && ended.hook_failure.is_none()
                && self.may_repeat(&requested, tool.as_ref())
            {
                retries += 1;
                continue;
            }
            self.emit(|| ToolEvent::End {
                tool_use: Arc::clone(&call),
                result: result.clone(),
                duration: ended.duration,
            })
            .await;
            ended.end = CallEnd::Result(result);
            return ended;
        }
    }

    /// Calls `before_tool_call` hooks. Returns the call to make, or their interrupts.
    async fn before(
        &self,
        requested: &Arc<ToolUse>,
        budget: &Arc<Budget>,
    ) -> Result<Result<Ready, Vec<Interrupt>>, AgentError> {
        let tool_named = |name: &str| self.tools.get(name).cloned();
        if self.settings.hooks.is_empty() {
            let tool = tool_named(&requested.name);
            return Ok(Ok(Ready { call: Arc::clone(requested), tool, denied: None, extras: None }));
        }
        let mut call = ToolUse::clone(requested);
        let mut interrupts = Vec::new();
        let mut event = BeforeToolCall {
            context: &self.context,
            tool_use: &mut call,
            tool: None,
            deny: None,
            tools: &self.tools,
            injected: InjectedValues::default(),
            surroundings: Surroundings::default(),
            responses: &self.responses,
            interrupts: &mut interrupts,
        };
        for hook in &self.settings.hooks {
            nesting::inside(budget, hook.before_tool_call(&mut event))
                .await
                .map_err(AgentError::in_hook("before_tool_call"))?;
        }
        let BeforeToolCall { tool: swapped, deny: denied, injected, surroundings, .. } = event;
        call.tool_use_id.clone_from(&requested.tool_use_id);
        if denied.is_none() && !interrupts.is_empty() {
            return Ok(Err(interrupts));
        }
        let tool = swapped.or_else(|| tool_named(&call.name));
        let extras = (!injected.is_empty() || !surroundings.is_empty())
            .then(|| Box::new(self.extras(injected, surroundings, budget)));
        Ok(Ok(Ready { call: Arc::new(call), tool, denied, extras }))
    }

    /// Returns the additions of hooks to a call. Agents that the tool calls are nested in the trace of the call.
    fn extras(&self, injected: InjectedValues, surroundings: Surroundings, budget: &Arc<Budget>) -> Extras {
        let part = injected.get::<TraceContext>().map(|trace| {
            let part = Budget::part(budget, budget.cancellation().clone());
            part.set_trace(trace.clone());
            Arc::new(part)
        });
        let scope = Arc::new(self.context.scope().with_injected(injected));
        Extras { scope, part, surroundings }
    }

    /// Returns true if hooks may repeat a call. One that was approved runs once, unless its tool is idempotent.
    fn may_repeat(&self, requested: &ToolUse, tool: Option<&Arc<dyn Tool>>) -> bool {
        let has_response = self.responses.keys().any(|id| is_of_call(id, &requested.tool_use_id));
        !has_response || tool.is_none_or(|tool| tool.spec().annotations.idempotent == Some(true))
    }

    /// Calls `after_tool_call` hooks. Returns true if one asks for a retry.
    async fn after(
        &self,
        result: &mut ToolResult,
        failed: Option<&(ToolError, ToolFailure)>,
        (attempts, ends_turn): (u32, bool),
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
            error: failed.map(|(error, _)| error as &(dyn StdError + Send + Sync)),
            failure: failed.map(|(_, cause)| *cause),
            attempts,
            ends_turn,
            duration: ended.duration,
            reports: Vec::new(),
            retry: false,
        };
        let mut first_failure = None;
        // The other hooks are called after a failure as well: the result stays, and one of them may redact it.
        for hook in self.settings.hooks.iter().rev() {
            if let Err(failure) = nesting::inside(budget, hook.after_tool_call(&mut event)).await {
                first_failure.get_or_insert(failure);
            }
        }
        let AfterToolCall { retry, reports, .. } = event;
        ended.hook_failure = first_failure.map(|failure| Box::new(AgentError::in_hook("after_tool_call")(failure)));
        for report in reports {
            self.emit(|| ToolEvent::Forwarded(Box::new(report.into()))).await;
        }
        retry && ended.hook_failure.is_none()
    }

    /// Validates the arguments, checks authorization and approval, and runs the tool.
    async fn execute<F: Future<Output = ()>>(
        &self,
        call: &Arc<ToolUse>,
        tool: Option<&Arc<dyn Tool>>,
        budget: &Arc<Budget>,
        extras: Option<&Extras>,
        attempts: &mut u32,
        starting: &impl Fn() -> F,
    ) -> Execution {
        let Some(tool) = tool else { return Execution::Failed(self.unknown(&call.name), ToolFailure::UnknownTool) };
        let input = match validated(&call.input, tool, &self.tools) {
            Ok(input) => input,
            Err(error) => return Execution::Failed(ToolError::invalid_input(error), ToolFailure::InvalidInput),
        };
        let approval = match self.authorize(call, &input, tool, budget).await {
            Ok(Authorization::Approved) => Approval::Granted,
            Ok(Authorization::Undecided { required }) => Approval::of(call, &**tool, required, &self.responses),
            Ok(Authorization::Denied(reason)) => {
                return Execution::Failed(ToolError::new(reason), ToolFailure::Denied);
            }
            Ok(Authorization::Interrupted(interrupts)) => return Execution::Interrupted(interrupts.into()),
            Err(failure) => return Execution::Fatal(failure),
        };
        match approval {
            Approval::Granted => {}
            Approval::Denied => {
                return Execution::Failed(
                    ToolError::new("the user did not approve this call"),
                    ToolFailure::NotApproved,
                );
            }
            Approval::Requested(interrupt) => return Execution::Interrupted(vec![interrupt].into()),
        }
        let place = CallPlace {
            scope: extras.map_or(self.context.scope(), |extras| &extras.scope),
            budget: extras.and_then(|extras| extras.part.as_ref()).unwrap_or(budget),
            surroundings: extras.map(|extras| &extras.surroundings),
        };
        self.run(call, tool, input, place, attempts, starting).await
    }

    /// Calls `authorize_tool_call` hooks with the final call, until one denies it.
    async fn authorize(
        &self,
        call: &Arc<ToolUse>,
        input: &Value,
        tool: &Arc<dyn Tool>,
        budget: &Arc<Budget>,
    ) -> Result<Authorization, AgentError> {
        if self.settings.hooks.is_empty() {
            return Ok(Authorization::Undecided { required: None });
        }
        let mut event = AuthorizeToolCall {
            context: &self.context,
            tool_use: call,
            input,
            tool,
            responses: &self.responses,
            interrupts: Vec::new(),
            denial: None,
            required: Vec::new(),
            is_left_to_hook: false,
            is_approved: false,
        };
        for hook in &self.settings.hooks {
            nesting::inside(budget, hook.authorize_tool_call(&mut event))
                .await
                .map_err(AgentError::in_hook("authorize_tool_call"))?;
            if event.denial.is_some() {
                break;
            }
        }
        let AuthorizeToolCall { interrupts, denial, required, is_left_to_hook, is_approved, .. } = event;
        Ok(match denial {
            Some(reason) => Authorization::Denied(reason),
            None if !interrupts.is_empty() => Authorization::Interrupted(interrupts),
            None if is_approved => Authorization::Approved,
            None if is_left_to_hook => Authorization::Denied(NO_APPROVER.to_owned()),
            None => Authorization::Undecided { required: required.into_iter().next() },
        })
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

    /// Sends an event to the listener, if there is one. The future waits while the listener is behind.
    pub(super) fn emit(&self, event: impl FnOnce() -> ToolEvent) -> OptionFuture<BoxFuture<'_, ()>> {
        self.events.as_ref().and_then(|events| events.send(event())).into()
    }
}

/// A call after `before_tool_call` hooks.
struct Ready {
    call: Arc<ToolUse>,
    /// `None` if it does not exist.
    tool: Option<Arc<dyn Tool>>,
    /// Reason for which a hook denied the call.
    denied: Option<String>,
    extras: Option<Box<Extras>>,
}

/// Additions of hooks to a call.
struct Extras {
    scope: Arc<Scope>,
    /// Budget of agents that the tool calls, if the call has a trace of its own.
    part: Option<Arc<Budget>>,
    surroundings: Surroundings,
}

/// Place of a call in its invocation.
#[derive(Clone, Copy)]
pub(super) struct CallPlace<'a> {
    pub(super) scope: &'a Arc<Scope>,
    pub(super) budget: &'a Arc<Budget>,
    pub(super) surroundings: Option<&'a Surroundings>,
}
