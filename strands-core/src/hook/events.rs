//! The events of the loop that hooks see and steer.

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

/// An invocation begins.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeInvocation<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// What the invocation adds to the history.
    pub prompt: &'a mut Vec<Message>,
    /// Set: the model is not called, and this is the answer.
    pub deny: Option<String>,
}

/// An invocation has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterInvocation<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// How it ended.
    pub outcome: Result<&'a AgentResponse, &'a AgentError>,
    /// Set: the agent goes on with this prompt, at most 16 times in one invocation, whose limits and usage count on. Has
    /// no effect after an error or a cancellation, when the time is up, nor while a human is asked.
    pub resume: Option<Prompt>,
}

/// A message is in the history for good.
#[derive(Debug)]
#[non_exhaustive]
pub struct MessageAdded<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// The message.
    pub message: &'a Arc<Message>,
}

/// The model is about to be called.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeModelCall<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// The conversation that the model will see.
    pub messages: &'a [Arc<Message>],
    /// Set: the model is not called, and this is its answer.
    pub deny: Option<String>,
}

/// The model has answered or failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterModelCall<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// What it answered and why it stopped, or how it failed.
    pub outcome: Result<(&'a Message, &'a StopReason), &'a ModelError>,
    /// Set: what was answered is thrown away and the model is called again, at most 8 times in a row.
    pub retry: bool,
}

/// The tools of a turn are about to run.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeTools<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// The message that calls them.
    pub message: &'a Message,
    /// Set: none of them runs, and the model reads this.
    pub deny: Option<String>,
}

/// The tools of a turn have run.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterTools<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// Their results, which are about to join the history.
    pub results: &'a Message,
    /// Set: the invocation ends here, and this is the answer. Has no effect on one that was stopped meanwhile.
    pub end_turn: Option<String>,
}

/// One tool is about to be called.
#[non_exhaustive]
pub struct BeforeToolCall<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// The call. A changed name calls another tool; the history keeps what the model wrote.
    pub tool_use: &'a mut ToolUse,
    /// Set: this tool is called instead of the one that the name says.
    pub tool: Option<Arc<dyn Tool>>,
    /// Set: the tool is not called, and the model reads this.
    pub deny: Option<String>,
    pub(crate) answers: &'a BTreeMap<String, Value>,
    pub(crate) interrupts: &'a mut Vec<Interrupt>,
}

impl BeforeToolCall<'_> {
    /// Asks a human before the call. Returns the answer where there is one; until there is, the tool is not called and
    /// the invocation ends with [`StopReason::Interrupt`]. The hook runs again when `resume` brings the answer.
    pub fn interrupt(&mut self, name: &str, reason: impl Into<Value>) -> Option<Value> {
        let id = Interrupt::before_tool_call_id(&self.tool_use.tool_use_id, name);
        let answer = self.answers.get(&id).cloned();
        if answer.is_none() && self.interrupts.iter().all(|asked| asked.id != id) {
            self.interrupts.push(Interrupt::new(id, name, reason.into()));
        }
        answer
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

/// One tool has answered or failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterToolCall<'a> {
    /// The agent, the invocation and the program's values.
    pub context: &'a HookContext,
    /// The call.
    pub tool_use: &'a ToolUse,
    /// The answer, which may be changed.
    pub result: &'a mut ToolResult,
    /// Why it failed, where a tool's error or a panic is the reason.
    pub error: Option<&'a (dyn StdError + Send + Sync)>,
    /// How long it ran.
    pub duration: Duration,
    /// Set: the answer is thrown away and the tool is called again, at most 8 times.
    pub retry: bool,
}
