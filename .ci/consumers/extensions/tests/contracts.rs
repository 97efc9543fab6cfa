//! Contract tests of the extensions.

use std::sync::Arc;

use extensions::conversation::NewestPrompts;
use extensions::hook::{Audit, User};
use extensions::model::{Echo, Engine, EngineModel};
use extensions::promptable::Panel;
use extensions::provider::Catalog;
use extensions::tool::Convert;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, iter};
use serde_json::json;
use strands::testing::contract::*;
use strands::testing::{ScriptedModel, ToolContextBuilder};
use strands::{Agent, Promptable, tools};

/// An engine that fails.
struct Broken;

impl Engine for Broken {
    fn respond(&self, _: &str) -> BoxStream<'static, Result<String, std::io::Error>> {
        iter([Ok("Well,".to_owned()), Err(std::io::Error::other("out of memory")), Ok("no.".to_owned())]).boxed()
    }
}

#[tokio::test]
async fn the_model_keeps_the_contract() {
    check_model(&EngineModel::new(Echo)).await.unwrap();
    check_model_failure(&EngineModel::new(Broken)).await.unwrap();
}

#[tokio::test]
async fn the_tool_keeps_the_contract() {
    let (tool, ctx) = (Convert::to("USD", 1.1), ToolContextBuilder::new("convert_to_usd").build());
    check_tool(&tool, &ctx, &json!({"amount": 12.5})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_hook_keeps_the_contract_and_attributes_each_event() {
    for (name, tools) in [("alice", vec![]), ("bob", vec!["convert_to_usd".to_owned(), "contract_repeat".to_owned()])] {
        let (audit, user) = (Audit::default(), User { name: name.to_owned(), tools });
        let with_user = |builder: strands::AgentBuilder| builder.inject(user.clone()).tool(Convert::to("USD", 1.1));
        check_hook(audit.clone(), with_user).await.unwrap();
        let lines = audit.lines();
        assert!(lines.iter().all(|line| line.starts_with("agent-") && line.contains(&format!(" {name}: "))));
        let decision = if name == "alice" { "denied" } else { "allowed" };
        assert!(lines.iter().any(|line| line.ends_with(&format!("{decision} convert_to_usd"))));
    }
}

#[tokio::test]
async fn the_conversation_manager_keeps_the_contract() {
    check_conversation_manager(|| NewestPrompts(3)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_promptable_keeps_the_contract() {
    let member = |name: &str, answer: &str| {
        Arc::new(Agent::builder().model(ScriptedModel::responding(answer)).name(name)) as Arc<dyn Promptable>
    };
    let panel = Panel::of([member("optimist", "Yes."), member("pessimist", "No.")]);
    check_promptable(&panel, || "Will it rain?".into()).await.unwrap();
    // A panel may have members that are panels.
    check_promptable(&Panel::of([Arc::new(panel) as _, member("realist", "Maybe.")]), || "Will it rain?".into())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_tool_provider_keeps_the_contract() {
    let catalog = Catalog::default();
    catalog.replace(tools![Convert::to("USD", 1.1), Convert::to("NOK", 11.8)]);
    check_tool_provider(&catalog).await.unwrap();
    catalog.replace(tools![Convert::to("SEK", 11.0)]);
    check_tool_provider(&catalog).await.unwrap();
}
