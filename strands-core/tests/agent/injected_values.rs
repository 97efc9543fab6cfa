//! Injected values of tools: checked at build, replaced per prompt, and required before the first model call.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentError, AgentState, BuildError, CancellationToken, InjectedKey, Tool, ToolCallOutcome, ToolContext,
    ToolError, ToolOutput, ToolProvider, ToolRunner, ToolSpec, async_trait, tools,
};

use crate::support::{assert_whole, newest_results};

#[derive(Debug)]
struct Identity(&'static str);

/// A tool that borrows an injected identity.
struct WhoAmI {
    spec: ToolSpec,
    requires: [InjectedKey; 1],
}

impl WhoAmI {
    fn new() -> Self {
        let spec = ToolSpec::new("who_am_i", "Says who asks.", json!({"type": "object"}));
        Self { spec, requires: [InjectedKey::of::<Identity>()] }
    }
}

#[async_trait]
impl Tool for WhoAmI {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn requires(&self) -> &[InjectedKey] {
        &self.requires
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(ctx.injected::<Identity>()?.0))
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
async fn build_fails_without_a_required_injected_value() {
    let error = Agent::builder().model(model()).tool(WhoAmI::new()).build().await.unwrap_err();
    assert!(matches!(&error, BuildError::MissingInjectedValue { tool, .. } if tool == "who_am_i"), "{error:?}");
    assert!(error.to_string().contains("add `.inject(..)` to the builder"), "{error}");
}

#[tokio::test]
async fn values_of_an_invocation_precede_those_of_the_agent() {
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
async fn a_missing_per_prompt_value_fails_before_the_model_call() {
    let model = model();
    let builder = Agent::builder().model(model.clone()).tool(WhoAmI::new()).injected_per_prompt::<Identity>();
    let mut agent = builder.build().await.unwrap();
    let error = agent.prompt("who?").await.unwrap_err();
    assert!(matches!(&error, AgentError::MissingInjectedValue { tool, .. } if tool == "who_am_i"), "{error:?}");
    assert_eq!((model.requests().len(), agent.messages().len()), (0, 0));
    agent.prompt("who?").inject(Identity("ann")).await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(false, "ann".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn agents_of_a_template_do_not_share_values_of_an_invocation() {
    let template = Agent::builder().model(model()).tool(WhoAmI::new()).inject(Identity("default"));
    let (mut one, mut other) = (template.clone().build().await.unwrap(), template.build().await.unwrap());
    one.prompt("who?").inject(Identity("ann")).await.unwrap();
    assert_eq!(who(&mut other).await, "default");
}

#[tokio::test]
async fn agents_of_a_template_have_separate_state_and_history() {
    let template = Agent::builder().model(ScriptedModel::responding("hi"));
    let (mut one, other) = (template.clone().build().await.unwrap(), template.build().await.unwrap());
    one.state().set("visits", 1).unwrap();
    one.prompt("hello").await.unwrap();
    assert_eq!((other.state().get("visits"), other.messages().len()), (None, 0));
}

#[tokio::test]
async fn a_shared_value_of_the_prompt_takes_precedence() {
    let builder = Agent::builder().model(model()).tool(WhoAmI::new()).inject(Identity("the service"));
    let mut agent = builder.build().await.unwrap();
    agent.prompt("who?").inject(Arc::new(Identity("alice"))).await.unwrap();
    assert_eq!(newest_results(agent.messages())[0].1, "alice");
    assert_eq!(who(&mut agent).await, "the service");
    let call = agent.call_tool("who_am_i", json!({})).inject(Arc::new(Identity("alice"))).await.unwrap();
    let ToolCallOutcome::Result(result) = call else { panic!("{call:?}") };
    assert_eq!(result.content, [strands_core::message::ToolResultContent::Text("alice".to_owned())]);
}

#[tokio::test]
async fn debug_output_hides_injected_values() {
    let builder = Agent::builder().model(model()).tool(WhoAmI::new()).inject(Identity("hunter2"));
    let printed = format!("{builder:?}");
    let mut agent = builder.build().await.unwrap();
    let printed = format!("{printed}{agent:?}");
    let printed = format!("{printed}{:?}", agent.prompt("x").inject(Identity("hunter2")));
    assert!(!printed.contains("hunter2"), "{printed}");
}

/// A tool that reads an injected value through its context.
struct OfContext(ToolSpec, [InjectedKey; 2]);

#[async_trait]
impl Tool for OfContext {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn requires(&self) -> &[InjectedKey] {
        &self.1
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let runs = ctx.injected::<AgentState>()?.get("runs").unwrap_or_default();
        let token = ctx.injected::<CancellationToken>()?;
        Ok(ToolOutput::text(format!("runs {runs}, cancelled {}", token.is_cancelled())))
    }
}

fn of_context() -> OfContext {
    let spec = ToolSpec::new("who_am_i", "Says how it runs.", json!({"type": "object"}));
    OfContext(spec, [InjectedKey::of::<AgentState>(), InjectedKey::of::<CancellationToken>()])
}

#[tokio::test]
async fn context_types_need_no_injection() {
    let mut agent = Agent::builder().model(model()).tool(of_context()).build().await.unwrap();
    agent.state().set("runs", 3).unwrap();
    assert_eq!(who(&mut agent).await, "runs 3, cancelled false");
    let runner = ToolRunner::new([of_context()]).unwrap();
    assert!(
        matches!(runner.call("who_am_i", json!({})).await, Ok(ToolCallOutcome::Result(result)) if !result.is_error())
    );
    // An injected value takes precedence.
    let token = CancellationToken::new();
    token.cancel();
    let mut agent = Agent::builder().model(model()).tool(of_context()).inject(token).build().await.unwrap();
    assert_eq!(who(&mut agent).await, "runs null, cancelled true");
}

#[tokio::test]
async fn unread_values_are_reported() {
    struct Unread;
    let builder = || Agent::builder().model(model()).tool(WhoAmI::new()).inject(Identity("ada"));
    let unread = |agent: &Agent| {
        agent.unread_injected_values().into_iter().map(|name| name.rsplit("::").next().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(unread(&builder().build().await.unwrap()), [""; 0]);
    assert_eq!(unread(&builder().inject(Unread).inject("x").build().await.unwrap()), ["&str", "Unread"]);
    let shared = Agent::builder().model(model()).tool(WhoAmI::new()).inject(Arc::new(Identity("ada")));
    assert_eq!(unread(&shared.inject(Arc::new(Unread)).build().await.unwrap()).len(), 1);
    let mut without_tools = builder().build().await.unwrap();
    without_tools.set_tools(tools![]).unwrap();
    assert_eq!(unread(&without_tools), ["Identity"]);
}

/// A tool that reports missing values only when it is called.
struct ReadsAny(ToolSpec, [InjectedKey; 1]);

#[async_trait]
impl Tool for ReadsAny {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn requires(&self) -> &[InjectedKey] {
        &self.1
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("done"))
    }
}

#[tokio::test]
async fn unread_values_are_not_reported_with_dynamic_tools() {
    let builder = || Agent::builder().model(model()).inject(Identity("ada"));
    let spec = ToolSpec::new("any", "Reads.", json!({"type": "object"}));
    let reads_any = ReadsAny(spec, [InjectedKey::of::<ToolContext>()]);
    let hooked = builder().on_before_tool_call(|event| {
        let _ = event.context.injected::<Identity>();
    });
    for builder in [builder().tool(reads_any), hooked, builder().tool_provider(NoTools)] {
        assert_eq!(builder.build().await.unwrap().unread_injected_values(), [""; 0]);
    }
}

struct NoTools;

#[async_trait]
impl ToolProvider for NoTools {
    fn name(&self) -> &str {
        "none"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Vec::new())
    }
}
