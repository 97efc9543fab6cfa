//! Offloading of large tool results: preview, store and the tool that reads them.

use async_trait::async_trait;
use serde_json::json;
use strands_core::conversation::ToolResultOffloader;
use strands_core::hook::{AfterToolCall, Hook, HookResult};
use strands_core::message::ToolResultContent;
use strands_core::session::{ContentStore, InMemoryContentStore, SessionError};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder};

use crate::support::Look;

fn looking(kind: &str, size: usize) -> ScriptedTurn {
    ScriptedTurn::tool_use("look", json!({"kind": kind, "size": size}))
}

fn builder(model: &ScriptedModel) -> AgentBuilder {
    Agent::builder().model(model.clone()).tool(Look::new())
}

fn newest_result(agent: &Agent) -> Vec<ToolResultContent> {
    let newest = agent.messages().iter().rfind(|message| message.tool_results().next().is_some()).unwrap();
    newest.tool_results().last().unwrap().content.clone()
}

fn text(content: &[ToolResultContent]) -> &str {
    let [ToolResultContent::Text(text), ..] = content else { return "" };
    text
}

#[tokio::test]
async fn sends_a_preview_and_reads_the_rest_by_reference() {
    let model = ScriptedModel::from_fn(|request| {
        let newest = request.messages.last().unwrap();
        let Some(result) = newest.tool_results().next() else { return looking("json", 60_000) };
        match text(&result.content).split_once("[ref: ").and_then(|(_, rest)| rest.split_once(']')) {
            Some((reference, _)) => ScriptedTurn::tool_use(
                "retrieve_offloaded_content",
                json!({"reference": reference, "line_range": {"start": 3, "end": 4}}),
            ),
            None => ScriptedTurn::text("read"),
        }
    });
    let offloader = ToolResultOffloader::new(InMemoryContentStore::default());
    let mut agent = builder(&model).offload_tool_results(offloader).build().await.unwrap();
    agent.prompt("look").await.unwrap();
    let preview = agent.messages()[2].tool_results().next().unwrap().content.clone();
    let preview = text(&preview);
    assert!(preview.starts_with("[Offloaded: ~"), "{preview}");
    assert!((3_900..4_500).contains(&preview.len()), "{}", preview.len());
    assert!(preview.ends_with("]\n}"), "{preview}");
    assert_eq!(text(&newest_result(&agent)), "[lines 3 to 4 of 10004]\n    \"row\",\n    \"row\",\n");
}

#[tokio::test]
async fn keeps_short_results_and_media() {
    for (kind, size) in [("text", 9_000), ("image", 0)] {
        let model = ScriptedModel::new([looking(kind, size), ScriptedTurn::text("seen")]);
        let store = InMemoryContentStore::default();
        let with = builder(&model).offload_tool_results(ToolResultOffloader::new(store));
        let mut agent = with.build().await.unwrap();
        agent.prompt("look").await.unwrap();
        let result = newest_result(&agent);
        assert!(!text(&result).contains("[Offloaded"), "{result:?}");
        assert_eq!(result.len(), if kind == "image" { 2 } else { 1 });
    }
}

#[tokio::test]
async fn returns_an_error_result_for_an_unknown_reference() {
    let call = ScriptedTurn::tool_use("retrieve_offloaded_content", json!({"reference": "offloaded-1"}));
    let model = ScriptedModel::new([call, ScriptedTurn::text("oh")]);
    let offloader = ToolResultOffloader::new(InMemoryContentStore::default());
    let mut agent = builder(&model).offload_tool_results(offloader).build().await.unwrap();
    agent.prompt("look").await.unwrap();
    let result = agent.messages()[2].tool_results().next().unwrap();
    assert!(result.is_error() && text(&result.content).contains("no content `offloaded-1`"), "{result:?}");
}

/// A hook that redacts results, added before and after the offloader.
struct Redacts;

#[async_trait]
impl Hook for Redacts {
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        for part in &mut event.result.content {
            if let ToolResultContent::Text(text) = part {
                *text = text.replace('é', "x");
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn stores_results_after_all_other_hooks() {
    for first in [true, false] {
        let model = ScriptedModel::new([looking("text", 40_000), ScriptedTurn::text("seen")]);
        let store = InMemoryContentStore::default();
        let offloader = ToolResultOffloader::new(store.clone());
        let builder = builder(&model);
        let builder = match first {
            true => builder.hook(Redacts).offload_tool_results(offloader),
            false => builder.offload_tool_results(offloader).hook(Redacts),
        };
        let mut agent = builder.build().await.unwrap();
        agent.prompt("look").await.unwrap();
        let result = newest_result(&agent);
        let (_, rest) = text(&result).split_once("[ref: ").unwrap();
        let stored = store.get(rest.split_once(']').unwrap().0).await.unwrap().unwrap();
        assert!(stored.len() == 40_000 && !stored.contains('é'));
    }
}

/// A store that fails all writes.
struct Full;

#[async_trait]
impl ContentStore for Full {
    async fn put(&self, key: &str, _: &str) -> Result<(), SessionError> {
        Err(SessionError::Storage { action: "write", key: key.to_owned(), source: "the disk is full".into() })
    }

    async fn get(&self, _: &str) -> Result<Option<String>, SessionError> {
        Ok(None)
    }
}

#[tokio::test]
async fn keeps_the_result_if_the_store_fails() {
    let model = ScriptedModel::new([looking("text", 40_000), ScriptedTurn::text("seen")]);
    let mut agent = builder(&model).offload_tool_results(ToolResultOffloader::new(Full)).build().await.unwrap();
    agent.prompt("look").await.unwrap();
    assert_eq!(text(&newest_result(&agent)).chars().count(), 40_000);
}
