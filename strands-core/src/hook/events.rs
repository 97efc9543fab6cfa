//! Events of the loop, which hooks observe and control.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::HookContext;
use crate::event::AgentResponse;
use crate::interrupt::Interrupt;
use crate::message::{Message, ToolResult, ToolUse};
use crate::models::{ModelError, StopReason};
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::tool::Tool;

/// Event before an invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeInvocation<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// Messages that the invocation adds to the history.
    pub prompt: &'a mut Vec<Message>,
    /// If set, the model is not called, and this text is the response.
    pub deny: Option<String>,
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
    pub(crate) responses: &'a BTreeMap<String, Value>,
    pub(crate) interrupts: &'a mut Vec<Interrupt>,
}

impl BeforeToolCall<'_> {
    /// Raises an interrupt before the call, and returns the response if there is one. Otherwise the tool is not called, and
    /// the invocation ends with [`StopReason::Interrupt`]. The hook runs again when the invocation is resumed.
    pub fn interrupt(&mut self, name: &str, reason: impl Into<Value>) -> Option<Value> {
        let id = Interrupt::before_tool_call_id(&self.tool_use.tool_use_id, name);
        let response = self.responses.get(&id).cloned();
        if response.is_none() && self.interrupts.iter().all(|interrupt| interrupt.id != id) {
            self.interrupts.push(Interrupt::new(id, name, reason.into()));
        }
        response
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
    pub error: Option<&'a (dyn StdError + Send + Sync)>,
    /// Duration of the call.
    pub duration: Duration,
    /// If set, the result is discarded and the tool is called again, at most 8 times.
    pub retry: bool,
}
