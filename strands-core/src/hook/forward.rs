//! Hooks behind `Arc` and `Box`, so that several agents can share a hook.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, BeforeInvocation, BeforeModelCall, BeforeToolCall,
    BeforeTools, Hook, HookResult, MessageAdded,
};

macro_rules! forward_hook {
    (@for $holder:ty: $($method:ident($event:ty);)+) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        #[diagnostic::do_not_recommend]
        impl<H: Hook + ?Sized> Hook for $holder {
            $(
                async fn $method(&self, event: $event) -> HookResult {
                    (**self).$method(event).await
                }
            )+
        }
    };
    ($($events:tt)+) => {
        forward_hook!(@for Arc<H>: $($events)+);
        forward_hook!(@for Box<H>: $($events)+);
    };
}

forward_hook! {
    before_invocation(&mut BeforeInvocation<'_>);
    after_invocation(&mut AfterInvocation<'_>);
    message_added(&MessageAdded<'_>);
    before_model_call(&mut BeforeModelCall<'_>);
    after_model_call(&mut AfterModelCall<'_>);
    before_tools(&mut BeforeTools<'_>);
    after_tools(&mut AfterTools<'_>);
    before_tool_call(&mut BeforeToolCall<'_>);
    after_tool_call(&mut AfterToolCall<'_>);
}
