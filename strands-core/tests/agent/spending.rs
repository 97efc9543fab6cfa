//! Costs of nested agents: overflow, crashes, conflicts and deep trees.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    AgentError, Limits, Prompt, Promptable, ToolAnnotations, ToolError, ToolOutput, ToolPolicy, ToolRunner, tools,
};

use crate::fakes::*;
use crate::support::{Log, agent, naming, template, tool};

#[tokio::test]
async fn usage_sums_saturate() {
    let made: Arc<AtomicU32> = Arc::default();
    let huge = || Usage::new(u64::MAX, u64::MAX).with_cache(Some(u64::MAX), Some(u64::MAX));
    let inner = tool("ask", move |_, _| {
        made.fetch_add(1, Ordering::SeqCst);
        let model = ScriptedModel::from_fn(move |_| ScriptedTurn::text("hi").with_usage(huge()));
        async move {
            agent(&model, []).await.prompt("go").await.map_err(ToolError::from_source)?;
            Ok(ToolOutput::text("ok"))
        }
    });
    let model = ScriptedModel::from_fn(move |request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses([("ask", json!({})), ("ask", json!({}))]).with_usage(huge()),
        _ => ScriptedTurn::text("done").with_usage(huge()),
    });
    let response = agent(&model, [inner]).await.prompt("go").await.unwrap();
    assert_eq!((response.turns, response.usage.total_tokens), (4, u64::MAX));
}

#[tokio::test(start_paused = true)]
async fn an_agent_in_a_task_is_cancelled_with_its_tool_call() {
    let reason = Log::default();
    let recorded = reason.clone();
    let leaves = tool("leaves", move |ctx, _| {
        let recorded = recorded.clone();
        async move {
            tokio::spawn(async move {
                let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("late").stalling_after(1));
                let ended = agent(&model, []).await.prompt("go").nested_in(&ctx).await.unwrap();
                recorded.add(format!("{:?}", ended.stop_reason));
            });
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(ToolOutput::text("ok"))
        }
    });
    let runner = ToolRunner::new(tools![leaves]).unwrap();
    runner.call("leaves", json!({})).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(reason.lines(), ["Cancelled"]);
}

#[test]
fn the_deepest_tree_of_streams_fits_the_stack() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let deepest = Arc::default();
            let mut events = deep(1, &deepest).stream("go".into());
            while let Some(event) = events.next().await {
                event.unwrap();
            }
            assert_eq!(deepest.load(Ordering::SeqCst), 10);
        });
    };
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).unwrap().join().unwrap();
}

#[tokio::test]
async fn spending_after_a_resume_survives_a_crash() {
    let session = InMemorySessionManager::new("s");
    let made: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses([("wipe", json!({})), ("ask", json!({})), ("second", json!({}))]),
        _ => ScriptedTurn::text("done"),
    });
    let second = naming("second").policy(ToolPolicy::new().with_approval(true));
    let build = || {
        template(&model, [asks(), nested("ask", 3, &made), second.clone()])
            .tool_concurrency(1)
            .limits(Limits::new().turns(4))
            .session_manager(session.clone())
            .build()
    };
    build().await.unwrap().prompt("go").await.unwrap();
    let mut one = build().await.unwrap();
    let responses: Vec<_> = one.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let response = one.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::Interrupt, 4));
    let mut two = build().await.unwrap();
    let responses: Vec<_> = two.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let response = two.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 4));
}

#[tokio::test(start_paused = true)]
async fn nested_spending_before_a_recorded_start_survives_a_crash() {
    let session = InMemorySessionManager::new("s");
    let made: Arc<AtomicU32> = Arc::default();
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses([("wipe", json!({})), ("ask", json!({})), ("hangs", json!({}))]),
        _ => ScriptedTurn::text("done"),
    });
    let runs: Arc<AtomicU32> = Arc::default();
    let hangs = tool("hangs", move |_, _| {
        let runs = Arc::clone(&runs);
        async move {
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                pending::<()>().await;
            }
            Ok(ToolOutput::text("ok"))
        }
    })
    .annotations(ToolAnnotations::new().with_idempotent(true));
    let build = || {
        template(&model, [asks(), nested("ask", 3, &made), hangs.clone()])
            .tool_concurrency(1)
            .limits(Limits::new().turns(4))
            .session_manager(session.clone())
            .build()
    };
    build().await.unwrap().prompt("go").await.unwrap();
    let one = Box::leak(Box::new(build().await.unwrap()));
    let responses: Vec<_> = one.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let mut dying = Box::pin(one.prompt(Prompt::none()).resume(responses).into_future());
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut dying).await.is_err());
    assert_eq!(made.load(Ordering::SeqCst), 3);
    // As in a killed process: no destructor runs.
    std::mem::forget(dying);
    let mut two = build().await.unwrap();
    let response = two.prompt(Prompt::none()).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 4), "{:?}", two.repairs());
}

#[tokio::test]
async fn a_conflict_that_leaves_no_turn_is_an_error() {
    let session = InMemorySessionManager::new("s");
    let writer = session.clone();
    let model = ScriptedModel::from_fn(move |_| {
        let _ = writer.clone().with_messages("default", [Message::user("other"), Message::assistant("worker")]);
        ScriptedTurn::text("lost")
    });
    let mut agent = template(&model, [])
        .session_manager(session.clone())
        .conflict_retries(1)
        .limits(Limits::new().turns(1))
        .build()
        .await
        .unwrap();
    agent.state().set("k", 1).unwrap();
    agent.save().await.unwrap();
    let ended = agent.prompt("go").await;
    let is_stored = format!("{:?}", agent.messages()).contains("lost");
    match ended {
        Ok(response) => assert_eq!(response.text() == "lost", is_stored, "{:?}", response.stop_reason),
        Err(error) => assert!(matches!(&error, AgentError::Session(error) if error.is_conflict()), "{error:?}"),
    }
}
