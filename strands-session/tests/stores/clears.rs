//! Agents that clear their session: with every session manager, after conversation managers have removed messages, and
//! with a second worker.

use serde_json::json;
use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::session::SessionManager;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, AgentError};
use strands_session::{SessionStore, SnapshotSessionManager, StoreSessionManager};

fn template(manager: impl SessionManager + 'static) -> AgentBuilder {
    Agent::builder().model(ScriptedModel::responding("ok")).session_manager(manager)
}

fn message_texts(agent: &Agent) -> Vec<String> {
    agent.messages().iter().map(|message| message.text()).collect()
}

/// Prompts, clears and prompts. After each step a new agent restores the same conversation.
async fn check_clear(template: AgentBuilder, prompts: usize) {
    let mut agent = template.clone().build().await.unwrap();
    agent.state().set("k", 1).unwrap();
    for number in 0..prompts {
        agent.prompt(format!("old {number}")).await.unwrap();
    }
    agent.save().await.unwrap();
    agent.clear().await.unwrap();
    assert!(!agent.has_unsaved_changes().unwrap());
    let other = template.clone().build().await.unwrap();
    assert_eq!((message_texts(&other), other.repairs().len()), (vec![], 0));
    assert_eq!(other.state().get("k"), Some(json!(1)));
    for number in 0..2 {
        agent.prompt(format!("new {number}")).await.unwrap();
    }
    let expected = ["new 0", "ok", "new 1", "ok"];
    assert_eq!(message_texts(&agent), expected);
    let mut again = template.build().await.unwrap();
    assert_eq!(message_texts(&again), expected);
    // Clearing twice in a row works, too.
    again.clear().await.unwrap();
    again.clear().await.unwrap();
    again.prompt("newest").await.unwrap();
    assert_eq!(message_texts(&again), ["newest", "ok"]);
}

#[tokio::test]
async fn clears_every_kind_of_session() {
    let folder = tempfile::tempdir().unwrap();
    for prompts in [0, 1, 5, 30] {
        let files = SessionStore::files(folder.path().join(format!("files-{prompts}")));
        check_clear(template(StoreSessionManager::new("s", files).unwrap()), prompts).await;
        let snapshots = SessionStore::files(folder.path().join(format!("snapshots-{prompts}")));
        check_clear(template(SnapshotSessionManager::new("s", snapshots).unwrap()), prompts).await;
    }
}

#[tokio::test]
async fn does_not_restore_removed_messages_and_summaries_after_a_clear() {
    let folder = tempfile::tempdir().unwrap();
    let manager = |name: &str| {
        let store = SessionStore::files(folder.path().join(name));
        StoreSessionManager::new("s", store).unwrap()
    };
    let window = template(manager("window")).conversation_manager(SlidingWindowConversationManager::new(4));
    check_clear(window, 12).await;

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
    check_clear(summarizing, 8).await;
}

#[tokio::test]
async fn reports_a_conflict_to_another_worker_after_a_clear() {
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
    assert_eq!(message_texts(&template.build().await.unwrap()), [""; 0]);
}
