//! Builder methods for closures as hooks.

use super::AgentBuilder;
use crate::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, IntoHookResult, MessageAdded, OnAfterInvocation, OnAfterModelCall, OnAfterToolCall,
    OnAfterTools, OnAuthorizeToolCall, OnBeforeInvocation, OnBeforeModelCall, OnBeforeToolCall, OnBeforeTools,
    OnMessageAdded, OnSelectTools, SelectTools,
};

macro_rules! closure_setters {
    ($($(#[$doc:meta])+ $setter:ident: $hook:ident($event:ty);)+) => {
        /// Closures as hooks. Each is a [`Hook`](crate::hook::Hook) for one event, and runs in the order of all hooks. A
        /// closure returns `()` or a [`HookResult`](crate::hook::HookResult). For async work, implement `Hook`.
        ///
        /// ```
        /// use strands::{Agent, testing::ScriptedModel};
        ///
        /// let builder = Agent::builder().model(ScriptedModel::responding("hi")).on_before_tool_call(|event| {
        ///     if event.tool_use.name == "shell" {
        ///         event.deny = Some("the shell is not available here".into());
        ///     }
        /// });
        /// # drop(builder);
        /// ```
        impl AgentBuilder {
            $(
                $(#[$doc])+
                pub fn $setter<R: IntoHookResult + 'static>(
                    self,
                    closure: impl Fn($event) -> R + Send + Sync + 'static,
                ) -> Self {
                    self.hook($hook(closure))
                }
            )+
        }
    };
}

closure_setters! {
    /// Adds a closure that is called before each invocation.
    on_before_invocation: OnBeforeInvocation(&mut BeforeInvocation<'_>);
    /// Adds a closure that is called with the tools of each invocation, and hides some.
    on_select_tools: OnSelectTools(&mut SelectTools<'_>);
    /// Adds a closure that is called after each invocation.
    on_after_invocation: OnAfterInvocation(&mut AfterInvocation<'_>);
    /// Adds a closure that is called after each message was added to the history.
    on_message_added: OnMessageAdded(&MessageAdded<'_>);
    /// Adds a closure that is called before each model call.
    on_before_model_call: OnBeforeModelCall(&mut BeforeModelCall<'_>);
    /// Adds a closure that is called after each model call.
    on_after_model_call: OnAfterModelCall(&mut AfterModelCall<'_>);
    /// Adds a closure that is called before the tool calls of a response.
    on_before_tools: OnBeforeTools(&mut BeforeTools<'_>);
    /// Adds a closure that is called after the tool calls of a response.
    on_after_tools: OnAfterTools(&mut AfterTools<'_>);
    /// Adds a closure that is called before each tool call.
    on_before_tool_call: OnBeforeToolCall(&mut BeforeToolCall<'_>);
    /// Adds a closure that decides about each tool call, after all other hooks before the call.
    on_authorize_tool_call: OnAuthorizeToolCall(&mut AuthorizeToolCall<'_>);
    /// Adds a closure that is called after each tool call.
    on_after_tool_call: OnAfterToolCall(&mut AfterToolCall<'_>);
}
