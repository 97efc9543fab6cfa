//! Records of agents with a sliding window: most invocations write no record, and every restored agent has the conversation of
//! the agent that wrote the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use strands_core::conversation::{Conversation, ConversationManager, Reduction, SlidingWindowConversationManager};
use strands_core::message::{Message, Role};
use strands_core::models::{ErrorDetails, ModelError};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, Limits, Prompt, Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec};
use strands_session::bytes::Bytes;
use strands_session::{
    Document, DocumentStore, FileStore, SessionStore, SnapshotSessionManager, StoreError, StoreSessionManager,
    WriteOutcome,
};

use crate::support::{open, texts};

/// A store that counts the updates of records.
struct Counting {
    store: FileStore,
    updates: Arc<AtomicUsize>,
}

#[strands_core::async_trait]
impl DocumentStore for Counting {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        self.store.get(key).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.store.create(key, content).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        assert!(key.ends_with("/agent.json"), "{key}");
        self.updates.fetch_add(1, Ordering::SeqCst);
        self.store.update(key, content, known).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(key).await
    }
}

/// A model that calls tools, and sometimes gets a conversation that exceeds its context window.
fn model() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match fastrand::u8(0..12) {
        0..4 => ScriptedTurn::tool_use("look", json!({})),
        4 => ScriptedTurn::tool_uses([("look", json!({})), ("touch", json!({}))]),
        5 if request.messages.len() > 6 && fastrand::bool() => {
            ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() })
        }
        _ => ScriptedTurn::text("so be it"),
    })
}

/// A tool that waits for an approval.
struct Pay(ToolSpec);

#[strands_core::async_trait]
impl Tool for Pay {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn policy(&self) -> ToolPolicy {
        ToolPolicy::new().with_approval(true)
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("done"))
    }
}

async fn agent<M: ConversationManager + Clone + 'static>(
    sessions: &SessionStore,
    manager: &M,
    model: ScriptedModel,
) -> Agent {
    let sessions = StoreSessionManager::new("s", sessions.clone()).unwrap();
    let builder = Agent::builder().agent_id("main").limits(Limits::unlimited()).model(model);
    let builder = builder.tool(Pay(ToolSpec::new("pay", "Pays.", json!({"type": "object"}))));
    builder.conversation_manager(manager.clone()).session_manager(sessions).build().await.unwrap()
}

/// The conversation, and the state of the conversation manager.
fn conversation(agent: &Agent) -> (Vec<Message>, Value) {
    let data = agent.snapshot().unwrap().data;
    let messages = data.messages.unwrap().iter().map(|message| Message::clone(message)).collect();
    (messages, Value::Object(data.conversation_manager_state.unwrap()))
}

#[tokio::test]
async fn writes_one_record_for_a_window_of_messages() {
    let folder = tempfile::tempdir().unwrap();
    let updates = Arc::new(AtomicUsize::new(0));
    let sessions = SessionStore::new(Counting { store: FileStore::new(folder.path()), updates: Arc::clone(&updates) });
    let window = SlidingWindowConversationManager::new(20);
    let mut live = agent(&sessions, &window, ScriptedModel::responding("hi")).await;
    for turn in 0..60 {
        live.prompt(turn.to_string()).await.unwrap();
        assert!(!live.has_unsaved_changes().unwrap());
        let removed = |record: &Value| record["removed_message_count"].as_u64().unwrap();
        let stored = open(&sessions, "s", "main").await.record.unwrap().conversation_manager_state;
        let late = removed(&conversation(&live).1) - removed(&Value::Object(stored));
        assert!(late < 20, "a restore reads few messages more: {late}");
    }
    // The first trim, and then one record for each 20 of 100 removed messages.
    assert_eq!(updates.load(Ordering::SeqCst), 1 + 4);
}

