//! Hooks: code of a program that sees the events of the loop and steers it. One method for each event, with a default that
//! does nothing.

mod closures;
mod context;
mod events;
mod forward;

use std::error::Error as StdError;

use async_trait::async_trait;

pub use closures::IntoHookResult;
pub(crate) use closures::{
    OnAfterInvocation, OnAfterModelCall, OnAfterToolCall, OnAfterTools, OnBeforeInvocation, OnBeforeModelCall,
    OnBeforeToolCall, OnBeforeTools, OnMessageAdded,
};
pub use context::HookContext;
pub use events::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, BeforeInvocation, BeforeModelCall, BeforeToolCall,
    BeforeTools, MessageAdded,
};

/// Limit of retries in a row that hooks may ask for, of one model call or of one tool call.
pub(crate) const MAX_RETRIES: u32 = 8;

/// Limit of the prompts with which the hooks of one invocation may resume it.
pub(crate) const MAX_RESUMES: u32 = 16;

/// Result of a hook. An error ends the invocation with
/// [`AgentError::Hook`](crate::AgentError::Hook), after the history has been made whole.
pub type HookResult = Result<(), Box<dyn StdError + Send + Sync>>;

/// Code that sees the events of the loop and steers it. Implement the methods for the events you care for.
///
/// One hook may serve thousands of agents at the same time; [`HookContext`] says which agent and invocation an event is of.
/// For a hook of a few lines, the builder takes closures, such as
/// [`on_before_tool_call`](crate::AgentBuilder::on_before_tool_call).
///
/// Hooks run in the order in which they were added, those of `after_` events in the reverse order. What they steer with
/// is in the event: fields that are `&mut` or `Option` are there to be set.
///
/// # Contract
///
/// - A hook may be called for several agents at once. Nothing of one agent reaches the conversation of another.
/// - It fails only if the invocation must end.
/// - It doesn't block the thread. An invocation that is cancelled waits for hooks for 25 ms at most, and ends within 50 ms.
/// - Its futures may be dropped at any await, and an invocation between any two events: `after_` events may never come.
///   The next invocation works all the same.
/// - It asks for a `retry` at most 8 times in a row, and for a `resume` at most 16 times in an invocation. The loop ignores
///   what is beyond that.
/// - A denial has a reason that is not blank.
/// - Messages, calls and results that it changes have content, and nest at most 100 levels of JSON.
///
/// `testing::contract::check_hook` is a test suite for it (feature `contract`).
///
/// `Arc<H>` and `Box<H>` are hooks, too.
///
/// An implementation stands under `#[async_trait]`, which is re-exported. Without the attribute, rustc reports for each
/// method that its lifetimes do not match the trait (E0195).
///
/// # Examples
///
/// A hook that keeps the model from a tool:
///
/// ```
/// use strands::async_trait;
/// use strands::hook::{BeforeToolCall, Hook, HookResult};
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hook",
    label = "this is not a hook",
    note = "a closure is added with a method of its event, such as `.on_before_tool_call(|event| ..)`",
    note = "a type is a hook by implementing `strands::hook::Hook` under `#[async_trait]`"
)]
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

    /// One tool is about to be called. Calls of one turn are concurrent, and so is this.
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
