//! Ids of tool calls: unique over a conversation, and the same in events, messages, results and requests.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use strands_core::message::{Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::models::{StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, StreamExt, ToolOutput};

use crate::support::tool;

/// A response that calls `look` once for each id, with the argument that follows the id.
fn calling(calls: &[(&str, &str)]) -> ScriptedTurn {
    let mut events = vec![StreamEvent::start()];
    for (index, (id, at)) in calls.iter().enumerate() {
        events.push(StreamEvent::tool_use(index, ToolUseStart::new(*id, "look")));
        events.push(StreamEvent::tool_input(index, json!({"at": at}).to_string()));
        events.push(StreamEvent::block_stop(index));
    }
    events.push(StreamEvent::stop(StopReason::ToolUse));
    ScriptedTurn::events(events)
}

fn call(id: &str, at: &str) -> ToolUse {
    ToolUse::new(id, "look", json!({"at": at}))
}

fn seen(id: &str, at: &str) -> ToolResult {
    ToolResult::new(id, ToolResultStatus::Success, [format!("seen {at}")])
}

async fn agent(model: &ScriptedModel, messages: Vec<Message>) -> Agent {
    let look =
        tool("look", |_, input| async move { Ok(ToolOutput::text(format!("seen {}", input["at"].as_str().unwrap()))) });
    Agent::builder().model(model.clone()).tool(look).messages(messages).build().await.unwrap()
}

/// Returns the ids of all calls. Fails unless they are unique and each has its own result.
fn ids(messages: &[Arc<Message>]) -> Vec<String> {
    let mut ids = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let calls: Vec<_> = message.tool_uses().collect();
        if calls.is_empty() {
            continue;
        }
        let Some(after) = messages.get(at + 1) else { panic!("calls without results: {calls:?}") };
        let results: Vec<_> = after.tool_results().collect();
        assert_eq!(calls.len(), results.len());
        for (call, result) in calls.into_iter().zip(results) {
            assert_eq!(call.tool_use_id, result.tool_use_id);
            let expected = seen(&call.tool_use_id, call.input["at"].as_str().unwrap());
            assert_eq!(result.content, expected.content);
            ids.push(call.tool_use_id.clone());
        }
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    ids
}

#[tokio::test]
async fn repeated_call_ids_become_unique_in_events_too() {
    let done = || ScriptedTurn::text("done");
    for (turns, expected) in [
        (vec![calling(&[("look:0", "a")]), calling(&[("look:0", "b")]), done()], vec!["look:0", "look:0_2"]),
        (vec![calling(&[("x", "a"), ("x", "b"), ("x", "c")]), done()], vec!["x", "x_2", "x_3"]),
        (
            vec![calling(&[("0", "a"), ("1", "b")]), calling(&[("1", "c"), ("0", "d"), ("0", "e")]), done()],
            vec!["0", "1", "1_2", "0_2", "0_3"],
        ),
        (vec![calling(&[("x_2", "a"), ("x", "b")]), calling(&[("x", "c")]), done()], vec!["x_2", "x", "x_3"]),
    ] {
        let model = ScriptedModel::new(turns);
        let mut agent = agent(&model, Vec::new()).await;
        let mut stream = agent.prompt("look").stream();
        let (mut started, mut deltas, mut run, mut ended) = (Vec::new(), Vec::new(), HashSet::new(), HashSet::new());
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                AgentEvent::ToolUseStart { tool_use_id, .. } => started.push(tool_use_id.to_string()),
                AgentEvent::ToolUseDelta { tool_use_id, .. } => deltas.push(tool_use_id.to_string()),
                AgentEvent::ToolStart { tool_use } => drop(run.insert(tool_use.tool_use_id.clone())),
                AgentEvent::ToolEnd { result, .. } => drop(ended.insert(result.tool_use_id)),
                _ => {}
            }
        }
        drop(stream);
        assert_eq!(ids(agent.messages()), expected);
        assert_eq!((started, &deltas), (deltas.clone(), &expected.iter().map(|id| (*id).to_owned()).collect()));
        let all: HashSet<_> = deltas.into_iter().collect();
        assert_eq!((&run, &ended), (&all, &all));
        for request in model.requests() {
            ids(&request.messages);
        }
    }
}

