//! Hooks behind `Arc` and `Box`, so that several agents can share a hook.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::future::BoxFuture;

use super::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookContext, HookReplay, HookResult, MessageAdded, SelectTools,
};
use crate::models::ModelStream;

macro_rules! forward_hook {
    (@for $holder:ty: $($method:ident($event:ident $($mut:ident)?);)+) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        #[diagnostic::do_not_recommend]
        impl<H: Hook + ?Sized> Hook for $holder {
            $(
                // Returns the future of the hook itself, which tells whether the hook implements the method.
                fn $method<'hook, 'event, 'agent, 'async_trait>(
                    &'hook self,
                    event: &'event $($mut)? $event<'agent>,
                ) -> BoxFuture<'async_trait, HookResult>
                where
                    Self: 'async_trait,
                    'hook: 'async_trait,
                    'event: 'async_trait,
                    'agent: 'async_trait,
                {
                    (**self).$method(event)
                }
            )+

            fn replay(&self) -> HookReplay {
                (**self).replay()
            }

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
    before_invocation(BeforeInvocation mut);
    select_tools(SelectTools mut);
    after_invocation(AfterInvocation mut);
    message_added(MessageAdded);
    before_model_call(BeforeModelCall mut);
    after_model_call(AfterModelCall mut);
    before_tools(BeforeTools mut);
    after_tools(AfterTools mut);
    before_tool_call(BeforeToolCall mut);
    authorize_tool_call(AuthorizeToolCall mut);
    after_tool_call(AfterToolCall mut);
}
