//! Limits and checks of direct tool calls.

use std::time::Duration;

use serde_json::json;
use strands_core::conversation::ToolResultOffloader;
use strands_core::session::InMemoryContentStore;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, InterruptResponse, Limits, ToolCallOutcome, ToolError, ToolOutput, ToolRunner, tools};

use crate::fakes::*;
use crate::support::{agent, naming, template, text_of, tool};

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_direct_call_binds_nested_agents() {
    let ask = tool("ask", |_, _| async {
        let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("late").stalling_after(1));
        let response = agent(&model, []).await.prompt("go").await.map_err(ToolError::from_source)?;
        Ok(ToolOutput::text(format!("{:?}", response.stop_reason)))
    });
    let runner = ToolRunner::new(tools![ask]).unwrap();
    let runner = runner.limits(Limits::unlimited().duration(Duration::from_millis(100)));
    let ended = tokio::time::timeout(Duration::from_secs(60), runner.call("ask", json!({})).into_future()).await;
    assert!(ended.is_ok(), "the direct call goes on after the time of its limits");
}

#[tokio::test]
async fn a_direct_call_rejects_a_response_to_an_unknown_interrupt() {
    let runner = ToolRunner::new(tools![asks()]).unwrap();
    let ended = runner.call("wipe", json!({})).resume([InterruptResponse::new("nobody", true)]).await;
    assert!(matches!(ended, Err(AgentError::UnknownInterrupt { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_direct_call_returns_the_untruncated_result() {
    let offloader = ToolResultOffloader::new(InMemoryContentStore::default()).threshold(100);
    let long = tool("long", |_, _| async { Ok(ToolOutput::text("word ".repeat(10_000))) });
    let model = ScriptedModel::responding("hi");
    let agent = template(&model, [long]).offload_tool_results(offloader).build().await.unwrap();
    let ToolCallOutcome::Result(result) = agent.call_tool("long", json!({})).await.unwrap() else { panic!() };
    assert_eq!(text_of(&result).len(), 50_000);
}

#[tokio::test]
async fn a_direct_call_rejects_deeply_nested_arguments() {
    let runner = ToolRunner::new(tools![naming("echo")]).unwrap();
    let deep = (0..500).fold(json!(1), |value, _| json!([value]));
    let ended = runner.call("echo", json!({"deep": deep})).await;
    assert!(
        matches!(&ended, Err(AgentError::JsonTooDeep { .. }))
            || matches!(&ended, Ok(ToolCallOutcome::Result(result)) if result.is_error()),
        "it was called"
    );
}
