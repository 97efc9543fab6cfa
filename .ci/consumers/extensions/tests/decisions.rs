//! The authorizer, the audit sink and the guardrail, with an agent.

use std::sync::Arc;

use extensions::authorizer::{Budgets, Lines};
use extensions::guardrail::CodeName;
use futures_util::StreamExt as _;
use strands::guardrails::GuardrailHook;
use strands::identity::{Audit, AuthorizationHook, Identity};
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentEvent, tool, tools};

/// Buys something.
#[tool]
fn buy(price: u64) -> String {
    format!("bought for {price}")
}

#[tokio::test]
async fn a_user_spends_no_more_than_the_budget() {
    let (budgets, lines) = (Arc::new(Budgets::default()), Lines::default());
    budgets.set("ann", 100);
    let buy = |price: u64| ScriptedTurn::tool_use("buy", json!({"price": price}));
    let model = ScriptedModel::new([buy(60), buy(60), buy(40), ScriptedTurn::text("Done.")]);
    let hook = AuthorizationHook::new(Arc::clone(&budgets)).audit(Audit::new(lines.clone()));
    let mut agent = Agent::builder().model(model).tools(tools![Buy]).hook(hook).build().await.unwrap();
    agent.prompt("Buy three things.").inject(Identity::new("ann")).await.unwrap();
    let failed: Vec<bool> =
        agent.messages().iter().flat_map(|message| message.tool_results()).map(|result| result.is_error()).collect();
    assert_eq!(failed, [false, true, false]);
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains(r#""decision":"denied""#) && lines[1].contains("the budget is 40"), "{}", lines[1]);
}

#[tokio::test]
async fn the_code_name_is_redacted_in_prompts_and_streams() {
    let model = ScriptedModel::responding("Bluebird is late; Bluebirds are blue.");
    let hook = GuardrailHook::new(CodeName);
    let mut agent = Agent::builder().model(model.clone()).hook(hook).build().await.unwrap();
    let mut text = String::new();
    let mut events = std::pin::pin!(agent.prompt("How is Bluebird?").stream());
    while let Some(event) = events.next().await {
        if let AgentEvent::TextDelta { text: delta } = event.unwrap() {
            text.push_str(&delta);
        }
    }
    assert_eq!(text, "[project] is late; [project]s are blue.");
    assert_eq!(model.requests()[0].messages[0].text(), "How is [project]?");
}
