//! Replays of invocations with nested agents: limits and costs are those of the first attempt.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::hook::{BeforeModelCall, Hook, HookResult};
use strands_core::models::StopReason;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, CancellationToken, Limits, Tool, ToolOutput, ToolPolicy};

use crate::fakes::*;
use crate::support::{Log, agent, naming, template, tool};

#[tokio::test]
async fn a_replay_reaches_limits_at_the_same_step() {
    let made = Arc::default();
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("ask", json!({})),
        _ => ScriptedTurn::text("a model call that was not to be made"),
    });
    let template = template(&model, [nested("ask", 2, &made)]).limits(Limits::new().turns(3));
    let journal = Recorded::default();
    let first = template.clone().build().await.unwrap().prompt("go").journal(&journal).await.unwrap();
    assert_eq!((first.stop_reason.clone(), first.turns), (StopReason::LimitTurns, 3));
    let calls = model.requests().len();

    let replay = journal.replaying();
    let second = template.build().await.unwrap().prompt("go").journal(&replay).await.unwrap();
    assert_eq!(replay.names(), journal.names(), "a replay of a finished invocation performs no effects");
    assert_eq!(model.requests().len(), calls);
    assert_eq!((second.stop_reason, second.turns), (first.stop_reason, first.turns));
}

/// A hook that prompts an agent before its agent's model call.
struct AsksBefore(ScriptedModel);

#[async_trait]
impl Hook for AsksBefore {
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        if event.context.cycle() == 1 {
            agent(&self.0, []).await.prompt("may I?").await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_replay_counts_the_spending_of_hooks() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("leaf", json!({})),
        _ => ScriptedTurn::text("a model call that was not to be made"),
    });
    let hook = || AsksBefore(ScriptedModel::responding("yes"));
    let template = template(&model, [naming("leaf")]).limits(Limits::new().turns(2));
    let journal = Recorded::default();
    let first = template.clone().hook(hook()).build().await.unwrap().prompt("go").journal(&journal).await.unwrap();
    assert_eq!((first.stop_reason.clone(), first.turns), (StopReason::LimitTurns, 2));
    let replay = journal.replaying();
    let second = template.hook(hook()).build().await.unwrap().prompt("go").journal(&replay).await.unwrap();
    assert_eq!((second.stop_reason, second.turns), (first.stop_reason, first.turns));
}

#[tokio::test]
async fn the_turn_limit_holds_across_a_crash() {
    let made: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses([("one", json!({})), ("two", json!({}))]),
        _ => ScriptedTurn::text("done"),
    });
    let two = nested("two", 9, &made);
    let later = tool("two", move |ctx, input| {
        let two = two.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            two.call(&ctx, input).await
        }
    });
    let template = template(&model, [nested("one", 3, &made), later]).limits(Limits::new().turns(5));
    // The model's response and the first tool's result are recorded.
    let journal = Recorded { crash_after: Some(2), ..Recorded::default() };
    let crashed = template.clone().build().await.unwrap().prompt("go").journal(&journal).await;
    assert!(matches!(crashed, Err(AgentError::Journal(_))));
    assert_eq!(made.load(Ordering::SeqCst), 3, "the first attempt");
    let replay = journal.replaying();
    let response = template.build().await.unwrap().prompt("go").journal(&replay).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitTurns);
    assert_eq!(1 + made.load(Ordering::SeqCst), 5, "1 call and 3 nested ones were recorded, so 1 was left");
}

#[tokio::test]
async fn a_replay_of_a_stopped_turn_reports_the_same_usage() {
    let made = Arc::default();
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::tool_uses([("ask", json!({})), ("hang", json!({}))]));
    let token = CancellationToken::new();
    let cancelling = token.clone();
    let hang = tool("hang", move |_, _| {
        let token = cancelling.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            token.cancel();
            pending().await
        }
    });
    let template = template(&model, [nested("ask", 1, &made), hang]);
    let journal = Recorded::default();
    let mut agent = template.clone().build().await.unwrap();
    let first = agent.prompt("go").cancel_with(token).journal(&journal).await.unwrap();
    assert_eq!((first.stop_reason.clone(), first.turns), (StopReason::Cancelled, 2));
    let replay = journal.replaying();
    let second = template.build().await.unwrap().prompt("go").journal(&replay).await.unwrap();
    assert_eq!((second.stop_reason, second.turns, second.usage), (first.stop_reason, first.turns, first.usage));
}

#[tokio::test]
async fn a_recorded_call_is_not_repeated_if_its_tool_becomes_exclusive() {
    let did = Log::default();
    let does = |name: &'static str, time: u64, exclusive: bool| {
        let did = did.clone();
        tool(name, move |_, _| {
            let did = did.clone();
            async move {
                did.add(name);
                tokio::time::sleep(Duration::from_millis(time)).await;
                Ok(ToolOutput::text(name))
            }
        })
        .policy(ToolPolicy::new().with_exclusive(exclusive))
    };
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses([("slow", json!({})), ("quick", json!({}))]),
        _ => ScriptedTurn::text("done"),
    });
    let journal = Recorded::default();
    let first = template(&model, [does("slow", 50, false), does("quick", 0, false)]);
    first.build().await.unwrap().prompt("go").journal(&journal).await.unwrap();
    did.clear();
    let replay = journal.replaying();
    let second = template(&model, [does("slow", 50, true), does("quick", 0, true)]);
    second.build().await.unwrap().prompt("go").journal(&replay).await.unwrap();
    assert_eq!(did.lines(), [""; 0]);
}
