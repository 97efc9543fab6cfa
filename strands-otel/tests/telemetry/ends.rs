//! Ends of invocations: errors, cancellation, limits and drops end all spans, and leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::Status;
use serde_json::json;
use strands_core::models::ModelError;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, CancellationToken, RetryPolicy, StreamExt as _, ToolError};
use strands_otel::semconv::{self, metric};

use crate::rig::{Rig, attribute, tool, weather, weather_turns};

fn outcomes(rig: &Rig) -> Vec<String> {
    rig.points(metric::INVOCATIONS).into_iter().map(|(attributes, _, _)| attributes["outcome"].clone()).collect()
}

#[tokio::test]
async fn errors_of_models_and_tools_have_a_status_and_a_kind() {
    let rig = Rig::new();
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("down")));
    let mut agent = Agent::builder()
        .name("a")
        .model(model)
        .retry(RetryPolicy::never())
        .hook(rig.telemetry.clone())
        .build()
        .await
        .unwrap();
    agent.prompt("go").await.unwrap_err();
    for name in ["invoke_agent a", "execute_event_loop_cycle", "chat"] {
        let span = rig.span(name);
        assert_eq!(
            (span.status.clone(), attribute(&span, semconv::ERROR_TYPE).as_deref()),
            (Status::error("transport"), Some("transport")),
            "{name}"
        );
    }
    assert_eq!(outcomes(&rig), ["error"]);
    assert_eq!(rig.sum(metric::IN_FLIGHT), 0.0);

    let rig = Rig::new();
    let fails = tool("fail", |_| async { Err(ToolError::new("boom")) });
    let turns = [
        ScriptedTurn::tool_uses([("fail", json!({})), ("invented_by_the_model", json!({}))]),
        ScriptedTurn::text("done"),
    ];
    let mut agent = rig.agent(turns).tool(fails).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let failed = rig.span("execute_tool fail");
    assert_eq!(attribute(&failed, semconv::ERROR_TYPE).as_deref(), Some("error"));
    assert_eq!(attribute(&failed, semconv::TOOL_STATUS).as_deref(), Some("error"));
    assert_eq!(attribute(&rig.span("execute_tool _OTHER"), semconv::ERROR_TYPE).as_deref(), Some("unknown_tool"));
    assert_eq!(rig.span("invoke_agent weather-agent").status, Status::Ok);
    assert_eq!(outcomes(&rig), ["ok"]);
}

#[tokio::test]
async fn cancelled_invocations_end_their_spans() {
    let rig = Rig::new();
    let token = CancellationToken::new();
    let cancel = token.clone();
    let waits = tool("wait", move |_| {
        cancel.cancel();
        std::future::pending()
    });
    let mut agent = rig.agent([ScriptedTurn::tool_use("wait", json!({}))]).tool(waits).build().await.unwrap();
    agent.prompt("go").cancel_with(token).await.unwrap();
    assert_eq!(rig.spans().len(), 4, "{:#?}", rig.tree());
    let agent_span = rig.span("invoke_agent weather-agent");
    assert_eq!(agent_span.status, Status::Unset);
    assert_eq!(attribute(&agent_span, semconv::CANCELLATION_TYPE).as_deref(), Some("cancelled"));
    assert_eq!(outcomes(&rig), ["cancelled"]);
}

#[tokio::test]
async fn dropped_invocations_end_their_spans() {
    for in_tool in [false, true] {
        let rig = Rig::new();
        let waits = tool("wait", |_| std::future::pending());
        let turn = if in_tool {
            ScriptedTurn::tool_use("wait", json!({}))
        } else {
            ScriptedTurn::text("hi").stalling_after(1)
        };
        let mut agent = rig.agent([turn]).tool(waits).build().await.unwrap();
        let mut stream = agent.prompt("go").stream();
        let _ = tokio::time::timeout(Duration::from_millis(20), async { while stream.next().await.is_some() {} }).await;
        assert_eq!(rig.sum(metric::IN_FLIGHT), 1.0);
        drop(stream);
        assert_eq!(rig.spans().len(), if in_tool { 4 } else { 3 }, "{:#?}", rig.tree());
        for span in rig.spans().iter().filter(|span| !(in_tool && span.name == "chat")) {
            assert_eq!(attribute(span, semconv::CANCELLATION_TYPE).as_deref(), Some("dropped"), "{}", span.name);
        }
        assert_eq!(rig.sum(metric::IN_FLIGHT), 0.0);
        assert_eq!(outcomes(&rig), ["dropped"]);
    }
}

#[tokio::test]
async fn dropped_invocations_leave_nothing_behind() {
    let rig = Rig::new();
    let held = Arc::new(());
    for _ in 0..10_000 {
        let held = Arc::clone(&held);
        let waits = tool("wait", move |_| {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Err(ToolError::new("unreachable"))
            }
        });
        let mut agent = rig.agent([ScriptedTurn::tool_use("wait", json!({}))]).tool(waits).build().await.unwrap();
        let mut running = Box::pin(IntoFuture::into_future(agent.prompt("go")));
        assert!(futures_util::poll!(&mut running).is_pending());
        drop(running);
        // Otherwise, the budget of the task ends a poll early.
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(rig.spans().len(), 40_000, "all have ended");
    assert_eq!(rig.sum(metric::IN_FLIGHT), 0.0);
    assert_eq!(rig.points(metric::INVOCATIONS).len(), 1);
}

#[tokio::test]
async fn rounds_of_an_invocation_are_spans_of_their_own() {
    let rig = Rig::new();
    let mut turns: Vec<_> = weather_turns().into();
    turns.push(ScriptedTurn::text("more"));
    let asked = std::sync::atomic::AtomicBool::new(false);
    let builder = rig.agent(turns).tool(weather()).on_after_invocation(move |event| {
        if !asked.swap(true, std::sync::atomic::Ordering::Relaxed) {
            event.resume = Some("and tomorrow?".into());
        }
    });
    let mut agent = builder.build().await.unwrap();
    agent.prompt("weather?").await.unwrap();
    assert_eq!(rig.spans_named("invoke_agent weather-agent").len(), 2);
    assert_eq!(rig.spans_named("execute_event_loop_cycle").len(), 3);
    assert_eq!(rig.sum(metric::IN_FLIGHT), 0.0);
}
