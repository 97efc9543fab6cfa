//! Agents that begin a new conversation in their session: in every kind of store and session manager, after conversation
//! managers have removed messages, and beside another worker.

use serde_json::json;
use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::session::SessionManager;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, AgentError};
use strands_session::{SessionStore, SnapshotSessionManager, StoreSessionManager};

fn template(manager: impl SessionManager + 'static) -> AgentBuilder {
    Agent::builder().model(ScriptedModel::answering("ok")).session_manager(manager)
}

fn said(agent: &Agent) -> Vec<String> {
    agent.messages().iter().map(|message| message.text()).collect()
}

/// Prompts, clears, prompts: at each step another process sees the same.
async fn clears_and_goes_on(template: AgentBuilder, prompts: usize) {
    let mut agent = template.clone().build().await.unwrap();
    agent.state().set("kept", 1).unwrap();
    for number in 0..prompts {
        agent.prompt(format!("old {number}")).await.unwrap();
    }
    agent.save().await.unwrap();
    agent.clear().await.unwrap();
    assert!(!agent.has_unsaved_changes().unwrap());
    let other = template.clone().build().await.unwrap();
    assert_eq!((said(&other), other.repairs().len()), (vec![], 0));
    assert_eq!(other.state().get("kept"), Some(json!(1)));
    for number in 0..2 {
        agent.prompt(format!("new {number}")).await.unwrap();
    }
    let expected = ["new 0", "ok", "new 1", "ok"];
    assert_eq!(said(&agent), expected);
    let mut again = template.build().await.unwrap();
    assert_eq!(said(&again), expected);
    // Also a second time, and at once.
    again.clear().await.unwrap();
    again.clear().await.unwrap();
    again.prompt("newest").await.unwrap();
    assert_eq!(said(&again), ["newest", "ok"]);
}

#[tokio::test]
async fn a_cleared_conversation_is_gone_from_every_kind_of_session() {
    let folder = tempfile::tempdir().unwrap();
    for prompts in [0, 1, 5, 30] {
        let files = SessionStore::files(folder.path().join(format!("files-{prompts}")));
        clears_and_goes_on(template(StoreSessionManager::new("s", files).unwrap()), prompts).await;
        let snapshots = SessionStore::files(folder.path().join(format!("snapshots-{prompts}")));
        clears_and_goes_on(template(SnapshotSessionManager::new("s", snapshots).unwrap()), prompts).await;
    }
}

#[tokio::test]
async fn removed_messages_and_summaries_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let manager = |name: &str| {
        let store = SessionStore::files(folder.path().join(name));
        StoreSessionManager::new("s", store).unwrap()
    };
    let window = template(manager("window")).conversation_manager(SlidingWindowConversationManager::new(4));
    clears_and_goes_on(window, 12).await;

    let overflows = ScriptedModel::from_fn(|request| {
        let long = request.messages.iter().filter(|message| message.text().starts_with("old")).count();
        if long > 4 && !request.system.iter().any(|block| format!("{block:?}").contains("summar")) {
            let details = strands_core::models::ErrorDetails::new().boxed();
            return ScriptedTurn::error(strands_core::models::ModelError::ContextOverflow { details });
        }
        ScriptedTurn::text("ok")
    });
    let summarizing =
        template(manager("summaries")).model(overflows).conversation_manager(SummarizingConversationManager::new());
    clears_and_goes_on(summarizing, 8).await;
}

#[tokio::test]
async fn of_two_workers_one_clears_and_the_other_gets_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    let template = template(StoreSessionManager::new("s", store).unwrap());
    let mut one = template.clone().build().await.unwrap();
    one.prompt("first").await.unwrap();
    let mut other = template.clone().build().await.unwrap();
    one.clear().await.unwrap();
    let error = other.prompt("second").await.unwrap_err();
    assert!(matches!(&error, AgentError::Session(error) if error.is_conflict()), "{error:?}");
    let error = other.clear().await.unwrap_err();
    assert!(matches!(&error, AgentError::Session(error) if error.is_conflict()), "{error:?}");
    assert_eq!(said(&template.build().await.unwrap()), [""; 0]);
}
