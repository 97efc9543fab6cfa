//! An agent and its session: writes, their order, and agents that are built from a session. Uses an in-memory session that
//! can be made to fail; stores have their own tests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic, and so may their utilities")]

use serde_json::{Value, json};
use strands_core::message::{Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::models::StopReason;
use strands_core::session::{AgentRecord, SessionError};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, Prompt, Repair, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait,
};

/// An in-memory session of one agent. Clones share it.
#[derive(Clone)]
struct Memory(InMemorySessionManager);

impl Memory {
    fn with(messages: impl IntoIterator<Item = Message>) -> Self {
        Self(InMemorySessionManager::new("memory").with_messages("default", messages))
    }

    fn messages(&self) -> Vec<Message> {
        self.0.messages("default").iter().map(|message| Message::clone(message)).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.messages().iter().map(Message::text).collect()
    }

    fn record(&self) -> AgentRecord {
        self.0.record("default").unwrap()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self(InMemorySessionManager::new("memory"))
    }
}

/// A tool that needs an approval.
struct Delete(ToolSpec);

impl Delete {
    fn new() -> Self {
        Self(ToolSpec::new("delete", "Deletes a file.", json!({"type": "object"})))
    }
}

#[async_trait]
impl Tool for Delete {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let response = ctx.interrupt("approval", "delete?")?;
        ctx.state().set("deleted", true).map_err(ToolError::from_source)?;
        Ok(ToolOutput::text(format!("approval: {response}")))
    }
}

fn agent(store: &Memory, model: ScriptedModel) -> AgentBuilder {
    Agent::builder().model(model).session_manager(store.0.clone()).tool(Delete::new())
}

fn same(agent: &Agent, store: &Memory) {
    let messages: Vec<_> = agent.messages().iter().map(|message| Message::clone(message)).collect();
    assert_eq!(messages, store.messages());
}

#[tokio::test]
async fn continues_a_conversation_in_another_process() {
    let store = Memory::default();
    let mut first = agent(&store, ScriptedModel::responding("hi")).build().await.unwrap();
    first.state().set("name", "Ana").unwrap();
    first.prompt("hello").await.unwrap();
    same(&first, &store);
    drop(first);

    let model = ScriptedModel::responding("still here");
    let mut second = agent(&store, model.clone()).build().await.unwrap();
    assert_eq!(second.state().get("name"), Some(json!("Ana")));
    second.prompt("still there?").await.unwrap();
    same(&second, &store);
    assert_eq!(model.requests()[0].messages.len(), 3);
    assert_eq!(store.texts(), ["hello", "hi", "still there?", "still here"]);
}

#[tokio::test]
async fn does_not_persist_a_prompt_without_a_response() {
    let store = Memory::default();
    let mut agent = agent(&store, ScriptedModel::new([])).build().await.unwrap();
    agent.prompt("hello").await.unwrap_err();
    assert_eq!(store.texts(), Vec::<String>::new());
}

#[tokio::test]
async fn persists_an_interrupt_and_resumes_in_another_process() {
    let store = Memory::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("delete", json!({}))]);
    let mut first = agent(&store, asks).build().await.unwrap();
    let response = first.prompt("delete it").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let state = store.record().internal_state.interrupt_state;
    assert_eq!(state["activated"], json!(true));
    assert_eq!(state["pending_tool_execution"]["assistant_message"]["role"], json!("assistant"));
    drop(first);

    let mut second = agent(&store, ScriptedModel::responding("done")).build().await.unwrap();
    let waiting = second.interrupts();
    assert_eq!(waiting, response.interrupts);
    assert!(matches!(second.prompt("well?").await, Err(AgentError::Interrupted { .. })));
    let response = second.prompt(Prompt::none()).resume([waiting[0].respond("yes")]).await.unwrap();
    assert_eq!(response.text(), "done");
    assert_eq!(second.state().get("deleted"), Some(json!(true)));
    assert_eq!(store.record().internal_state.interrupt_state["activated"], json!(false));
    same(&second, &store);
}

#[tokio::test]
async fn a_second_worker_gets_a_conflict_and_overwrites_nothing() {
    let store = Memory::default();
    let mut one = agent(&store, ScriptedModel::responding("one")).build().await.unwrap();
    let mut other = agent(&store, ScriptedModel::responding("other")).build().await.unwrap();
    one.prompt("first").await.unwrap();
    let error = other.prompt("second").await.unwrap_err();
    assert!(matches!(error, AgentError::Session(SessionError::Conflict { .. })), "{error:?}");
    assert_eq!(store.texts(), ["first", "one"]);
}

