//! The sliding window, seen from outside: the remaining messages are valid input and include the newest prompt.

use serde_json::json;
use strands_core::conversation::{NullConversationManager, SlidingWindowConversationManager};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, ToolOutput};

use crate::support::{assert_whole, naming, template, tool};

async fn with_window(model: &ScriptedModel, window: usize) -> Agent {
    let manager = SlidingWindowConversationManager::new(window);
    template(model, [naming("one")]).conversation_manager(manager).build().await.unwrap()
}

#[tokio::test]
async fn the_window_is_applied_after_each_turn() {
    for window in [0, 1, 2, 3, 7] {
        let model = ScriptedModel::responding("hi");
        let mut agent = with_window(&model, window).await;
        for turn in 0..10 {
            agent.prompt(format!("question {turn}")).await.unwrap();
            assert_whole(&mut agent).await;
            // The shortest history is a prompt and its response.
            assert!(agent.messages().len() <= window.max(2), "{window}: {}", agent.messages().len());
            assert_eq!(agent.messages()[agent.messages().len() - 2].text(), format!("question {turn}"));
        }
    }
}

#[tokio::test]
async fn truncation_keeps_calls_with_their_results() {
    for window in 0..12 {
        let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().count() {
            0 => ScriptedTurn::tool_uses([("one", json!({})), ("one", json!({}))]),
            _ => ScriptedTurn::text("done"),
        });
        let mut agent = with_window(&model, window).await;
        for _ in 0..6 {
            agent.prompt("go").await.unwrap();
            assert_whole(&mut agent).await;
            assert!(agent.messages().len() <= window.max(4), "{window}: {}", agent.messages().len());
        }
    }
}

#[tokio::test]
async fn the_window_is_not_applied_during_an_interrupt() {
    let asks = tool("asks", |ctx, _| async move { ToolOutput::serialize(&ctx.interrupt("q", "?")?) });
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().text().as_str() {
        "ask" => ScriptedTurn::tool_use("asks", json!({})),
        _ => ScriptedTurn::text("hi"),
    });
    let manager = SlidingWindowConversationManager::new(1);
    let mut agent = template(&model, [asks]).conversation_manager(manager).build().await.unwrap();
    agent.prompt("hello").await.unwrap();
    let interrupts = agent.prompt("ask").await.unwrap().interrupts;
    assert_whole(&mut agent).await;
    agent.prompt(strands_core::Prompt::none()).resume([interrupts[0].respond(1)]).await.unwrap();
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn the_null_manager_keeps_all_messages() {
    let model = ScriptedModel::responding("hi");
    let builder = template(&model, []).conversation_manager(NullConversationManager::new());
    let mut agent = builder.build().await.unwrap();
    for _ in 0..50 {
        agent.prompt("go").await.unwrap();
    }
    assert_eq!(agent.messages().len(), 100);
}

#[tokio::test]
async fn the_window_is_applied_after_a_failed_turn() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        0..20 => ScriptedTurn::tool_use("one", json!({})),
        _ => ScriptedTurn::error(strands_core::models::ModelError::protocol("nonsense")),
    });
    let mut agent = with_window(&model, 6).await;
    agent.prompt("go").await.unwrap_err();
    assert_whole(&mut agent).await;
    assert!(agent.messages().len() <= 7, "{}", agent.messages().len());
    assert_eq!(agent.messages()[0].text(), "go");
}
