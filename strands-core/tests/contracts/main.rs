//! Contract suites: the library's implementations pass, and violations are detected.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

mod broken_conversations;
mod broken_hooks;
mod broken_models;
mod broken_multi_agent_sessions;
mod broken_promptables;
mod broken_providers;
mod broken_sessions;
mod broken_tools;
mod document_store;
mod guardrail_hook;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use strands_core::conversation::{
    NullConversationManager, SlidingWindowConversationManager, SummarizingConversationManager,
};
use strands_core::models::{Fallback, Model, ModelError, RateLimit};
use strands_core::testing::contract::{
    check_conversation_manager, check_model, check_multi_agent_session, check_session_manager, check_tool,
};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn, ToolContextBuilder};
use strands_core::tool;

fn sessions(latency: Option<Duration>) -> impl AsyncFn(&str) -> InMemorySessionManager {
    let sessions: Mutex<HashMap<String, InMemorySessionManager>> = Mutex::default();
    async move |id: &str| {
        let mut sessions = sessions.lock().unwrap();
        let session = sessions.entry(id.to_owned()).or_insert_with(|| InMemorySessionManager::new(id));
        session.set_latency(latency);
        session.clone()
    }
}

#[tokio::test]
async fn in_memory_sessions_pass() {
    check_session_manager(sessions(None)).await.unwrap();
    check_multi_agent_session(sessions(None)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn slow_in_memory_sessions_pass() {
    check_session_manager(sessions(Some(Duration::from_millis(1)))).await.unwrap();
    check_multi_agent_session(sessions(Some(Duration::from_millis(1)))).await.unwrap();
}

#[tokio::test]
async fn scripted_models_pass() {
    check_model(&ScriptedModel::responding("Hello there.")).await.unwrap();
}

#[tokio::test]
async fn model_wrappers_pass() {
    let model = || ScriptedModel::responding("Hello there.");
    let down = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("connection refused")));
    check_model(&Fallback::new(down).or(model())).await.unwrap();
    check_model(&RateLimit::new(model()).concurrent(2)).await.unwrap();
    check_model(&(Box::new(model()) as Box<dyn Model>)).await.unwrap();
}

/// Repeats a word.
#[tool(crate = strands_core)]
fn repeat(word: String, times: u8, loud: Option<bool>) -> String {
    let word = if loud == Some(true) { word.to_uppercase() } else { word };
    word.repeat(times.into())
}

#[tokio::test]
async fn tools_pass() {
    let ctx = ToolContextBuilder::new("repeat").build();
    check_tool(&Repeat, &ctx, &json!({"word": "a", "times": 2, "loud": true})).await.unwrap();
}

#[tokio::test]
async fn conversation_managers_pass() {
    check_conversation_manager(NullConversationManager::new).await.unwrap();
}

#[tokio::test]
async fn sliding_window_managers_pass() {
    check_conversation_manager(SlidingWindowConversationManager::default).await.unwrap();
    check_conversation_manager(|| SlidingWindowConversationManager::new(6)).await.unwrap();
    check_conversation_manager(|| SlidingWindowConversationManager::new(10).truncate_results(false).pin_first(1))
        .await
        .unwrap();
    check_conversation_manager(|| SlidingWindowConversationManager::new(10).per_turn(2).proactive(0.7)).await.unwrap();
}

#[tokio::test]
async fn summarizing_managers_pass() {
    check_conversation_manager(SummarizingConversationManager::new).await.unwrap();
    check_conversation_manager(|| SummarizingConversationManager::new().preserve_recent(4).proactive(0.7))
        .await
        .unwrap();
    check_conversation_manager(|| SummarizingConversationManager::new().truncate_results(false).pin_first(1))
        .await
        .unwrap();
}
