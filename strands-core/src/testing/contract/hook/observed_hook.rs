//! An observed hook: its changes are checked after each call.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::super::polling::yield_once;
use super::changes;
use super::observations::Observations;
use super::observed_stream::ObservedStream;
use crate::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookContext, HookReplay, HookResult, MAX_RESUMES, MAX_RETRIES, MessageAdded,
    SelectTools,
};
use crate::models::ModelStream;

/// A hook under observation.
pub(super) struct ObservedHook {
    hook: Arc<dyn Hook>,
    observations: Arc<Observations>,
}

impl ObservedHook {
    pub(super) fn new(hook: Arc<dyn Hook>, observations: &Arc<Observations>) -> Self {
        Self { hook, observations: Arc::clone(observations) }
    }

    /// Calls the hook. Before that, others of the same task run, so that agents take turns at every event.
    async fn call(&self, called: impl Future<Output = HookResult>) -> HookResult {
        yield_once().await;
        let mut called = pin!(called);
        let mut is_first = true;
        poll_fn(|cx| {
            let began = Instant::now();
            let polled = called.as_mut().poll(cx);
            self.observations.record_poll(began.elapsed());
            if std::mem::take(&mut is_first) {
                self.observations.event();
            }
            polled
        })
        .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Hook for ObservedHook {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        let (prompt, deny, responses) = (event.prompt.clone(), event.deny.clone(), event.responses.clone());
        self.call(self.hook.before_invocation(event)).await?;
        self.observations.note(changes::responses(&responses, event.responses));
        self.observations.note(changes::denial("before_invocation", deny.as_deref(), event.deny.as_deref()));
        self.observations.note(changes::messages("before_invocation", &prompt, event.prompt));
        Ok(())
    }

    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        let hidden = event.hidden.len();
        self.call(self.hook.select_tools(event)).await?;
        self.observations.note(changes::hidden(event.hidden.get(hidden..).unwrap_or_default()));
        Ok(())
    }

    fn response_stream(&self, context: &HookContext, stream: ModelStream) -> ModelStream {
        let stream = self.hook.response_stream(context, stream);
        Box::pin(ObservedStream::new(stream, &self.observations))
    }

    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        let deny = event.denial.clone();
        self.call(self.hook.authorize_tool_call(event)).await?;
        self.observations.note(changes::denial("authorize_tool_call", deny.as_deref(), event.denial.as_deref()));
        Ok(())
    }

    fn replay(&self) -> HookReplay {
        self.hook.replay()
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        let before = event.resume.take();
        self.call(self.hook.after_invocation(event)).await?;
        let requested = event.resume.is_some();
        self.observations.note(self.observations.repeats.count(
            event.context,
            "prompts that resume",
            requested,
            MAX_RESUMES,
        ));
        if let Some(prompt) = &event.resume {
            self.observations.note(changes::messages("after_invocation", &[], &prompt.messages));
        }
        event.resume = event.resume.take().or(before);
        Ok(())
    }

    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        self.call(self.hook.message_added(event)).await
    }

    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        let deny = event.deny.clone();
        self.call(self.hook.before_model_call(event)).await?;
        self.observations.note(changes::denial("before_model_call", deny.as_deref(), event.deny.as_deref()));
        Ok(())
    }

    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        let before = std::mem::take(&mut event.retry);
        self.call(self.hook.after_model_call(event)).await?;
        let what = format!("retries of model call {}", event.context.cycle());
        self.observations.note(self.observations.repeats.count(event.context, &what, event.retry, MAX_RETRIES));
        event.retry |= before;
        Ok(())
    }

    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        let deny = event.deny.clone();
        self.call(self.hook.before_tools(event)).await?;
        self.observations.note(changes::denial("before_tools", deny.as_deref(), event.deny.as_deref()));
        Ok(())
    }

    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        let end_turn = event.end_turn.clone();
        self.call(self.hook.after_tools(event)).await?;
        self.observations.note(changes::final_text("after_tools", end_turn.as_deref(), event.end_turn.as_deref()));
        Ok(())
    }

    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let (call, deny) = (event.tool_use.clone(), event.deny.clone());
        self.call(self.hook.before_tool_call(event)).await?;
        self.observations.note(changes::denial("before_tool_call", deny.as_deref(), event.deny.as_deref()));
        self.observations.note(changes::call(&call, event.tool_use));
        Ok(())
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let (result, before) = (event.result.clone(), std::mem::take(&mut event.retry));
        self.call(self.hook.after_tool_call(event)).await?;
        let what = format!("retries of tool call {}", event.tool_use.tool_use_id);
        self.observations.note(self.observations.repeats.count(event.context, &what, event.retry, MAX_RETRIES));
        self.observations.note(changes::result(&result, event.result));
        event.retry |= before;
        Ok(())
    }
}
