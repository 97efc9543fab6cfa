//! Hooks that violate their contract.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookContext, HookResult, SelectTools,
};
use strands_core::message::{Message, ToolResultContent};
use strands_core::models::{ModelStream, StreamEvent};
use strands_core::testing::contract::{Promise, check_hook};
use strands_core::{AgentBuilder, tool};
use tokio::sync::Semaphore;

async fn broken(hook: impl Hook + 'static) -> Promise {
    check_hook(hook, |builder| builder).await.unwrap_err().promise
}

struct User(bool);

/// A hook that authorizes users, and awaits at each event.
struct Guard;

#[async_trait]
impl Hook for Guard {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        tokio::time::sleep(Duration::from_millis(5)).await;
        event.context.injected::<User>().map(drop).ok_or_else(|| "no user".into())
    }
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        tokio::task::yield_now().await;
        if event.tool_use.name == "book" && event.interrupt("book", "may I?") != Some(json!(true)) {
            return Ok(());
        }
        if event.context.injected::<User>().is_none_or(|user| !user.0) {
            event.deny = Some("not for you".into());
        }
        Ok(())
    }
    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        tokio::task::yield_now().await;
        event.hide("contract_repeat");
        event.hide("delete_everything");
        Ok(())
    }
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        tokio::task::yield_now().await;
        match event.tool_use.name.as_str() {
            "contract_fail" => event.deny("not for anyone"),
            "book" if event.interrupt("sure", "really?") == Some(json!(true)) => {
                event.require_approval("it costs money");
            }
            _ => event.approve(),
        }
        Ok(())
    }
    fn response_stream(&self, _: &HookContext, stream: ModelStream) -> ModelStream {
        Box::pin(stream.filter(|event| {
            let is_kept = !matches!(event, Ok(StreamEvent::Metadata { .. }));
            async move {
                tokio::task::yield_now().await;
                is_kept
            }
        }))
    }
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        tokio::time::sleep(Duration::from_millis(5)).await;
        event.result.content.push(ToolResultContent::Text("checked".into()));
        Ok(())
    }
}

/// Books a trip.
#[tool(crate = strands_core)]
fn book(nights: u8) -> String {
    nights.to_string()
}

fn with_user(may: bool) -> impl Fn(AgentBuilder) -> AgentBuilder {
    move |builder| builder.inject(User(may)).tool(Book)
}

#[tokio::test(start_paused = true)]
async fn accepts_a_hook_that_hides_authorizes_awaits_interrupts_and_changes_streams() {
    check_hook(Guard, with_user(true)).await.unwrap();
    check_hook(Arc::new(Guard) as Arc<dyn Hook>, with_user(false)).await.unwrap();
}

/// A hook that observes the results of a tool.
#[derive(Clone, Default)]
struct Sees(Arc<AtomicBool>);

