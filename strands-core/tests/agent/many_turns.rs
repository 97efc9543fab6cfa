//! Depth and breadth: thousands of tool turns in one prompt, hundreds of tools.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::stream;
use serde_json::json;
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, Limits};

use crate::support::{agent, assert_whole, listen, naming, newest_results};

/// A model that calls a tool this many times and stores no requests.
struct Counting(AtomicUsize);

#[async_trait]
impl Model for Counting {
    fn model_id(&self) -> &str {
        "counting"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        assert_eq!(request.messages.len() % 2, 1);
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).unwrap_or(0);
        let events = if left > 0 {
            vec![
                StreamEvent::tool_use(0, ToolUseStart::new(left.to_string(), "one")),
                StreamEvent::stop(StopReason::ToolUse),
            ]
        } else {
            vec![StreamEvent::text(0, "at last"), StreamEvent::stop(StopReason::EndTurn)]
        };
        Ok(Box::pin(stream::iter(events.into_iter().map(Ok))))
    }
}

#[tokio::test]
async fn runs_thousands_of_tool_turns_in_one_prompt() {
    for turns in [401, 5_001] {
        let model = Counting(AtomicUsize::new(turns - 1));
        let mut agent = Agent::builder().model(model).tool(naming("one")).build().await.unwrap();
        let response = agent.prompt("go").limits(Limits::unlimited()).await.unwrap();
        assert_eq!((response.text().as_str(), response.turns as usize), ("at last", turns));
        assert_whole(&mut agent).await;
        // The window applies to the next request: it has removed the old calls with their results.
        assert!(agent.messages().len() <= 41, "{}", agent.messages().len());
    }
}

#[tokio::test]
async fn streams_hundreds_of_tool_turns() {
    let model = Counting(AtomicUsize::new(400));
    let mut agent = Agent::builder().model(model).tool(naming("one")).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").limits(Limits::new().turns(500)).stream()).await;
    assert_eq!(ended.unwrap().turns, 401);
    assert_eq!(events.iter().filter(|event| matches!(event, AgentEvent::ToolEnd { .. })).count(), 400);
}

#[tokio::test]
async fn two_hundred_tools_keep_their_order() {
    let names: Vec<&'static str> = (0..200).map(|n| &*format!("tool_{n}").leak()).collect();
    let calls = ScriptedTurn::tool_uses(names.iter().rev().map(|name| (*name, json!({}))));
    let model = ScriptedModel::new([calls, ScriptedTurn::text("done")]);
    let mut agent = agent(&model, names.iter().map(|name| naming(name))).await;
    agent.prompt("go").await.unwrap();
    assert_eq!(model.requests()[0].tools, names);
    let results: Vec<_> = newest_results(agent.messages()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(results, names.iter().rev().copied().collect::<Vec<_>>());
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_thousand_agents_of_one_template_share_its_tools() {
    let names: Vec<&'static str> = (0..200).map(|n| &*format!("tool_{n}").leak()).collect();
    let template = names
        .iter()
        .fold(Agent::builder().model(ScriptedModel::responding("hi")), |builder, name| builder.tool(naming(name)));
    let first = template.clone().build().await.unwrap();
    for _ in 0..1_000 {
        let agent = template.clone().build().await.unwrap();
        let same = first.tools().iter().zip(agent.tools().iter()).all(|(one, other)| Arc::ptr_eq(one, other));
        assert!(same);
    }
}

#[tokio::test]
async fn stops_after_one_hundred_model_calls_by_default() {
    let model = Counting(AtomicUsize::new(usize::MAX));
    let mut agent = Agent::builder().model(model).tool(naming("one")).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 100));
    assert_whole(&mut agent).await;
}
