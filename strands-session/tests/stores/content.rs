//! Offloaded tool results are stored in the session and deleted with it.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::conversation::ToolResultOffloader;
use strands_core::session::{ContentStore, SessionError};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait};
use strands_session::object_store::memory::InMemory;
use strands_session::{SessionContentStore, SessionStore, StoreSessionManager};

/// A tool with a long result.
struct Report(ToolSpec);

#[async_trait]
impl Tool for Report {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let lines: Vec<String> = (1..=5_000).map(|line| format!("line {line} of the report")).collect();
        Ok(ToolOutput::text(lines.join("\n")))
    }
}

fn agent(store: &SessionStore, model: ScriptedModel) -> strands_core::AgentBuilder {
    let content = SessionContentStore::new("s1", store.clone()).unwrap();
    Agent::builder()
        .model(model)
        .tool(Report(ToolSpec::new("report", "A report.", json!({"type": "object"}))))
        .offload_tool_results(ToolResultOffloader::new(content))
        .session_manager(StoreSessionManager::new("s1", store.clone()).unwrap())
}

#[tokio::test]
async fn retrieves_an_offloaded_result_in_another_process() {
    let store = SessionStore::objects(Arc::new(InMemory::new()), "store").unwrap();
    let turns = [ScriptedTurn::tool_use("report", json!({})), ScriptedTurn::text("Long.")];
    let mut first = agent(&store, ScriptedModel::new(turns)).build().await.unwrap();
    first.prompt("the report, please").await.unwrap();
    let seen = serde_json::to_string(first.messages()).unwrap();
    assert!(!seen.contains("line 2500 of"), "the middle is not in the conversation");
    drop(first);

    let reference_of = |text: &str| {
        let from = text.find("ref: ").unwrap() + 5;
        text.get(from..).unwrap().split([']', ',', ' ', '"', '\\']).next().unwrap().to_owned()
    };
    let arguments = json!({"reference": reference_of(&seen), "pattern": "line 2500 "});
    let turns = [ScriptedTurn::tool_use("retrieve_offloaded_content", arguments), ScriptedTurn::text("Found.")];
    let model = ScriptedModel::new(turns);
    let mut second = agent(&store, model.clone()).build().await.unwrap();
    second.prompt("what is in line 2500?").await.unwrap();
    let requests = model.requests();
    let found = serde_json::to_string(&requests.last().unwrap().messages).unwrap();
    assert!(found.contains("line 2500 of the report"), "{found}");

    store.delete("s1").await.unwrap();
    let content = SessionContentStore::new("s1", store.clone()).unwrap();
    assert_eq!(content.get(&reference_of(&seen)).await.unwrap(), None);
}

#[tokio::test]
async fn writes_a_key_once_and_rejects_paths() {
    let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
    let content = SessionContentStore::new("s1", store).unwrap();
    content.put("a", "text").await.unwrap();
    content.put("a", "text").await.unwrap();
    assert!(matches!(content.put("a", "other").await, Err(SessionError::Conflict { .. })));
    assert_eq!(content.get("a").await.unwrap().as_deref(), Some("text"));
    assert_eq!(content.get("b").await.unwrap(), None);
    for hostile in ["", "..", "a/b", "../session_s2/session.json", "\0"] {
        assert!(matches!(content.put(hostile, "x").await, Err(SessionError::InvalidId { .. })), "{hostile}");
    }
}