#[tokio::test]
async fn restores_the_trimmed_conversation_after_each_invocation() {
    let windows = [
        SlidingWindowConversationManager::new(6),
        SlidingWindowConversationManager::new(9).pin_first(2),
        SlidingWindowConversationManager::new(4).per_turn(2),
        SlidingWindowConversationManager::new(1),
    ];
    for window in windows {
        for seed in 0..if strands_testkit::is_thorough() { 20 } else { 4 } {
            fastrand::seed(seed);
            let folder = tempfile::tempdir().unwrap();
            let sessions = SessionStore::files(folder.path());
            let mut live = agent(&sessions, &window, model()).await;
            for turn in 0..25 {
                let case = format!("{window:?}, seed {seed}, turn {turn}");
                // The next prompt replaces one without a response.
                let has_response = live.prompt(format!("prompt {turn}")).await.is_ok();
                if has_response {
                    let restored = agent(&sessions, &window, model()).await;
                    assert_eq!(conversation(&restored), conversation(&live), "{case}");
                }
                if fastrand::u8(0..10) == 0 {
                    live = agent(&sessions, &window, model()).await;
                }
            }
        }
    }
}

/// Performs one random operation on an agent.
async fn step(agent: &mut Agent, turn: usize) -> Result<(), AgentError> {
    let interrupts = agent.interrupts();
    if !interrupts.is_empty() {
        if fastrand::u8(0..4) == 0 {
            return agent.discard_interrupts().await;
        }
        let responses: Vec<_> = interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
        return agent.prompt(Prompt::none()).resume(responses).await.map(drop);
    }
    match fastrand::u8(0..30) {
        0 => agent.clear().await,
        1 | 2 => {
            let is_end = |message: &Message| message.role == Role::Assistant && message.text() == "so be it";
            let pairs = agent.messages().windows(2).enumerate();
            let is_next = |pair: &[Arc<Message>]| is_end(&pair[0]) && pair[1].text().starts_with("prompt");
            let nexts: Vec<usize> = pairs.filter(|(_, pair)| is_next(pair)).map(|(at, _)| at + 1).collect();
            match nexts.get(fastrand::usize(0..=nexts.len())) {
                Some(at) => agent.rewind(*at).await.map(drop),
                None => Ok(()),
            }
        }
        3..7 => agent.prompt(Message::user(format!("pinned {turn}")).pinned()).await.map(drop),
        7..11 => {
            let talk = ["a", "b", "c", "d"].into_iter().enumerate();
            let talk = talk.map(|(at, text)| if at % 2 == 0 { Message::user(text) } else { Message::assistant(text) });
            let prompt: Vec<Message> = talk.chain([Message::user(format!("several {turn}"))]).collect();
            agent.prompt(prompt).await.map(drop)
        }
        _ => agent.prompt(format!("prompt {turn}")).await.map(drop),
    }
}

#[tokio::test]
async fn restores_the_conversation_after_interrupts_rewinds_pins_and_long_prompts() {
    let model = || {
        ScriptedModel::from_fn(|_| match fastrand::u8(0..12) {
            0..4 => ScriptedTurn::tool_use("look", json!({})),
            4 => ScriptedTurn::tool_uses([("look", json!({})), ("touch", json!({}))]),
            5 | 6 => ScriptedTurn::tool_use("pay", json!({})),
            _ => ScriptedTurn::text("so be it"),
        })
    };
    let windows = [
        SlidingWindowConversationManager::new(6),
        SlidingWindowConversationManager::new(9).pin_first(2),
        SlidingWindowConversationManager::new(15),
        SlidingWindowConversationManager::new(2),
    ];
    for window in windows {
        for seed in 0..if strands_testkit::is_thorough() { 6 } else { 2 } {
            fastrand::seed(seed);
            let folder = tempfile::tempdir().unwrap();
            let sessions = SessionStore::files(folder.path());
            let mut live = agent(&sessions, &window, model()).await;
            for turn in 0..30 {
                let case = format!("{window:?}, seed {seed}, turn {turn}");
                step(&mut live, turn).await.unwrap();
                let restored = agent(&sessions, &window, model()).await;
                assert_eq!(conversation(&restored), conversation(&live), "{case}");
                if fastrand::u8(0..10) == 0 {
                    live = restored;
                }
            }
        }
    }
}

/// Managers of others: one that wraps a sliding window, and one whose state has a `window_size` of its own.
#[derive(Clone)]
enum Other {
    Wrapper(SlidingWindowConversationManager),
    WindowSize,
}

