//! Values that the program lends to its tools: found at build, replaced per prompt, missed before the first model call.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::async_trait;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, BuildError, HostKey, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

use crate::support::{assert_whole, newest_results};

#[derive(Debug)]
struct Identity(&'static str);

/// A tool that borrows the identity.
struct WhoAmI {
    spec: ToolSpec,
    requires: [HostKey; 1],
}

impl WhoAmI {
    fn new() -> Self {
        let spec = ToolSpec::new("who_am_i", "Says who asks.", json!({"type": "object"}));
        Self { spec, requires: [HostKey::of::<Identity>()] }
    }
}

#[async_trait]
impl Tool for WhoAmI {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn requires(&self) -> &[HostKey] {
        &self.requires
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(ctx.lend::<Identity>()?.0))
    }
}

fn model() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match request.messages.len() % 2 {
        1 if request.messages.last().unwrap().tool_results().next().is_none() => {
            ScriptedTurn::tool_use("who_am_i", json!({}))
        }
        _ => ScriptedTurn::text("done"),
    })
}

async fn who(agent: &mut Agent) -> String {
    agent.prompt("who?").await.unwrap();
    newest_results(agent.messages()).remove(0).1
}

#[tokio::test]
async fn a_value_that_nobody_injected_is_missed_at_build() {
    let error = Agent::builder().model(model()).tool(WhoAmI::new()).build().await.unwrap_err();
    assert!(matches!(&error, BuildError::MissingHostValue { tool, .. } if tool == "who_am_i"), "{error:?}");
    assert!(error.to_string().contains("add `.inject(..)` to the builder"), "{error}");
}

#[tokio::test]
async fn values_are_lent_owned_or_shared_and_a_prompts_own_comes_first() {
    let template = Agent::builder().model(model()).tool(WhoAmI::new());
    let mut owned = template.clone().inject(Identity("owner")).build().await.unwrap();
    let mut shared = template.inject(Arc::new(Identity("sharer"))).build().await.unwrap();
    assert_eq!(who(&mut owned).await, "owner");
    assert_eq!(who(&mut shared).await, "sharer");

    owned.prompt("who?").inject(Identity("guest")).await.unwrap();
    assert_eq!(newest_results(owned.messages()), [(false, "guest".into())]);
    shared.prompt("who?").inject(Identity("guest")).await.unwrap();
    assert_eq!(newest_results(shared.messages()), [(false, "guest".into())]);
    // Only for that prompt.
    assert_eq!(who(&mut owned).await, "owner");
}

#[tokio::test]
async fn a_value_of_each_prompt_is_missed_before_the_model_is_called() {
    let model = model();
    let builder = Agent::builder().model(model.clone()).tool(WhoAmI::new()).injected_per_prompt::<Identity>();
    let mut agent = builder.build().await.unwrap();
    let error = agent.prompt("who?").await.unwrap_err();
    assert!(matches!(&error, AgentError::MissingHostValue { tool, .. } if tool == "who_am_i"), "{error:?}");
    assert_eq!((model.requests().len(), agent.messages().len()), (0, 0));
    agent.prompt("who?").inject(Identity("ann")).await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(false, "ann".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn agents_of_one_template_do_not_share_what_a_prompt_was_lent() {
    let template = Agent::builder().model(model()).tool(WhoAmI::new()).inject(Identity("default"));
    let (mut one, mut other) = (template.clone().build().await.unwrap(), template.build().await.unwrap());
    one.prompt("who?").inject(Identity("ann")).await.unwrap();
    assert_eq!(who(&mut other).await, "default");
}

#[tokio::test]
async fn agents_of_one_template_have_each_their_own_state_and_history() {
    let template = Agent::builder().model(ScriptedModel::answering("hi"));
    let (mut one, other) = (template.clone().build().await.unwrap(), template.build().await.unwrap());
    one.state().set("visits", 1).unwrap();
    one.prompt("hello").await.unwrap();
    assert_eq!((other.state().get("visits"), other.messages().len()), (None, 0));
}

#[tokio::test]
async fn debug_output_shows_no_value() {
    let builder = Agent::builder().model(model()).tool(WhoAmI::new()).inject(Identity("hunter2"));
    let shown = format!("{builder:?}");
    let mut agent = builder.build().await.unwrap();
    let shown = format!("{shown}{agent:?}");
    let shown = format!("{shown}{:?}", agent.prompt("x").inject(Identity("hunter2")));
    assert!(!shown.contains("hunter2"), "{shown}");
}
