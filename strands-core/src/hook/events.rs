//! Events of the loop, which hooks observe and control.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::HookContext;
use crate::event::{AgentResponse, GuardrailReport};
use crate::injected::InjectedValues;
use crate::interrupt::{Interrupt, InterruptResponse, InterruptedCall};
use crate::message::{Message, SystemBlock, ToolResult, ToolUse};
use crate::models::{FallbackStep, ModelError, StopReason, ToolSpecs};
use crate::nesting::Surroundings;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::tool::{Tool, ToolFailure, ToolSet};
use crate::usage::Usage;

/// Event before an invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeInvocation<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// Messages that the invocation adds to the history.
    pub prompt: &'a mut Vec<Message>,
    /// Responses that resume the agent's pending interrupts. A hook may change their values, which are stored as changed. A
    /// hook that refuses a response returns an error: the interrupts stay pending, and nothing is stored.
    pub responses: &'a mut Vec<InterruptResponse>,
    /// Tool calls with interrupts; empty unless the invocation resumes them.
    pub interrupted: &'a [InterruptedCall],
    /// If set, the model is not called, and this text is the response.
    pub deny: Option<String>,
    /// Reports of guardrails, for the listener of the invocation's stream.
    pub reports: Vec<GuardrailReport>,
}

/// Event of the tools that the model may call: at the start of an invocation, and after the tools of a provider have changed. With a
/// journal that records the hook, changed tools take effect in the next invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct SelectTools<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The tools, with those that other hooks have hidden.
    pub tools: &'a ToolSet,
    pub(crate) hidden: Vec<String>,
}

impl SelectTools<'_> {
    /// Hides a tool from the model in this invocation. A call of a hidden tool gets the error result of an unknown one.
    pub fn hide(&mut self, name: impl Into<String>) {
        let name = name.into();
        if !self.is_hidden(&name) {
            self.hidden.push(name);
        }
    }

    /// Returns true if a hook has hidden the tool.
    pub fn is_hidden(&self, name: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == name)
    }
}

/// Event after an invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterInvocation<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The response, or the error.
    pub outcome: Result<&'a AgentResponse, &'a AgentError>,
    /// If set, the agent continues with this prompt, at most 16 times in one invocation; limits and usage carry over. Has
    /// no effect after an error, a cancellation, a time limit or an interrupt.
    pub resume: Option<Prompt>,
}

/// Event after a message was added to the history.
#[derive(Debug)]
#[non_exhaustive]
pub struct MessageAdded<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The message.
    pub message: &'a Arc<Message>,
}

/// Event before a model call.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeModelCall<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The messages to send.
    pub messages: &'a [Arc<Message>],
    /// The system prompt.
    pub system: &'a [SystemBlock],
    /// The tools that the model may call.
    pub tools: &'a ToolSpecs,
    /// Id of the model.
    pub model_id: &'a str,
    /// One-based number of the attempt: above 1 if the call is repeated.
    pub attempt: u32,
    /// If set, the model is not called, and this text is its response.
    pub deny: Option<String>,
}

/// Event after a model call.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterModelCall<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The response and its stop reason, or the error.
    pub outcome: Result<(&'a Message, &'a StopReason), &'a ModelError>,
    /// Token usage, also that of a response that failed or was stopped, as far as it is known.
    pub usage: Usage,
    /// Duration of the attempt.
    pub duration: Duration,
    /// Time to the first content of the response, if there was any.
    pub time_to_first_content: Option<Duration>,
    /// Id of the model.
    pub model_id: &'a str,
    /// Steps of a [`Fallback`](crate::models::Fallback) to the model that responded. If all of its models failed, they are
    /// in the error, as [`FallbackFailures`](crate::models::FallbackFailures).
    pub fallbacks: &'a [FallbackStep],
    /// One-based number of the attempt.
    pub attempt: u32,
    /// If set, the response is discarded and the model is called again, at most 8 times in a row.
    pub retry: bool,
}