#[strands_core::async_trait]
impl ConversationManager for Other {
    fn name(&self) -> &'static str {
        "Other"
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match self {
            Self::Wrapper(window) => window.apply(conversation).await?,
            Self::WindowSize => {
                conversation.state().insert("window_size".to_owned(), 100.into());
                if conversation.messages().len() > 8 {
                    conversation.remove(0..2);
                }
            }
        }
        Ok(())
    }

    async fn reduce(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Reduction::Impossible("a test".to_owned()))
    }
}

#[tokio::test]
async fn writes_each_record_of_other_managers() {
    for manager in [Other::Wrapper(SlidingWindowConversationManager::new(8)), Other::WindowSize] {
        let folder = tempfile::tempdir().unwrap();
        let sessions = SessionStore::files(folder.path());
        let mut live = agent(&sessions, &manager, ScriptedModel::responding("hi")).await;
        for turn in 0..9 {
            live.prompt(turn.to_string()).await.unwrap();
            let restored = agent(&sessions, &manager, ScriptedModel::responding("hi")).await;
            assert_eq!(conversation(&restored), conversation(&live), "turn {turn}");
        }
        assert_eq!(live.messages().len(), 8);
        let own = conversation(&live).1.get("window_size").cloned();
        assert_eq!(own.is_some(), matches!(manager, Other::WindowSize), "{own:?}");
    }
}

#[tokio::test]
async fn continues_after_a_pinned_prompt_whose_successors_were_removed() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SessionStore::files(folder.path());
    let window = SlidingWindowConversationManager::new(2);
    let mut live = agent(&sessions, &window, ScriptedModel::responding("hi")).await;
    live.prompt(Message::user("pinned").pinned()).await.unwrap();
    for turn in 0..3 {
        live.prompt(turn.to_string()).await.unwrap();
    }
    live.rewind(2).await.unwrap();
    assert_eq!(live.messages().len(), 1);
    let before = texts(&sessions, "s", "main").await;
    live.prompt("next").await.unwrap();
    let shown: Vec<String> = live.messages().iter().map(|message| message.text()).collect();
    assert_eq!(shown, ["pinned", "[Earlier messages left out.]", "next", "hi"]);
    assert_eq!(texts(&sessions, "s", "main").await, [before, vec!["next".to_owned(), "hi".to_owned()]].concat());
    let restored = agent(&sessions, &window, ScriptedModel::responding("hi")).await;
    assert_eq!(conversation(&restored), conversation(&live));
}

#[tokio::test]
async fn trims_to_the_window_of_the_agent_that_wrote_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SessionStore::files(folder.path());
    let window = SlidingWindowConversationManager::new;
    let mut live = agent(&sessions, &window(8), ScriptedModel::responding("hi")).await;
    for turn in 0..9 {
        live.prompt(turn.to_string()).await.unwrap();
    }
    let mut other = agent(&sessions, &window(12), ScriptedModel::responding("hi")).await;
    assert_eq!(conversation(&other).0, conversation(&live).0);
    // The wider window fills up.
    for turn in 9..11 {
        other.prompt(turn.to_string()).await.unwrap();
        let restored = agent(&sessions, &window(12), ScriptedModel::responding("hi")).await;
        assert_eq!(conversation(&restored), conversation(&other), "turn {turn}");
        assert_eq!(restored.messages().len(), 8 + 2 * (turn - 8));
    }
    let narrow = agent(&sessions, &window(2), ScriptedModel::responding("hi")).await;
    assert_eq!(conversation(&narrow).0, conversation(&other).0, "trimmed after its first invocation");
}

#[tokio::test]
async fn removes_trimmed_messages_from_snapshots_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = SnapshotSessionManager::new("s", SessionStore::files(folder.path())).unwrap();
    let builder = Agent::builder().agent_id("main").model(ScriptedModel::responding("hi")).session_manager(sessions);
    let mut live = builder.conversation_manager(SlidingWindowConversationManager::new(4)).build().await.unwrap();
    for turn in 0..6 {
        live.prompt(turn.to_string()).await.unwrap();
        let latest = folder.path().join("session/s/scopes/agent/main/snapshots/snapshot_latest.json");
        let latest: Value = serde_json::from_slice(&std::fs::read(latest).unwrap()).unwrap();
        assert_eq!(latest["data"]["messages"], serde_json::to_value(live.messages()).unwrap(), "turn {turn}");
    }
}
