//! Dropped invocations: wherever one is dropped, its history is valid input for the next prompt.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::json;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookResult, MessageAdded, SelectTools,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, ToolOutput};
use tokio_util::sync::CancellationToken;

use crate::support::{agent, assert_whole, naming, newest_results, template, tool};
use crate::valid_history::flaw;

fn two_cycles() -> ScriptedModel {
    ScriptedModel::new([
        ScriptedTurn::tool_uses([("one", json!({})), ("two", json!({}))]),
        ScriptedTurn::tool_use("one", json!({})),
        ScriptedTurn::text("all done"),
        ScriptedTurn::text("next"),
        ScriptedTurn::text("next"),
        ScriptedTurn::text("next"),
    ])
}

async fn next_prompt_works(agent: &mut Agent, model: &ScriptedModel) {
    assert_whole(agent).await;
    agent.prompt("next prompt").await.unwrap();
    assert_whole(agent).await;
    for request in model.requests() {
        assert_eq!(flaw(&request.messages, false), None);
    }
}

#[tokio::test]
async fn dropping_the_stream_after_any_event_leaves_a_valid_history() {
    let mut dropped_at = 0;
    loop {
        let model = two_cycles();
        let mut agent = agent(&model, [naming("one"), naming("two")]).await;
        let mut stream = agent.prompt("go").stream();
        let mut ended = false;
        for _ in 0..dropped_at {
            ended = matches!(stream.next().await, Some(Ok(AgentEvent::Result { .. })));
        }
        drop(stream);
        next_prompt_works(&mut agent, &model).await;
        if ended {
            break;
        }
        dropped_at += 1;
    }
    assert!(dropped_at > 20, "{dropped_at}");
}

