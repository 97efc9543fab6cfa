//! Where a program looks into the loop and steers it: one method for each event, with a default that does nothing.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::event::AgentResponse;
use crate::interrupt::Interrupt;
use crate::message::{Message, ToolResult, ToolUse};
use crate::model::{ModelError, StopReason};
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::state::AgentState;
use crate::tool::Tool;

/// What a hook returns. An error ends the invocation with [`AgentError::Hook`], after the history has been made whole.
pub type HookResult = Result<(), Box<dyn StdError + Send + Sync>>;

/// Looks into the loop and steers it. Implement the methods for the events you care for.
///
/// Hooks run in the order in which they were added, those of `after_` events in the reverse order. What they steer with
/// is in the event: fields that are `&mut` or `Option` are there to be set.
///
/// # Examples
///
/// A hook that keeps the model from a tool:
///
/// ```
/// use async_trait::async_trait;
/// use strands_core::hook::{BeforeToolCall, Hook, HookResult};
///
/// struct NoShell;
///
/// #[async_trait]
/// impl Hook for NoShell {
///     async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
///         if event.tool_use.name == "shell" {
///             event.deny = Some("the shell is not available here".into());
///         }
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Hook: Send + Sync {
    /// An invocation begins; its prompt can still be changed. One that brings answers to interrupts has no prompt, and
    /// what is added to it has no effect.
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// An invocation has ended, well or not.
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// A message is in the history for good. Where what was said since joined an older message of the same side, that
    /// one comes again, as it is now, with the `tracking_id` that it had.
    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// The model is about to be called.
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// The model has answered or failed.
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// The tools of a turn are about to run.
    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// The tools of a turn have run.
    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// One tool is about to be called. Calls of one turn run beside each other, and so does this.
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// One tool has answered or failed.
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }
}

/// An invocation begins.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeInvocation<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
    /// What the invocation adds to the history.
    pub prompt: &'a mut Vec<Message>,
    /// Set: the model is not called, and this is the answer.
    pub deny: Option<String>,
}

/// An invocation has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterInvocation<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
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
    /// The agent's state.
    pub state: &'a AgentState,
    /// The message.
    pub message: &'a Arc<Message>,
}

/// The model is about to be called.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeModelCall<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
    /// The conversation that the model will see.
    pub messages: &'a [Arc<Message>],
    /// How many times the model has been called in this invocation.
    pub turns: u32,
    /// Set: the model is not called, and this is its answer.
    pub deny: Option<String>,
}

/// The model has answered or failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterModelCall<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
    /// What it answered and why it stopped, or how it failed.
    pub outcome: Result<(&'a Message, &'a StopReason), &'a ModelError>,
    /// Set: what was answered is thrown away and the model is called again, at most 8 times in a row.
    pub retry: bool,
}

/// The tools of a turn are about to run.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeTools<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
    /// The message that calls them.
    pub message: &'a Message,
    /// Set: none of them runs, and the model reads this.
    pub deny: Option<String>,
}

/// The tools of a turn have run.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterTools<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
    /// Their results, which are about to join the history.
    pub results: &'a Message,
    /// Set: the invocation ends here, and this is the answer. Has no effect on one that was stopped meanwhile.
    pub end_turn: Option<String>,
}

/// One tool is about to be called.
#[non_exhaustive]
pub struct BeforeToolCall<'a> {
    /// The agent's state.
    pub state: &'a AgentState,
    /// The call. A changed name calls another tool; the history keeps what the model wrote.
    pub tool_use: &'a mut ToolUse,
    /// Set: this tool is called instead of the one that the name says.
    pub tool: Option<Arc<dyn Tool>>,
    /// Set: the tool is not called, and the model reads this.
    pub deny: Option<String>,
    pub(crate) answers: &'a std::collections::BTreeMap<String, serde_json::Value>,
    pub(crate) interrupts: &'a mut Vec<Interrupt>,
}

impl BeforeToolCall<'_> {
    /// Asks a human before the call. Returns the answer where there is one; until there is, the tool is not called and
    /// the invocation ends with [`StopReason::Interrupt`]. The hook runs again when `resume` brings the answer.
    pub fn interrupt(&mut self, name: &str, reason: impl Into<serde_json::Value>) -> Option<serde_json::Value> {
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
    /// The agent's state.
    pub state: &'a AgentState,
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
