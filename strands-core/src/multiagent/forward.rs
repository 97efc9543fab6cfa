//! Node hooks behind `Arc` and `Box`, so that several graphs can share a hook.

use std::sync::Arc;

use async_trait::async_trait;

use super::{AfterNode, AfterRun, BeforeHandoff, BeforeNode, BeforeRun, NodeHook};
use crate::hook::HookResult;

macro_rules! forward_node_hook {
    ($($holder:ty),+) => {
        $(
            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            #[diagnostic::do_not_recommend]
            impl<H: NodeHook + ?Sized> NodeHook for $holder {
                async fn before_run(&self, event: &mut BeforeRun<'_>) -> HookResult {
                    (**self).before_run(event).await
                }

                async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
                    (**self).before_node(event).await
                }

                async fn after_node(&self, event: &mut AfterNode<'_>) -> HookResult {
                    (**self).after_node(event).await
                }

                async fn before_handoff(&self, event: &mut BeforeHandoff<'_>) -> HookResult {
                    (**self).before_handoff(event).await
                }

                async fn after_run(&self, event: &mut AfterRun<'_>) -> HookResult {
                    (**self).after_run(event).await
                }
            }
        )+
    };
}

forward_node_hook!(Arc<H>, Box<H>);
