//! Events of running agents: they begin with a start event, are valid by the schema, and round-trip.

use serde_json::{Value, json};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentEvent, Prompt, StreamExt, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait,
};

use crate::arbitrary::Fields;
use crate::schema::assert_fits;
use crate::{type_of, written};

/// A tool that reports progress and needs an approval.
struct Delete(ToolSpec);

#[async_trait]
impl Tool for Delete {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, context: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        context.progress(json!(0.5)).await?;
        context.interrupt("approval", "delete?")?;
        Ok(ToolOutput::text("deleted"))
    }
}

fn builder() -> AgentBuilder {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("delete", json!({})), ScriptedTurn::text("done")]);
    let spec = ToolSpec::new("delete", "Deletes a file.", json!({"type": "object"}));
    Agent::builder().model(model).tool(Delete(spec)).agent_id("cleaner").name("Cleaner")
}

/// The events of an invocation; the last may be an error, which has no JSON.
async fn listen(mut stream: strands_core::AgentStream<'_>) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(Ok(event)) = stream.next().await {
        let text = written(&event);
        let json = serde_json::from_str(&text).unwrap();
        assert_fits(Fields::Known, &json);
        assert_eq!(written(&serde_json::from_str::<AgentEvent>(&text).unwrap()), text);
        events.push(json);
    }
    events
}

#[tokio::test]
async fn events_of_an_agent_are_valid_and_round_trip() {
    let mut agent = builder().build().await.unwrap();
    let events = listen(agent.prompt("go").stream()).await;
    let types: Vec<_> = events.iter().map(type_of).collect();
    for expected in ["start", "tool_progress", "interrupt"] {
        assert!(types.contains(&expected), "{types:?}");
    }
    let response = agent.interrupts()[0].respond(true);
    let resumed = listen(agent.prompt(Prompt::none()).resume([response]).stream()).await;
    assert_eq!(resumed.last().map(type_of), Some("result"));
    assert_eq!(resumed.last().unwrap()["response"]["metrics"]["tool_usage"]["delete"]["tool_info"]["name"], "delete");
}

#[tokio::test]
async fn each_invocation_begins_with_a_start_event_of_its_agent() {
    let mut agent = builder().session_manager(InMemorySessionManager::new("s-1")).build().await.unwrap();
    let mut first = listen(agent.prompt("go").stream()).await.remove(0);
    let id = first["invocation_id"].take();
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert_eq!(
        first,
        json!({
            "type": "start", "version": 1, "invocation_id": null, "agent_id": "cleaner", "agent_name": "Cleaner",
            "session_id": "s-1",
        })
    );
    let response = agent.interrupts()[0].respond(true);
    let resumed = listen(agent.prompt(Prompt::none()).resume([response]).stream()).await;
    assert_eq!(resumed.iter().filter(|event| type_of(event) == "start").count(), 1);
    assert_ne!(resumed[0]["invocation_id"], id);
}

#[tokio::test]
async fn the_start_event_has_no_session_id_without_a_session() {
    let mut agent = builder().build().await.unwrap();
    let first = listen(agent.prompt("go").stream()).await.remove(0);
    assert_eq!((type_of(&first), first.get("session_id")), ("start", None));
}