#[tokio::test]
async fn a_second_worker_can_retry_from_the_stored_conversation() {
    let store = Memory::default();
    let mut one = agent(&store, ScriptedModel::responding("one")).build().await.unwrap();
    let model = ScriptedModel::responding("other");
    let mut other = agent(&store, model.clone()).conflict_retries(1).build().await.unwrap();
    one.prompt("first").await.unwrap();
    let response = other.prompt("second").await.unwrap();
    assert_eq!(response.text(), "other");
    assert_eq!(model.requests()[1].messages.len(), 3);
    assert_eq!(store.texts(), ["first", "one", "second", "other"]);
    same(&other, &store);
}

#[tokio::test]
async fn the_next_invocation_persists_unsaved_messages() {
    let store = Memory::default();
    let mut agent = agent(&store, ScriptedModel::responding("hi")).build().await.unwrap();
    agent.prompt("one").await.unwrap();
    store.0.fail_after(Some(0));
    let error = agent.prompt("two").await.unwrap_err();
    assert!(matches!(error, AgentError::Session(SessionError::Storage { .. })), "{error:?}");
    // A prompt is not written without its response.
    assert_eq!(store.texts(), ["one", "hi"]);
    assert!(agent.has_unsaved_changes().unwrap());
    store.0.fail_after(None);
    agent.prompt("three").await.unwrap();
    assert_eq!(store.texts(), ["one", "hi", "two", "hi", "three", "hi"]);
    same(&agent, &store);
}

#[tokio::test]
async fn joins_tool_results_and_the_next_prompt_in_one_message() {
    let store = Memory::default();
    let turns = [ScriptedTurn::tool_use("nonesuch", json!({})), ScriptedTurn::error(refused())];
    let mut failing = agent(&store, ScriptedModel::new(turns)).build().await.unwrap();
    failing.prompt("go").await.unwrap_err();
    assert_eq!(store.messages().len(), 3);
    drop(failing);

    let mut agent = agent(&store, ScriptedModel::responding("fine")).build().await.unwrap();
    agent.prompt("never mind").await.unwrap();
    let messages = store.messages();
    assert_eq!(
        messages.iter().map(|message| message.role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::User, Role::Assistant]
    );
    assert_eq!(messages[2].tool_results().count(), 1);
    assert_eq!(messages[2].text(), "never mind");
    same(&agent, &store);
}

fn refused() -> strands_core::models::ModelError {
    strands_core::models::ModelError::InvalidRequest { details: Box::default() }
}

#[tokio::test]
async fn does_not_repeat_prompts_that_another_client_left_without_a_response() {
    let store = Memory::with(vec![Message::user("one"), Message::user("two")]);
    let mut first = agent(&store, ScriptedModel::responding("hi")).build().await.unwrap();
    first.prompt("three").await.unwrap();
    assert_eq!(store.texts(), ["one", "two\nthree", "hi"]);
    let second = agent(&store, ScriptedModel::responding("hi")).build().await.unwrap();
    assert_eq!(second.messages().iter().map(|message| message.text()).collect::<Vec<_>>(), ["one\ntwo\nthree", "hi"]);
}

#[tokio::test]
async fn restores_only_the_messages_in_the_window() {
    let store = Memory::default();
    let window = || strands_core::conversation::SlidingWindowConversationManager::new(4);
    let build = || agent(&store, ScriptedModel::responding("hi")).conversation_manager(window());
    let mut first = build().build().await.unwrap();
    for number in 0..5 {
        first.prompt(number.to_string()).await.unwrap();
    }
    assert_eq!(store.messages().len(), 10);
    assert_eq!(store.record().conversation_manager_state["removed_message_count"], json!(6));
    let second = build().build().await.unwrap();
    assert_eq!(second.messages(), first.messages());
}

#[tokio::test]
async fn reports_repairs_of_a_restored_conversation() {
    let call = |id: &str| Message::new(Role::Assistant, [ToolUse::new(id, "delete", json!({}))]);
    let result = |id: &str| Message::new(Role::User, [ToolResult::new(id, ToolResultStatus::Success, ["ok"])]);
    let messages =
        [Message::user("go"), call("lost"), Message::user("well?"), Message::assistant("hm"), result("stray")];
    let store = Memory::with(messages);
    let agent = agent(&store, ScriptedModel::responding("hi")).build().await.unwrap();
    assert_eq!(
        agent.repairs(),
        [Repair::ResultAdded { tool_use_id: "lost".into() }, Repair::ResultDropped { tool_use_id: "stray".into() },]
    );
    assert_eq!(store.messages().len(), 5, "the stored messages do not change");
}
