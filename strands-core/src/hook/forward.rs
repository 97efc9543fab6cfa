//! Hooks behind `Arc` and `Box`, so that several agents can share a hook.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookContext, HookResult, MessageAdded, SelectTools,
};
use crate::models::ModelStream;

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

            fn response_stream(&self, context: &HookContext, stream: ModelStream) -> ModelStream {
                (**self).response_stream(context, stream)
            }
        }
    };
    ($($events:tt)+) => {
        forward_hook!(@for Arc<H>: $($events)+);
        forward_hook!(@for Box<H>: $($events)+);
    };
}

forward_hook! {
    before_invocation(&mut BeforeInvocation<'_>);
    select_tools(&mut SelectTools<'_>);
    after_invocation(&mut AfterInvocation<'_>);
    message_added(&MessageAdded<'_>);
    before_model_call(&mut BeforeModelCall<'_>);
    after_model_call(&mut AfterModelCall<'_>);
    before_tools(&mut BeforeTools<'_>);
    after_tools(&mut AfterTools<'_>);
    before_tool_call(&mut BeforeToolCall<'_>);
    authorize_tool_call(&mut AuthorizeToolCall<'_>);
    after_tool_call(&mut AfterToolCall<'_>);
}
