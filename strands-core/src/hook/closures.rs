//! Closures as hooks, for one event each.

use std::error::Error as StdError;

use async_trait::async_trait;

use super::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookResult, MessageAdded, SelectTools,
};

/// Return type of a closure that is a hook: `()` or a [`HookResult`].
pub trait IntoHookResult {
    /// Converts the value to a [`HookResult`].
    ///
    /// # Errors
    ///
    /// Returns the closure's error.
    fn into_hook_result(self) -> HookResult;
}

impl IntoHookResult for () {
    fn into_hook_result(self) -> HookResult {
        Ok(())
    }
}

impl IntoHookResult for Result<(), Box<dyn StdError + Send + Sync>> {
    fn into_hook_result(self) -> HookResult {
        self
    }
}

macro_rules! closure_hooks {
    ($($hook:ident: $method:ident($event:ty);)+) => {
        $(
            /// A closure that is called for one event.
            pub(crate) struct $hook<F>(pub(crate) F);

            #[async_trait]
            impl<F, R> Hook for $hook<F>
            where
                F: Fn($event) -> R + Send + Sync,
                R: IntoHookResult,
            {
                async fn $method(&self, event: $event) -> HookResult {
                    (self.0)(event).into_hook_result()
                }
            }
        )+
    };
}

closure_hooks! {
    OnBeforeInvocation: before_invocation(&mut BeforeInvocation<'_>);
    OnSelectTools: select_tools(&mut SelectTools<'_>);
    OnAfterInvocation: after_invocation(&mut AfterInvocation<'_>);
    OnMessageAdded: message_added(&MessageAdded<'_>);
    OnBeforeModelCall: before_model_call(&mut BeforeModelCall<'_>);
    OnAfterModelCall: after_model_call(&mut AfterModelCall<'_>);
    OnBeforeTools: before_tools(&mut BeforeTools<'_>);
    OnAfterTools: after_tools(&mut AfterTools<'_>);
    OnBeforeToolCall: before_tool_call(&mut BeforeToolCall<'_>);
    OnAuthorizeToolCall: authorize_tool_call(&mut AuthorizeToolCall<'_>);
    OnAfterToolCall: after_tool_call(&mut AfterToolCall<'_>);
}