/// Event before the tools of a turn.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeTools<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The message with the tool calls.
    pub message: &'a Message,
    /// If set, no tool runs, and this text is the error result of each call.
    pub deny: Option<String>,
}

/// Event after the tools of a turn.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterTools<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The tool results, which are about to join the history.
    pub results: &'a Message,
    /// If set, the invocation ends with this text as the response. Has no effect on an invocation that was stopped.
    pub end_turn: Option<String>,
}

/// Event before a tool call.
#[non_exhaustive]
pub struct BeforeToolCall<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The call. A changed name calls another tool; the history keeps the original call.
    pub tool_use: &'a mut ToolUse,
    /// If set, this tool is called instead of the one with the name.
    pub tool: Option<Arc<dyn Tool>>,
    /// If set, the tool is not called, and this text is its error result.
    pub deny: Option<String>,
    pub(crate) tools: &'a ToolSet,
    pub(crate) injected: InjectedValues,
    pub(crate) surroundings: Surroundings,
    pub(crate) responses: &'a BTreeMap<String, Value>,
    pub(crate) interrupts: &'a mut Vec<Interrupt>,
}

impl BeforeToolCall<'_> {
    /// Returns the tool that is going to be called, if it exists.
    pub fn called_tool(&self) -> Option<&Arc<dyn Tool>> {
        self.tool.as_ref().or_else(|| self.tools.get(&self.tool_use.name))
    }

    /// Injects a value into this call. It takes precedence over a value of the same type injected into the invocation or the
    /// agent. Agents that the tool calls inherit a [`TraceContext`](crate::TraceContext).
    pub fn inject<V: Send + Sync + 'static>(&mut self, value: V) {
        self.injected.insert_for_invocation(value);
    }

    /// Surrounds each poll of the tool: `enter` is called before the poll, and the guard that it returns is dropped after it.
    ///
    /// For contexts that libraries keep per thread. Work that the tool spawns, and a sync tool on a thread for blocking work,
    /// are not surrounded.
    pub fn surround<G: 'static>(&mut self, enter: impl Fn() -> G + Send + Sync + 'static) {
        self.surroundings.add(move || Box::new(enter()));
    }

    /// Raises an interrupt before the call, and returns the response if there is one. Otherwise the tool is not called, and
    /// the invocation ends with [`StopReason::Interrupt`]. The hook runs again when the invocation is resumed.
    pub fn interrupt(&mut self, name: &str, reason: impl Into<Value>) -> Option<Value> {
        raise(&self.tool_use.tool_use_id, name, reason, self.responses, self.interrupts)
    }
}

impl std::fmt::Debug for BeforeToolCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BeforeToolCall")
            .field("tool_use", &self.tool_use)
            .field("deny", &self.deny)
            .finish_non_exhaustive()
    }
}

/// Event before a tool runs: the decision about a call that no hook can change any more.
///
/// The arguments are valid. Hooks decide in order, and the first denial is final.
#[non_exhaustive]
pub struct AuthorizeToolCall<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The call, as `before_tool_call` hooks changed it.
    pub tool_use: &'a ToolUse,
    /// The arguments that the tool gets: those of the call, validated and converted to its schema.
    pub input: &'a Value,
    /// The tool.
    pub tool: &'a Arc<dyn Tool>,
    pub(crate) responses: &'a BTreeMap<String, Value>,
    pub(crate) interrupts: Vec<Interrupt>,
    pub(crate) denial: Option<String>,
    /// Reasons of the hooks that require approval, in order.
    pub(crate) required: Vec<Value>,
    /// True if the agent's own approval does not meet a requirement.
    pub(crate) is_left_to_hook: bool,
    pub(crate) is_approved: bool,
}