#[tokio::test]
async fn a_generated_call_id_is_the_same_in_events_and_messages() {
    let model = ScriptedModel::new([calling(&[("", "a"), ("", "b")]), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, Vec::new()).await;
    let mut stream = agent.prompt("look").stream();
    let mut started = Vec::new();
    while let Some(event) = stream.next().await {
        if let AgentEvent::ToolUseStart { tool_use_id, .. } = event.unwrap() {
            started.push(tool_use_id.to_string());
        }
    }
    drop(stream);
    assert_eq!(ids(agent.messages()), started);
    assert!(started.iter().all(|id| id.starts_with("tooluse_") && id.len() == 40), "{started:?}");
}

/// A conversation from another source: ids repeat between messages and within one, and results are split over messages.
fn foreign() -> Vec<Message> {
    vec![
        Message::user("look"),
        Message::new(Role::Assistant, [call("look:0", "a")]),
        Message::new(Role::User, [seen("look:0", "a")]),
        Message::assistant("a"),
        Message::user("again"),
        Message::new(Role::Assistant, [call("look:0", "b"), call("look:0", "c"), call("", "d")]),
        Message::new(Role::User, [seen("look:0", "b"), seen("", "d")]),
        Message::new(Role::User, [seen("look:0", "c")]),
        Message::assistant("b, c and d"),
        Message::user("once more"),
        Message::new(Role::Assistant, [call("look:0", "e")]),
        Message::new(Role::User, [seen("look:0", "e")]),
        Message::assistant("e"),
    ]
}

#[tokio::test]
async fn repeated_call_ids_of_a_stored_history_become_unique() {
    let model = ScriptedModel::new([calling(&[("look:0", "f")]), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, foreign()).await;
    agent.prompt("and f?").await.unwrap();
    let ids = ids(agent.messages());
    assert_eq!(ids.len(), 6);
    assert_eq!(ids[4], "look:0", "the newest call of the history keeps its id");
    for request in model.requests() {
        self::ids(&request.messages);
    }
}

#[tokio::test]
async fn call_ids_of_a_prompt_differ_from_those_of_the_history() {
    let model = ScriptedModel::new([ScriptedTurn::text("done"), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, foreign()).await;
    let mut prompt = foreign();
    prompt.pop();
    agent.prompt(prompt).await.unwrap();
    assert_eq!(ids(agent.messages()).len(), 10);
}

#[tokio::test]
async fn results_match_calls_by_the_id_of_the_provider() {
    let model = ScriptedModel::new([ScriptedTurn::text("done")]);
    let mut messages = foreign();
    messages.extend([Message::user("two"), Message::new(Role::Assistant, [call("look:0", "f"), call("look:0", "g")])]);
    let mut agent = agent(&model, messages).await;
    let results = Message::new(Role::User, [seen("look:0", "f"), seen("look:0", "g")]);
    agent.prompt(vec![results]).await.unwrap();
    assert_eq!(ids(agent.messages()).len(), 7);
}

#[tokio::test]
async fn a_stored_conversation_keeps_its_serialized_prefix() {
    for stored in [Vec::new(), foreign()] {
        let sessions = InMemorySessionManager::new("s").with_messages("default", stored.clone());
        for round in 0..3 {
            let model = ScriptedModel::new([calling(&[("look:0", "x")]), ScriptedTurn::text("done")]);
            let look = tool("look", |_, input| async move {
                Ok(ToolOutput::text(format!("seen {}", input["at"].as_str().unwrap())))
            });
            let builder = Agent::builder().model(model).tool(look).session_manager(sessions.clone());
            let mut agent = builder.build().await.unwrap();
            assert!(agent.repairs().is_empty(), "{:?}", agent.repairs());
            let before = ids(agent.messages());
            agent.prompt("again").await.unwrap();
            let after = ids(agent.messages());
            assert_eq!(after[..before.len()], before, "round {round}");
        }
        let kept = sessions.messages("default");
        let originals = kept.iter().zip(&stored);
        assert!(originals.clone().all(|(kept, stored)| kept.content == stored.content), "{kept:?}");
        assert_eq!(originals.count(), stored.len());
    }
}

#[tokio::test]
async fn a_pending_call_of_a_stored_conversation_gets_a_result() {
    let mut stored = foreign();
    stored.extend([Message::user("two"), Message::new(Role::Assistant, [call("x", "f"), call("x", "g")])]);
    stored.push(Message::new(Role::User, [seen("x", "f"), seen("x", "g")]));
    let sessions = InMemorySessionManager::new("s").with_messages("default", stored.clone());
    for _ in 0..2 {
        let model = ScriptedModel::responding("done");
        let builder = Agent::builder().model(model).session_manager(sessions.clone());
        let mut agent = builder.build().await.unwrap();
        assert_eq!(ids(agent.messages()).len(), 7);
        // The prompt is merged into the message with the results, which is serialized again.
        agent.prompt("so?").await.unwrap();
        assert_eq!(ids(agent.messages()).len(), 7);
    }
    let kept = sessions.messages("default");
    let results: Vec<_> = kept[stored.len() - 1].tool_results().map(|result| result.tool_use_id.as_str()).collect();
    assert_eq!(results, ["x", "x"], "as its calls are stored");
}
