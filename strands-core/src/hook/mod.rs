//! Hooks: user code that observes and controls the loop. [`Hook`] has one method for each event, each with a default that does
//! nothing.

mod closures;
mod context;
mod events;
mod forward;
mod replay;

use std::error::Error as StdError;

use async_trait::async_trait;
use futures_core::future::BoxFuture;

pub use closures::IntoHookResult;
pub(crate) use closures::{
    OnAfterInvocation, OnAfterModelCall, OnAfterToolCall, OnAfterTools, OnAuthorizeToolCall, OnBeforeInvocation,
    OnBeforeModelCall, OnBeforeToolCall, OnBeforeTools, OnMessageAdded, OnSelectTools,
};
pub use context::HookContext;
pub use events::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, MessageAdded, SelectTools,
};
pub use replay::HookReplay;
pub(crate) use replay::{NotImplemented, is_implemented};

use crate::models::ModelStream;

/// Maximum number of retries in a row that hooks may request, for one model call or one tool call.
pub(crate) const MAX_RETRIES: u32 = 8;

/// Maximum number of prompts with which hooks may resume one invocation.
pub(crate) const MAX_RESUMES: u32 = 16;

/// Result of a hook. An error ends the invocation with
/// [`AgentError::Hook`](crate::AgentError::Hook), after the history was made valid.
pub type HookResult = Result<(), Box<dyn StdError + Send + Sync>>;