#[async_trait]
impl Hook for Sees {
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let result = json!(event.result.content);
        self.0.fetch_or(event.tool_use.name == "book" && result == json!([{"text": "0"}]), Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn calls_the_tools_of_the_configured_agent() {
    let hook = Sees::default();
    check_hook(hook.clone(), |builder| builder.tool(Book)).await.unwrap();
    assert!(hook.0.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn detects_errors_and_panics() {
    let violation = check_hook(Guard, |builder| builder).await.unwrap_err();
    assert_eq!(violation.promise, Promise::HookSucceeds);
    assert!(format!("{violation:?}").contains("no user"), "{violation:?}");
    assert_eq!(broken(Breaks::Panics).await, Promise::HookSucceeds);
}

#[tokio::test(start_paused = true)]
async fn detects_hooks_that_never_return() {
    assert_eq!(broken(Breaks::Hangs).await, Promise::HookSucceeds);
}

/// Adds the newest result to the next one, regardless of the agent.
#[derive(Default)]
struct MixesUp(Mutex<Option<ToolResultContent>>);

#[async_trait]
impl Hook for MixesUp {
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let newest = event.result.content.last().cloned();
        let other = std::mem::replace(&mut *self.0.lock().unwrap(), newest);
        event.result.content.extend(other);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn detects_data_leaks_between_agents() {
    let violation = check_hook(MixesUp::default(), |builder| builder).await.unwrap_err();
    assert_eq!(violation.promise, Promise::HookAgentsIndependent);
    assert!(violation.observed.contains("mark-"), "{violation}");
}

/// Serves one agent at a time, and fails for others.
#[derive(Default)]
struct OneAgent(AtomicBool);

#[async_trait]
impl Hook for OneAgent {
    async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
        if self.0.swap(true, Ordering::Relaxed) { Err("another agent is served".into()) } else { Ok(()) }
    }
    async fn after_model_call(&self, _: &mut AfterModelCall<'_>) -> HookResult {
        self.0.store(false, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn detects_hooks_for_a_single_agent() {
    assert_eq!(broken(OneAgent::default()).await, Promise::HookAgentsIndependent);
}

/// Serializes invocations: each waits for the end of the one before.
struct OneByOne(Semaphore);

#[async_trait]
impl Hook for OneByOne {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        self.0.acquire().await?.forget();
        Ok(())
    }
    async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
        self.0.add_permits(1);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn detects_hooks_that_wait_for_the_end_of_a_dropped_invocation() {
    let violation = check_hook(OneByOne(Semaphore::new(1)), |builder| builder).await.unwrap_err();
    assert_eq!(violation.promise, Promise::HookDropped);
    assert!(violation.observed.contains("no end after 30s"), "{violation}");
}

/// Blocks the thread for a duration by the paused clock.
struct Blocks(Duration);

#[async_trait]
impl Hook for Blocks {
    async fn before_tool_call(&self, _: &mut BeforeToolCall<'_>) -> HookResult {
        tokio::time::advance(self.0).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn detects_blocking_hooks() {
    check_hook(Blocks(Duration::from_millis(5)), |builder| builder).await.unwrap();
    let violation = check_hook(Blocks(Duration::from_millis(60)), |builder| builder).await.unwrap_err();
    assert_eq!(violation.promise, Promise::HookDoesNotBlock);
    assert!(violation.observed.contains("the thread was blocked for 60ms"), "{violation}");
}

/// Blocks if its invocation is cancelled.
struct BlocksAtTheEnd;

#[async_trait]
impl Hook for BlocksAtTheEnd {
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        if event.context.cancellation().is_cancelled() {
            tokio::time::advance(Duration::from_millis(60)).await;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn detects_delayed_cancellations() {
    let violation = check_hook(BlocksAtTheEnd, |builder| builder).await.unwrap_err();
    assert_eq!(violation.promise, Promise::HookDoesNotBlock);
    assert!(violation.expected.contains("to end within 50ms"), "{violation}");
}

/// Requests a different interrupt each time.
struct Asks;

#[async_trait]
impl Hook for Asks {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let mut question = 0;
        while event.interrupt(&question.to_string(), Value::Null).is_some() {
            question += 1;
        }
        Ok(())
    }
}

/// Contract violations in one event.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Breaks {
    Panics,
    Hangs,
    Resumes,
    RetriesFailures,
    RetriesResponses,
    RetriesTools,
    DeniesInvocation,
    DeniesModelCall,
    DeniesTools,
    DeniesToolCall,
    EmptiesPrompt,
    AddsBlankMessage,
    ResumesWithNothing,
    EndsWithNothing,
    CallsNoName,
    DeepensCall,
    EmptiesResult,
    DeepensResult,
    DeniesAuthorization,
    HidesNoName,
    DeepensResponse,
    AnswersAnotherInterrupt,
    DropsStop,
    RepeatsStart,
    AddsAfterStop,
    LeavesBlockOpen,
}

const BLANK: &str = " ";

fn deep() -> Value {
    (0..101).fold(json!(1), |value, _| json!([value]))
}

#[async_trait]
impl Hook for Breaks {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        match self {
            Self::DeniesInvocation => event.deny = Some(BLANK.into()),
            Self::EmptiesPrompt => event.prompt.clear(),
            Self::AddsBlankMessage => event.prompt.push(Message::user(BLANK)),
            Self::DeepensResponse => event.responses.iter_mut().for_each(|response| response.response = deep()),
            Self::AnswersAnotherInterrupt => {
                event.responses.iter_mut().for_each(|response| response.interrupt_id.push('2'));
            }
            _ => {}
        }
        Ok(())
    }
    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        if *self == Self::HidesNoName {
            event.hide("no name");
        }
        Ok(())
    }
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        match self {
            Self::DeniesAuthorization => event.deny(BLANK),
            Self::DeepensResponse | Self::AnswersAnotherInterrupt => event.require_approval("it costs money"),
            _ => {}
        }
        Ok(())
    }
    fn response_stream(&self, _: &HookContext, stream: ModelStream) -> ModelStream {
        let without = |stream: ModelStream, left_out: fn(&StreamEvent) -> bool| -> ModelStream {
            Box::pin(stream.filter(move |event| {
                let is_kept = !event.as_ref().is_ok_and(left_out);
                async move { is_kept }
            }))
        };
        match self {
            Self::DropsStop => without(stream, |event| matches!(event, StreamEvent::MessageStop { .. })),
            Self::LeavesBlockOpen => without(stream, |event| matches!(event, StreamEvent::ContentBlockStop { .. })),
            Self::RepeatsStart | Self::AddsAfterStop => {
                let first = *self == Self::RepeatsStart;
                Box::pin(stream.flat_map(move |event| {
                    let repeated = event.as_ref().ok().filter(|event| match event {
                        StreamEvent::MessageStart { .. } => first,
                        StreamEvent::MessageStop { .. } => !first,
                        _ => false,
                    });
                    let repeated = repeated.cloned().map(Ok);
                    stream::iter([Some(event), repeated].into_iter().flatten())
                }))
            }
            _ => stream,
        }
    }
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        match self {
            Self::Resumes => event.resume = Some("Go on.".into()),
            Self::ResumesWithNothing => event.resume = Some(BLANK.into()),
            _ => {}
        }
        Ok(())
    }
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        match self {
            Self::Panics => panic!("boom"),
            Self::Hangs => pending().await,
            Self::DeniesModelCall => event.deny = Some(BLANK.into()),
            _ => {}
        }
        Ok(())
    }
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        let failed = event.outcome.is_err();
        event.retry = (failed && *self == Self::RetriesFailures) || (!failed && *self == Self::RetriesResponses);
        Ok(())
    }
    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        event.deny = (*self == Self::DeniesTools).then(|| BLANK.into());
        Ok(())
    }
    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        event.end_turn = (*self == Self::EndsWithNothing).then(|| BLANK.into());
        Ok(())
    }
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        match self {
            Self::DeniesToolCall => event.deny = Some(BLANK.into()),
            Self::CallsNoName => event.tool_use.name = "no name".into(),
            Self::DeepensCall => event.tool_use.input = deep(),
            _ => {}
        }
        Ok(())
    }
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        match self {
            Self::RetriesTools => event.retry = event.error.is_some(),
            Self::EmptiesResult => event.result.content.clear(),
            Self::DeepensResult => event.result.content.push(ToolResultContent::Json(deep())),
            _ => {}
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn detects_unbounded_repeats() {
    assert_eq!(broken(Asks).await, Promise::HookBoundedRepeats);
    for hook in [Breaks::Resumes, Breaks::RetriesFailures, Breaks::RetriesResponses, Breaks::RetriesTools] {
        assert_eq!(broken(hook).await, Promise::HookBoundedRepeats, "{hook:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn detects_denials_without_a_reason() {
    for hook in [
        Breaks::DeniesInvocation,
        Breaks::DeniesModelCall,
        Breaks::DeniesTools,
        Breaks::DeniesToolCall,
        Breaks::DeniesAuthorization,
    ] {
        assert_eq!(broken(hook).await, Promise::HookDenialReason, "{hook:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn detects_changes_that_are_empty_or_too_deep() {
    for hook in [
        Breaks::EmptiesPrompt,
        Breaks::AddsBlankMessage,
        Breaks::ResumesWithNothing,
        Breaks::EndsWithNothing,
        Breaks::CallsNoName,
        Breaks::DeepensCall,
        Breaks::EmptiesResult,
        Breaks::DeepensResult,
        Breaks::HidesNoName,
        Breaks::DeepensResponse,
        Breaks::AnswersAnotherInterrupt,
    ] {
        assert_eq!(broken(hook).await, Promise::HookValidChanges, "{hook:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn detects_response_streams_out_of_order() {
    for hook in [Breaks::DropsStop, Breaks::RepeatsStart, Breaks::AddsAfterStop, Breaks::LeavesBlockOpen] {
        assert_eq!(broken(hook).await, Promise::HookResponseStream, "{hook:?}");
    }
}
