//! Concurrent tools: their order, the limit, exclusive tools, and events while they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentEvent, ToolOutput, ToolPolicy};
use tokio::sync::{Barrier, Notify};
use tokio::time::Instant;

use crate::support::{FnTool, Log, agent, assert_whole, naming, newest_results, template, tool};

fn calling(names: &[&str]) -> ScriptedModel {
    let calls = ScriptedTurn::tool_uses(names.iter().map(|name| (*name, json!({}))));
    ScriptedModel::new([calls, ScriptedTurn::text("done")])
}

/// A tool that takes this many seconds and records its start and its end.
fn taking(name: &'static str, seconds: u64, log: &Log) -> FnTool {
    let log = log.clone();
    tool(name, move |_, _| {
        let log = log.clone();
        async move {
            log.add(format!("{name} begins"));
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            log.add(format!("{name} ends"));
            Ok(ToolOutput::text(name))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn concurrent_tools_keep_their_results_in_call_order() {
    let log = Log::default();
    let model = calling(&["slow", "quick"]);
    let mut agent = agent(&model, [taking("quick", 1, &log), taking("slow", 9, &log)]).await;
    let began = Instant::now();
    agent.prompt("go").await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 9);
    assert_eq!(log.lines(), ["slow begins", "quick begins", "quick ends", "slow ends"]);
    assert_eq!(newest_results(agent.messages()), [(false, "slow".into()), (false, "quick".into())]);
}

#[tokio::test]
async fn the_default_concurrency_is_reached() {
    let together = Arc::new(Barrier::new(64));
    let meets = tool("meets", move |_, _| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            Ok(ToolOutput::text("met"))
        }
    });
    let model = calling(&["meets"; 64]);
    let mut agent = agent(&model, [meets]).await;
    agent.prompt("go").await.unwrap();
    assert_eq!(newest_results(agent.messages()).len(), 64);
}

#[tokio::test(start_paused = true)]
async fn sequential_tools_run_in_call_order() {
    let log = Log::default();
    let model = calling(&["slow", "quick", "slow"]);
    let builder = template(&model, [taking("quick", 1, &log), taking("slow", 9, &log)]);
    let mut agent = builder.tool_concurrency(1).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let expected = ["slow begins", "slow ends", "quick begins", "quick ends", "slow begins", "slow ends"];
    assert_eq!(log.lines(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_limit_is_never_exceeded() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        tool("counts", move |_, _| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(ToolOutput::text("counted"))
            }
        })
    };
    let model = calling(&["counts"; 20]);
    let mut agent = template(&model, [counts]).tool_concurrency(3).build().await.unwrap();
    let began = Instant::now();
    agent.prompt("go").await.unwrap();
    assert_eq!((most.load(Ordering::SeqCst), began.elapsed().as_secs()), (3, 7));
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_tool_runs_alone() {
    let log = Log::default();
    let model = calling(&["a", "alone", "b", "c"]);
    let alone = taking("alone", 1, &log).policy(ToolPolicy::new().with_exclusive(true));
    let tools = [taking("a", 2, &log), alone, taking("b", 2, &log), taking("c", 1, &log)];
    let mut agent = agent(&model, tools).await;
    agent.prompt("go").await.unwrap();
    let lines = ["a begins", "a ends", "alone begins", "alone ends", "b begins", "c begins", "c ends", "b ends"];
    assert_eq!(log.lines(), lines);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn events_of_a_tool_arrive_while_it_runs() {
    let release = Arc::new(Notify::new());
    let waits = Arc::clone(&release);
    let reports = tool("reports", move |ctx, _| {
        let waits = Arc::clone(&waits);
        async move {
            ctx.progress(json!({"done": 1})).await?;
            waits.notified().await;
            ctx.progress(json!({"done": 2})).await?;
            Ok(ToolOutput::text("ok"))
        }
    });
    let model = calling(&["reports", "quick"]);
    let mut agent = agent(&model, [reports, naming("quick")]).await;
    let mut stream = agent.prompt("go").stream();
    let mut received = Vec::new();
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AgentEvent::ToolStart { tool_use } => received.push(format!("start {}", tool_use.name)),
            AgentEvent::ToolProgress { tool_use, data } => {
                received.push(format!("{} {data}", tool_use.name));
                // The tool goes on only after its first event was received.
                release.notify_one();
            }
            AgentEvent::ToolEnd { tool_use, .. } => received.push(format!("end {}", tool_use.name)),
            _ => {}
        }
    }
    let of = |name: &str| received.iter().filter(|line| line.contains(name)).cloned().collect::<Vec<_>>();
    assert_eq!(of("reports"), ["start reports", r#"reports {"done":1}"#, r#"reports {"done":2}"#, "end reports"]);
    assert_eq!(of("quick"), ["start quick", "end quick"]);
}

#[tokio::test]
async fn a_detached_task_of_a_tool_does_not_block_the_turn() {
    let chatty = tool("chatty", |ctx, _| async move {
        tokio::spawn(async move {
            while ctx.progress("still here").await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        tokio::task::yield_now().await;
        Ok(ToolOutput::text("ok"))
    });
    let model = calling(&["chatty", "one"]);
    let mut agent = agent(&model, [chatty, naming("one")]).await;
    let mut stream = agent.prompt("go").stream();
    let mut events = 0;
    while let Some(event) = stream.next().await {
        event.unwrap();
        events += 1;
        assert!(events < 10_000, "the turn does not end");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn events_of_a_tool_have_backpressure() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let chatty = tool("chatty", move |ctx, _| {
        let counted = Arc::clone(&counted);
        async move {
            for word in 0..1_000 {
                ctx.progress(word).await?;
                counted.fetch_add(1, Ordering::SeqCst);
            }
            Ok(ToolOutput::text("ok"))
        }
    });
    let model = calling(&["chatty"]);
    let mut agent = agent(&model, [chatty]).await;
    let mut stream = agent.prompt("go").stream();
    let mut received = 0;
    while let Some(event) = stream.next().await {
        if matches!(event.unwrap(), AgentEvent::ToolProgress { .. }) {
            received += 1;
            let ahead = sent.load(Ordering::SeqCst) - received.min(sent.load(Ordering::SeqCst));
            assert!(ahead <= 65, "{ahead} events ahead");
        }
    }
    assert_eq!(received, 1_000);
}

#[tokio::test]
async fn tools_and_history_are_sent_in_a_stable_order() {
    let names: Vec<&'static str> = vec!["zeta", "alpha", "mid", "beta"];
    let model = calling(&["mid"]);
    let mut agent = agent(&model, names.iter().map(|name| naming(name))).await;
    agent.prompt("go").await.unwrap();
    for request in model.requests() {
        assert_eq!(request.tools, names);
    }
    let json = |at: usize| serde_json::to_string(&model.requests()[at].messages).unwrap();
    let first = json(0);
    assert!(json(1).starts_with(first.trim_end_matches(']')));
}
