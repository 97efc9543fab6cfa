//! Rounds that hooks request: limits, time, cycles and the names of journal steps continue over them.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::hook::{AfterInvocation, AfterModelCall, Hook, HookResult};
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Limits, Prompt, RetryPolicy, ToolOutput, tools};

use crate::fakes::*;
use crate::support::{Log, naming, template, tool};

#[tokio::test]
async fn steps_of_a_round_requested_by_a_hook_have_unique_names() {
    let model = ScriptedModel::new([ScriptedTurn::text("first"), ScriptedTurn::text("second")]);
    let (hook, log) = resumes(1);
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    let journal = Recorded::default();
    let response = agent.prompt("go").journal(&journal).await.unwrap();
    assert_eq!(log.lines(), ["first EndTurn", "second EndTurn"], "{:?}", journal.requested.lock().unwrap());
    assert_eq!(response.text(), "second");
}

#[tokio::test]
async fn a_round_after_a_resumed_one_keeps_the_limits_of_the_invocation() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("wipe", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let (hook, log) = resumes(5);
    let mut agent = template(&model, [asks()]).hook(hook).build().await.unwrap();
    agent.prompt("go").limits(Limits::new().turns(3)).await.unwrap();
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!(response.turns, 3, "{:?}", log.lines());
    assert_eq!(model.requests().len(), 3);
}

struct Cycles(Log);

#[async_trait]
impl Hook for Cycles {
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        self.0.add(format!("model {}", event.context.cycle()));
        Ok(())
    }
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        self.0.add(format!("end {}", event.context.cycle()));
        Ok(())
    }
}

#[tokio::test]
async fn the_end_of_an_invocation_has_the_cycle_of_the_call_that_failed() {
    let details = ErrorDetails::new().boxed();
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("leaf", json!({})),
        ScriptedTurn::error(ModelError::InvalidRequest { details }),
    ]);
    let log = Log::default();
    let mut agent = template(&model, [naming("leaf")])
        .retry(RetryPolicy::new().max_attempts(1))
        .hook(Cycles(log.clone()))
        .build()
        .await
        .unwrap();
    agent.prompt("go").await.unwrap_err();
    assert_eq!(log.lines(), ["model 1", "model 2", "end 2"]);
}

#[tokio::test]
async fn the_end_of_an_invocation_has_the_cycle_of_the_call_that_was_cancelled() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("so").stalling_after(2));
    let log = Log::default();
    let mut agent = template(&model, []).hook(Cycles(log.clone())).build().await.unwrap();
    agent.prompt("go").limits(Limits::new().duration(Duration::from_millis(20))).await.unwrap();
    assert_eq!(log.lines(), ["model 1", "end 1"]);
}

#[tokio::test(start_paused = true)]
async fn rounds_and_interrupts_share_the_time_limit() {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().text().as_str() {
        "go" => ScriptedTurn::tool_uses([("slow", json!({})), ("wipe", json!({}))]),
        "more" => ScriptedTurn::tool_use("wipe", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let slow = tool("slow", |_, _| async {
        tokio::time::sleep(Duration::from_millis(80)).await;
        Ok(ToolOutput::text("ok"))
    });
    let last = tool("last", |_, _| async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        Ok(ToolOutput::text("ok"))
    });
    let (hook, _) = resumes(1);
    let mut agent = template(&model, [asks(), slow])
        .limits(Limits::new().duration(Duration::from_millis(100)))
        .hook(hook)
        .build()
        .await
        .unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().stop_reason, StopReason::Interrupt);
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    // The round that the hook requests ends with another interrupt.
    assert_eq!(agent.prompt(Prompt::none()).resume(responses).await.unwrap().stop_reason, StopReason::Interrupt);
    agent.set_model(ScriptedModel::new([ScriptedTurn::tool_use("last", json!({})), ScriptedTurn::text("done")]));
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let response = agent.prompt(Prompt::none()).resume(responses).tools(tools![last]).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration, "80 + 60 of 100 ms were used");
}

#[tokio::test]
async fn usage_of_a_failed_round_is_reported_once() {
    let details = || ErrorDetails::new().boxed();
    let model = ScriptedModel::new([
        ScriptedTurn::error(ModelError::Overloaded { retry_after: None, details: details() }),
        ScriptedTurn::text("one"),
        ScriptedTurn::text("two"),
    ]);
    let (hook, _) = resumes(1);
    let mut agent = template(&model, [])
        .hook(hook)
        .retry(RetryPolicy::new().initial_delay(Duration::from_millis(1)))
        .build()
        .await
        .unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.turns, response.usage.total_tokens), (2, 30));
}