#[tokio::test]
async fn a_completed_response_stays_with_its_prompt_after_a_drop() {
    let model = two_cycles();
    let mut agent = agent(&model, [naming("one"), naming("two")]).await;
    let mut stream = agent.prompt("go").stream();
    while let Some(event) = stream.next().await {
        if matches!(event.unwrap(), AgentEvent::Message { .. }) {
            break;
        }
    }
    drop(stream);
    assert_eq!(agent.messages().len(), 3, "{:#?}", agent.messages());
    assert_eq!(newest_results(agent.messages()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_during_a_stalled_model_call_withdraws_the_prompt() {
    for deltas in 0..4 {
        let model = ScriptedModel::new([
            ScriptedTurn::text("first"),
            ScriptedTurn::text("half of it").stalling_after(deltas),
            ScriptedTurn::text("third"),
        ]);
        let mut agent = agent(&model, []).await;
        agent.prompt("one").await.unwrap();
        let stalled = tokio::time::timeout(Duration::from_secs(1), agent.prompt("two").into_future()).await;
        assert!(stalled.is_err());
        assert_eq!(agent.messages().len(), 2);
        next_prompt_works(&mut agent, &model).await;
        assert_eq!(agent.messages()[2].text(), "next prompt");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_during_a_tool_call_adds_an_error_result() {
    let stopped = CancellationToken::new();
    let seen = stopped.clone();
    let stuck = tool("two", move |_, _| {
        let guard = seen.clone().drop_guard();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let model = two_cycles();
    let mut agent = agent(&model, [naming("one"), stuck]).await;
    let dropped = tokio::time::timeout(Duration::from_secs(1), agent.prompt("go").into_future()).await;
    assert!(dropped.is_err() && stopped.is_cancelled());
    let results = newest_results(agent.messages());
    assert_eq!(results, [(false, "one".into()), (true, "Tool was interrupted.".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_task_sees_the_cancellation_of_its_invocation() {
    let task_cancelled = CancellationToken::new();
    let seen = task_cancelled.clone();
    let spawns = tool("two", move |ctx, _| {
        let (seen, cancellation) = (seen.clone(), ctx.cancellation().clone());
        tokio::spawn(async move {
            cancellation.cancelled().await;
            seen.cancel();
        });
        std::future::pending()
    });
    let model = two_cycles();
    let mut agent = agent(&model, [naming("one"), spawns]).await;
    let dropped = tokio::time::timeout(Duration::from_secs(1), agent.prompt("go").into_future()).await;
    assert!(dropped.is_err());
    task_cancelled.cancelled().await;
}

/// A hook that hangs at the `nth` call of one event.
pub(crate) struct Hangs {
    event: &'static str,
    left: std::sync::atomic::AtomicUsize,
}

impl Hangs {
    pub(crate) fn at(event: &'static str, nth: usize) -> Self {
        Self { event, left: nth.into() }
    }

    async fn on_event(&self, event: &str) -> HookResult {
        use std::sync::atomic::Ordering;
        if event == self.event && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[async_trait]
impl Hook for Hangs {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        self.on_event("before_invocation").await
    }
    async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
        self.on_event("after_invocation").await
    }
    async fn message_added(&self, _: &MessageAdded<'_>) -> HookResult {
        self.on_event("message_added").await
    }
    async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
        self.on_event("before_model_call").await
    }
    async fn after_model_call(&self, _: &mut AfterModelCall<'_>) -> HookResult {
        self.on_event("after_model_call").await
    }
    async fn before_tools(&self, _: &mut BeforeTools<'_>) -> HookResult {
        self.on_event("before_tools").await
    }
    async fn after_tools(&self, _: &mut AfterTools<'_>) -> HookResult {
        self.on_event("after_tools").await
    }
    async fn before_tool_call(&self, _: &mut BeforeToolCall<'_>) -> HookResult {
        self.on_event("before_tool_call").await
    }
    async fn after_tool_call(&self, _: &mut AfterToolCall<'_>) -> HookResult {
        self.on_event("after_tool_call").await
    }
    async fn select_tools(&self, _: &mut SelectTools<'_>) -> HookResult {
        self.on_event("select_tools").await
    }
    async fn authorize_tool_call(&self, _: &mut AuthorizeToolCall<'_>) -> HookResult {
        self.on_event("authorize_tool_call").await
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_during_a_hook_leaves_a_valid_history() {
    for event in [
        "before_invocation",
        "select_tools",
        "message_added",
        "before_model_call",
        "after_model_call",
        "before_tools",
        "after_tools",
        "before_tool_call",
        "authorize_tool_call",
        "after_tool_call",
    ] {
        for nth in 1..=5 {
            let model = two_cycles();
            let hook = Hangs::at(event, nth);
            let mut agent = template(&model, [naming("one"), naming("two")]).hook(hook).build().await.unwrap();
            let _ = tokio::time::timeout(Duration::from_secs(1), agent.prompt("go").into_future()).await;
            assert_eq!(flaw(agent.messages(), false), None, "{event} {nth}: {:#?}", agent.messages());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_during_an_after_tools_hook_keeps_the_results() {
    let model = two_cycles();
    let hook = Hangs::at("after_tools", 1);
    let mut agent = template(&model, [naming("one"), naming("two")]).hook(hook).build().await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_secs(1), agent.prompt("go").into_future()).await;
    assert!(dropped.is_err());
    assert_eq!(newest_results(agent.messages()), [(false, "one".into()), (false, "two".into())]);
}

#[tokio::test]
async fn a_leaked_invocation_does_not_affect_the_next_one() {
    for events in [1, 4, 9, 14] {
        let model = two_cycles();
        let mut agent = agent(&model, [naming("one"), naming("two")]).await;
        let mut stream = agent.prompt("go").stream();
        for _ in 0..events {
            stream.next().await.unwrap().unwrap();
        }
        std::mem::forget(stream);
        agent.prompt("next prompt").await.unwrap();
        assert_whole(&mut agent).await;
        for request in model.requests() {
            assert_eq!(flaw(&request.messages, false), None);
        }
    }
}

#[tokio::test]
async fn an_invocation_is_lazy() {
    let model = ScriptedModel::responding("hi");
    let touched = tool("one", |_, _| async { Ok(ToolOutput::text("ran")) });
    let mut agent = agent(&model, [touched]).await;
    drop(agent.prompt("a"));
    drop(agent.prompt("b").stream());
    drop(agent.prompt("c").into_future());
    assert_eq!((agent.messages().len(), model.requests().len()), (0, 0));
}