impl AuthorizeToolCall<'_> {
    /// Denies the call: the tool does not run, and this text is the call's error result. Later hooks are not asked.
    pub fn deny(&mut self, reason: impl Into<String>) {
        self.denial.get_or_insert(reason.into());
    }

    /// Requires a human's approval of the call, like `#[tool(approval)]`, with a reason to show to the human.
    ///
    /// A later hook may ask for the approval in its own way, and [`approve`](Self::approve) the call; an approval of an
    /// earlier hook has no effect any more. Otherwise the agent raises the interrupt `approval`, whose reason has that of the
    /// first hook as `reason`.
    pub fn require_approval(&mut self, reason: impl Into<Value>) {
        self.required.push(reason.into());
        self.is_approved = false;
    }

    /// Requires an approval that only a later hook can give, for example since the reason says who may approve. Without a hook
    /// that [approves](Self::approve) the call or raises an interrupt, the call is denied.
    pub fn require_approval_by_hook(&mut self, reason: impl Into<Value>) {
        self.require_approval(reason);
        self.is_left_to_hook = true;
    }

    /// Returns the reason for which the call requires approval: that of the first hook, or `null` for a tool with
    /// `#[tool(approval)]`. `None` if it requires none.
    pub fn required_approval(&self) -> Option<&Value> {
        self.required.first().or_else(|| self.tool.policy().approval.then_some(&Value::Null))
    }

    /// Returns the reasons of all hooks that require approval so far, in order.
    pub fn required_approvals(&self) -> &[Value] {
        &self.required
    }

    /// Approves the call, in place of the approval that the agent requests otherwise. It does not override a denial of another
    /// hook, an interrupt, or an approval that a later hook requires.
    pub fn approve(&mut self) {
        self.is_approved = true;
    }

    /// Raises an interrupt before the tool runs, and returns the response if there is one. Otherwise the tool does not run,
    /// and the invocation ends with [`StopReason::Interrupt`]. The hook runs again when the invocation is resumed.
    ///
    /// The id is that of [`BeforeToolCall::interrupt`].
    pub fn interrupt(&mut self, name: &str, reason: impl Into<Value>) -> Option<Value> {
        raise(&self.tool_use.tool_use_id, name, reason, self.responses, &mut self.interrupts)
    }

    /// Returns the response to an interrupt of this call by its name, if there is one.
    pub fn response(&self, name: &str) -> Option<&Value> {
        self.responses.get(&Interrupt::before_tool_call_id(&self.tool_use.tool_use_id, name))
    }
}

impl std::fmt::Debug for AuthorizeToolCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizeToolCall")
            .field("tool_use", &self.tool_use)
            .field("denial", &self.denial)
            .finish_non_exhaustive()
    }
}

/// Returns the response to the interrupt with a name, or raises it.
fn raise(
    tool_use_id: &str,
    name: &str,
    reason: impl Into<Value>,
    responses: &BTreeMap<String, Value>,
    interrupts: &mut Vec<Interrupt>,
) -> Option<Value> {
    let id = Interrupt::before_tool_call_id(tool_use_id, name);
    let response = responses.get(&id).cloned();
    if response.is_none() && interrupts.iter().all(|interrupt| interrupt.id != id) {
        interrupts.push(Interrupt::new(id, name, reason.into()));
    }
    response
}

/// Event after a tool call.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterToolCall<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// The call.
    pub tool_use: &'a ToolUse,
    /// The result, which may be changed.
    pub result: &'a mut ToolResult,
    /// The error, if the tool returned one or panicked.
    pub error: Option<&'a (dyn StdError + Send + Sync + 'static)>,
    /// Cause of the failure, if the call failed.
    pub failure: Option<ToolFailure>,
    /// Number of attempts by the policy of the tool; 0 if the tool was not called.
    pub attempts: u32,
    /// True if a successful result is the response to the prompt, as for [`ToolPolicy::with_ends_turn`](crate::ToolPolicy::with_ends_turn).
    pub ends_turn: bool,
    /// Duration of the call.
    pub duration: Duration,
    /// Reports of guardrails, for the listener of the invocation's stream.
    pub reports: Vec<GuardrailReport>,
    /// If set, the result is discarded and the tool is called again, at most 8 times.
    pub retry: bool,
}