/// User code that observes and controls the loop. Implement the methods of the events you need.
///
/// One hook may serve thousands of agents at the same time; [`HookContext`] identifies the agent and the invocation of
/// an event.
/// For a hook of a few lines, the builder takes closures, such as
/// [`on_before_tool_call`](crate::AgentBuilder::on_before_tool_call).
///
/// Hooks run in the order in which they were added, and in reverse order for `after_` events. They control the loop through
/// the event: fields that are `&mut` or `Option` may be set.
///
/// # Contract
///
/// - A hook may be called for several agents at once. It must not leak data of one agent into the conversation of another.
/// - It returns an error only if the invocation must end.
/// - Its methods do nothing before their futures are polled, as those under `#[async_trait]`.
/// - It does not block the thread. A cancelled invocation waits at most 25 ms for hooks, and ends within 50 ms.
/// - Its futures may be dropped at any await point, and an invocation between any two events, so an `after_` event may never
///   follow. The next invocation must still work.
/// - It requests a `retry` at most 8 times in a row, and a `resume` at most 16 times in an invocation. The loop ignores
///   further requests, and a retry of a call that was approved by a response to an interrupt, unless its tool is idempotent.
/// - It keeps data that later decisions depend on in [`HookContext::state`], which a durable engine records, rather than in
///   [`HookContext::local`] or in itself; or its [`replay`](Self::replay) rebuilds them.
/// - The reason of a denial is not blank.
/// - Messages, calls, results and responses that it changes have content, and nest at most 100 levels of JSON.
/// - Responses that it changes are to the same interrupts, and tools that it hides have valid names.
/// - A response stream that it returns keeps to the contract of [`Model`](crate::models::Model).
///
/// `testing::contract::check_hook` tests this contract (feature `contract`).
///
/// `Arc<H>` and `Box<H>` are hooks as well.
///
/// Annotate implementations with `#[async_trait]`, which is re-exported. Without the attribute, rustc reports that the
/// lifetimes of each method do not match the trait (E0195).
///
/// # Examples
///
/// A hook that denies a tool:
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
    /// Called before an invocation; may change its prompt. An invocation that is resumed with responses has no prompt, and
    /// messages added to it have no effect.
    fn before_invocation<'hook, 'event, 'agent, 'async_trait>(
        &'hook self,
        event: &'event mut BeforeInvocation<'agent>,
    ) -> BoxFuture<'async_trait, HookResult>
    where
        Self: 'async_trait,
        'hook: 'async_trait,
        'event: 'async_trait,
        'agent: 'async_trait,
    {
        let _ = event;
        Box::pin(NotImplemented)
    }

    /// Called with the tools that the model may call, after `before_invocation`, and again after the tools of a provider have
    /// changed. A hook hides tools; an error ends the invocation.
    fn select_tools<'hook, 'event, 'agent, 'async_trait>(
        &'hook self,
        event: &'event mut SelectTools<'agent>,
    ) -> BoxFuture<'async_trait, HookResult>
    where
        Self: 'async_trait,
        'hook: 'async_trait,
        'event: 'async_trait,
        'agent: 'async_trait,
    {
        let _ = event;
        Box::pin(NotImplemented)
    }

    /// Called after an invocation, successful or not.
    fn after_invocation<'hook, 'event, 'agent, 'async_trait>(
        &'hook self,
        event: &'event mut AfterInvocation<'agent>,
    ) -> BoxFuture<'async_trait, HookResult>
    where
        Self: 'async_trait,
        'hook: 'async_trait,
        'event: 'async_trait,
        'agent: 'async_trait,
    {
        let _ = event;
        Box::pin(NotImplemented)
    }

    /// Called after a message was added to the history. If content was merged into an older message of the same role, the
    /// event has that message with its new content and its old `tracking_id`; if that had tool results alone, it is the new one's.
    fn message_added<'hook, 'event, 'agent, 'async_trait>(
        &'hook self,
        event: &'event MessageAdded<'agent>,
    ) -> BoxFuture<'async_trait, HookResult>
    where
        Self: 'async_trait,
        'hook: 'async_trait,
        'event: 'async_trait,
        'agent: 'async_trait,
    {
        let _ = event;
        Box::pin(NotImplemented)
    }

    /// Called before a model call.
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called with the response stream of each model call, before the loop reads it; returns the stream that it reads instead.
    ///
    /// All that is emitted, stored and returned comes from this stream, so a hook can check, change, delay or end a response.
    /// Streams of several hooks are nested: the last hook has the provider's stream, and the first one returns the stream that
    /// the loop reads.
    ///
    /// The stream that is returned keeps to the contract of [`Model`](crate::models::Model): for example, blocks are started,
    /// filled and stopped in order, and the last events are the message stop and the metadata. Default: `stream`, unchanged.
    fn response_stream(&self, context: &HookContext, stream: ModelStream) -> ModelStream {
        let _ = context;
        stream
    }

    /// Called after a model call, successful or not.
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called before the tools of a turn run.
    fn before_tools<'hook, 'event, 'agent, 'async_trait>(
        &'hook self,
        event: &'event mut BeforeTools<'agent>,
    ) -> BoxFuture<'async_trait, HookResult>
    where
        Self: 'async_trait,
        'hook: 'async_trait,
        'event: 'async_trait,
        'agent: 'async_trait,
    {
        let _ = event;
        Box::pin(NotImplemented)
    }

    /// Called after the tools of a turn have run.
    fn after_tools<'hook, 'event, 'agent, 'async_trait>(
        &'hook self,
        event: &'event mut AfterTools<'agent>,
    ) -> BoxFuture<'async_trait, HookResult>
    where
        Self: 'async_trait,
        'hook: 'async_trait,
        'event: 'async_trait,
        'agent: 'async_trait,
    {
        let _ = event;
        Box::pin(NotImplemented)
    }

    /// Called before each tool call, concurrently for the calls of one turn.
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called before each tool runs, with its valid arguments and after all `before_tool_call` hooks, so that the decision is
    /// about the call that is made. Not called for a call that was denied before, or that is invalid.
    ///
    /// An error ends the invocation, and the tool does not run. Authorization belongs here rather than in
    /// [`before_tool_call`](Self::before_tool_call), where a later hook may change the call or remove the denial.
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called after each tool call, successful or not.
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Returns how the hook takes part when a durable engine replays an invocation. Default: [`HookReplay::Recorded`].
    fn replay(&self) -> HookReplay {
        HookReplay::Recorded
    }
}
