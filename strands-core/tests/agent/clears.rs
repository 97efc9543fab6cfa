//! `clear` after a failure, a drop or an interrupt: the new conversation has no part of the old one.

use std::time::Duration;

use serde_json::json;
use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, Limits, Prompt, ToolOutput, tools};

use crate::fakes::*;
use crate::support::{template, tool};

/// Clears the agent while writes to the session fail.
async fn failing_clear(session: &InMemorySessionManager, agent: &mut Agent) {
    session.fail_after(Some(0));
    agent.clear().await.unwrap_err();
    session.fail_after(None);
}

/// A model that calls `wipe` in a conversation that begins with "go", and responds with text in every other.
fn wiping() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match request.messages[0].text().as_str() {
        "go" => ScriptedTurn::tool_use("wipe", json!({})),
        _ => ScriptedTurn::text("a new conversation"),
    })
}

#[tokio::test]
async fn a_failed_clear_is_completed_with_unsaved_messages() {
    let session = InMemorySessionManager::new("s");
    let model = ScriptedModel::responding("fine");
    let mut agent = template(&model, []).session_manager(session.clone()).build().await.unwrap();
    agent.prompt("first").await.unwrap();
    session.fail_after(Some(0));
    agent.prompt("my secret").await.unwrap_err();
    assert!(agent.has_unsaved_changes().unwrap());
    assert!(matches!(agent.clear().await, Err(AgentError::Session(error)) if !error.is_conflict()));
    session.fail_after(None);
    agent.prompt("new topic").await.unwrap();
    let request = model.requests().pop().unwrap();
    assert_eq!(request.messages.len(), 1, "the model sees {:?}", request.messages);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_clear_is_completed_with_unsaved_messages() {
    let session = InMemorySessionManager::new("s");
    let model = ScriptedModel::responding("fine");
    let mut agent = template(&model, []).session_manager(session.clone()).build().await.unwrap();
    agent.prompt("first").await.unwrap();
    session.fail_after(Some(0));
    agent.prompt("my secret").await.unwrap_err();
    session.fail_after(None);
    session.set_latency(Some(Duration::from_millis(10)));
    tokio::time::timeout(Duration::from_millis(5), agent.clear()).await.unwrap_err();
    session.set_latency(None);
    agent.prompt("new topic").await.unwrap();
    let request = model.requests().pop().unwrap();
    assert_eq!(request.messages.len(), 1, "the model sees {:?}", request.messages);
}

#[tokio::test]
async fn clear_removes_the_limits_and_spending_of_an_interrupted_run() {
    let session = InMemorySessionManager::new("s");
    let model = wiping();
    let mut agent = template(&model, [asks()]).session_manager(session.clone()).build().await.unwrap();
    let interrupted = agent.prompt("go").limits(Limits::new().turns(1)).await.unwrap();
    assert_eq!(interrupted.stop_reason, StopReason::Interrupt);
    failing_clear(&session, &mut agent).await;
    let response = agent.prompt("hello").await.unwrap();
    assert_eq!(response.text(), "a new conversation");
    assert_eq!((response.stop_reason, response.turns), (StopReason::EndTurn, 1));
}

#[tokio::test(start_paused = true)]
async fn clear_removes_the_deadline_of_an_interrupted_run() {
    let session = InMemorySessionManager::new("s");
    let slow = ScriptedModel::new([ScriptedTurn::tool_use("wipe", json!({}))]);
    let mut agent = template(&slow, [asks()]).session_manager(session.clone()).build().await.unwrap();
    agent.prompt("go").limits(Limits::new().duration(Duration::from_millis(30))).await.unwrap();
    failing_clear(&session, &mut agent).await;
    agent.set_model(ScriptedModel::new([ScriptedTurn::tool_use("slow", json!({})), ScriptedTurn::text("done")]));
    let slow = tool("slow", |_, _| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(ToolOutput::text("ok"))
    });
    let response = agent.prompt("hello").tools(tools![slow]).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::EndTurn);
}

#[tokio::test]
async fn clear_removes_the_structured_output_of_an_interrupted_run() {
    let session = InMemorySessionManager::new("s");
    let model = wiping();
    let mut agent = template(&model, [asks()]).session_manager(session.clone()).build().await.unwrap();
    agent.prompt("go").output::<Trip>().await.unwrap();
    failing_clear(&session, &mut agent).await;
    let response = agent.prompt("hello").await;
    assert_eq!(response.unwrap().text(), "a new conversation");
    let request = model.requests().pop().unwrap();
    assert_eq!(request.tools, ["wipe"]);
}

#[tokio::test]
async fn clear_of_a_long_conversation_is_seen_by_another_worker() {
    let session = InMemorySessionManager::new("s");
    let model = ScriptedModel::responding("fine");
    let build = || {
        template(&model, [])
            .conversation_manager(SlidingWindowConversationManager::new(4))
            .session_manager(session.clone())
            .build()
    };
    let mut one = build().await.unwrap();
    for _ in 0..6 {
        one.prompt("again").await.unwrap();
    }
    let mut stale = build().await.unwrap();
    one.clear().await.unwrap();
    assert!(session.messages("default").is_empty());
    assert!(build().await.unwrap().messages().is_empty());
    assert!(matches!(stale.prompt("stale").await, Err(AgentError::Session(error)) if error.is_conflict()));
    for _ in 0..4 {
        one.prompt("new").await.unwrap();
    }
    let other = build().await.unwrap();
    assert_eq!(other.messages(), one.messages());
    assert_eq!(session.messages("default").len(), 8);
}

#[tokio::test]
async fn clear_conflicts_with_a_run_claimed_by_another_worker() {
    let session = InMemorySessionManager::new("s");
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("wipe", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let build = || template(&model, [asks()]).session_manager(session.clone()).build();
    let mut one = build().await.unwrap();
    one.prompt("go").await.unwrap();
    let mut two = build().await.unwrap();
    let responses: Vec<_> = two.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    two.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert!(matches!(one.clear().await, Err(AgentError::Session(error)) if error.is_conflict()));
    assert_eq!(one.interrupts().len(), 1);
    assert_eq!(session.messages("default").len(), 4);
    two.clear().await.unwrap();
    assert!(build().await.unwrap().messages().is_empty());
}

#[tokio::test]
async fn clear_removes_the_summary_for_another_worker() {
    let session = InMemorySessionManager::new("s");
    let model = ScriptedModel::from_fn(|request| {
        if request.messages.len() > 5 {
            ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() })
        } else {
            ScriptedTurn::text("fine")
        }
    });
    let summarizer = ScriptedModel::responding("the summary with the secret");
    let build = || {
        template(&model, [])
            .conversation_manager(SummarizingConversationManager::new().model(summarizer.clone()).preserve_recent(2))
            .session_manager(session.clone())
            .build()
    };
    let mut one = build().await.unwrap();
    for _ in 0..5 {
        one.prompt("again and ".repeat(300)).await.unwrap();
    }
    assert!(format!("{:?}", one.messages()).contains("secret"));
    one.clear().await.unwrap();
    assert!(!format!("{:?}", session.record("default")).contains("secret"));
    for _ in 0..2 {
        one.prompt("new").await.unwrap();
    }
    let other = build().await.unwrap();
    assert_eq!(other.messages(), one.messages());
    assert_eq!(other.messages().len(), 4);
}
