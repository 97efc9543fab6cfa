//! Lists of tools that change, hang, conflict or need injected values.

use std::error::Error;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::conversation::ToolResultOffloader;
use strands_core::session::InMemoryContentStore;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentEvent, CancellationToken, InjectedKey, Limits, Prompt, Tool, ToolCallOutcome, ToolContext, ToolError,
    ToolOutput, ToolProvider, ToolSpec, async_trait, tools,
};

use crate::fakes::*;
use crate::support::{agent, listen, naming, newest_results, template, text_of, tool};

#[tokio::test]
async fn offloaded_results_can_be_read_after_the_tools_were_replaced() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("long", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let offloader = ToolResultOffloader::new(InMemoryContentStore::default()).threshold(100);
    let mut agent = template(&model, []).offload_tool_results(offloader).build().await.unwrap();
    let long = tool("long", |_, _| async { Ok(ToolOutput::text("word ".repeat(10_000))) });
    agent.set_tools(tools![long]).unwrap();
    agent.prompt("go").await.unwrap();
    let text = &newest_results(agent.messages())[0].1;
    assert!(text.starts_with("[Offloaded"), "{text}");
    assert!(agent.tools().get("retrieve_offloaded_content").is_some(), "the result names a tool that was removed");
}

#[derive(Default)]
struct Switchable {
    tools: Mutex<Vec<Arc<dyn Tool>>>,
    generation: AtomicU64,
}

impl Switchable {
    fn switch_to(&self, tools: Vec<Arc<dyn Tool>>) {
        *self.tools.lock().unwrap() = tools;
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ToolProvider for Switchable {
    fn name(&self) -> &str {
        "switchable"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        Ok(self.tools.lock().unwrap().clone())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_direct_call_rejects_a_removed_tool() {
    let provider = Arc::new(Switchable::default());
    provider.switch_to(tools![naming("gone")]);
    let model = ScriptedModel::responding("hi");
    let agent = Agent::builder().model(model).tool_provider(Arc::clone(&provider)).build().await.unwrap();
    provider.switch_to(tools![naming("new")]);
    let ToolCallOutcome::Result(old) = agent.call_tool("gone", json!({})).await.unwrap() else { panic!() };
    let ToolCallOutcome::Result(new) = agent.call_tool("new", json!({})).await.unwrap() else { panic!() };
    assert!(old.is_error() && !new.is_error(), "old: {} new: {}", text_of(&old), text_of(&new));
}

struct User;

/// A tool that borrows a `User`.
struct Borrows(ToolSpec, Vec<InjectedKey>);

impl Borrows {
    fn named(name: &str) -> Self {
        Self(ToolSpec::new(name, "Borrows.", json!({"type": "object"})), vec![InjectedKey::of::<User>()])
    }
}

#[async_trait]
impl Tool for Borrows {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn requires(&self) -> &[InjectedKey] {
        &self.1
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        ctx.injected::<User>().map(|_| ToolOutput::text("borrowed"))
    }
}

#[tokio::test]
async fn hidden_tools_require_no_injected_values() {
    let model = ScriptedModel::responding("hi");
    let mut agent =
        template(&model, []).tool(Borrows::named("needy")).injected_per_prompt::<User>().build().await.unwrap();
    agent.prompt("go").hide_tools(["needy"]).await.unwrap();
}

#[tokio::test]
async fn removed_tools_require_no_injected_values() {
    let provider = Arc::new(Switchable::default());
    provider.switch_to(tools![Borrows::named("needy")]);
    let model = ScriptedModel::responding("hi");
    let mut agent = Agent::builder()
        .model(model)
        .tool_provider(Arc::clone(&provider))
        .injected_per_prompt::<User>()
        .build()
        .await
        .unwrap();
    provider.switch_to(tools![]);
    agent.prompt("go").await.unwrap();
    agent.prompt("go").await.unwrap();
}

#[tokio::test]
async fn a_reordered_tool_list_is_announced() {
    let provider = Arc::new(Switchable::default());
    provider.switch_to(tools![naming("a"), naming("b")]);
    let model = ScriptedModel::responding("hi");
    let mut agent = Agent::builder().model(model).tool_provider(Arc::clone(&provider)).build().await.unwrap();
    provider.switch_to(tools![naming("b"), naming("a")]);
    let (events, _) = listen(agent.prompt("go").stream()).await;
    assert!(events.iter().any(|event| matches!(event, AgentEvent::ToolsChanged { .. })), "{events:?}");
}

/// A provider that hangs from its second call on.
#[derive(Default)]
struct HangsLater {
    calls: AtomicU64,
    changed: AtomicU64,
}

#[async_trait]
impl ToolProvider for HangsLater {
    fn name(&self) -> &str {
        "hangs"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        if self.calls.fetch_add(1, Ordering::SeqCst) > 0 {
            pending::<()>().await;
        }
        Ok(Vec::new())
    }

    fn generation(&self) -> u64 {
        self.changed.load(Ordering::SeqCst)
    }
}

async fn hanging(journal: Option<&Recorded>) -> bool {
    let provider = Arc::new(HangsLater::default());
    let model = ScriptedModel::responding("hi");
    let mut agent = Agent::builder().model(model).tool_provider(Arc::clone(&provider)).build().await.unwrap();
    provider.changed.store(1, Ordering::SeqCst);
    let token = CancellationToken::new();
    let prompt =
        agent.prompt("go").cancel_with(token.clone()).limits(Limits::new().duration(Duration::from_millis(10)));
    let prompt = match journal {
        Some(journal) => prompt.journal(journal),
        None => prompt,
    };
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        token.cancel();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::select! {
        _ = prompt.into_future() => true,
        () = cancel => false,
    }
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_a_hanging_provider() {
    assert!(hanging(None).await);
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_a_hanging_provider_with_a_journal() {
    assert!(hanging(Some(&Recorded::default())).await);
}

struct Prompts {
    model: ScriptedModel,
    calls: AtomicU64,
}

#[async_trait]
impl ToolProvider for Prompts {
    fn name(&self) -> &str {
        "prompts"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        if self.calls.load(Ordering::SeqCst) > 0 {
            agent(&self.model, []).await.prompt("which tools?").await?;
        }
        Ok(Vec::new())
    }

    fn generation(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn turns_spent_by_a_provider_are_counted_once() {
    let inner = ScriptedModel::responding("none");
    let provider = Arc::new(Prompts { model: inner.clone(), calls: AtomicU64::new(0) });
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("switch", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let switching = Arc::clone(&provider);
    let switch = tool("switch", move |_, _| {
        switching.calls.fetch_add(1, Ordering::SeqCst);
        async { Ok(ToolOutput::text("ok")) }
    });
    let mut agent = template(&model, [switch])
        .tool_provider(Arc::clone(&provider))
        .limits(Limits::new().turns(2))
        .build()
        .await
        .unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(model.requests().len() + inner.requests().len(), 2, "{response:?}");
}

#[tokio::test]
async fn hidden_tools_stay_hidden_after_resume() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("wipe", json!({})),
        3 => ScriptedTurn::tool_use("shell", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let mut agent = agent(&model, [asks(), naming("shell")]).await;
    agent.prompt("go").hide_tools(["shell"]).system_prompt("Be careful.").await.unwrap();
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    let requests = model.requests();
    assert_eq!(requests[1].tools, requests[0].tools);
    assert_eq!(requests[1].system, requests[0].system);
    assert!(newest_results(agent.messages())[0].0, "the hidden tool was called");
}

#[tokio::test]
async fn an_approved_call_of_a_removed_tool_is_rejected() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("wipe", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let mut agent = agent(&model, [asks()]).await;
    agent.prompt("go").await.unwrap();
    agent.set_tools(tools![]).unwrap();
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert!(newest_results(agent.messages())[0].0);
    crate::support::assert_whole(&mut agent).await;
}

#[derive(Default)]
struct Slow(AtomicU64);

#[async_trait]
impl ToolProvider for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_agents_of_a_template_list_its_tools_once() {
    let provider = Arc::new(Slow::default());
    let template = Agent::builder().model(ScriptedModel::responding("hi")).tool_provider(Arc::clone(&provider));
    futures_util::future::join_all((0..1000).map(|_| template.clone().build())).await;
    assert_eq!(provider.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn errors_do_not_name_hidden_tools() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("shell", json!({})), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [naming("shell"), naming("shell_admin")]).await;
    agent.prompt("go").hide_tools(["shell", "shell_admin"]).await.unwrap();
    let results = newest_results(agent.messages());
    assert!(results[0].0 && !results[0].1.contains("shell_admin"), "{results:?}");
}

#[tokio::test]
async fn a_reordered_schema_is_announced() {
    let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let one = naming("a").schema(schema(r#"{"type": "object", "properties": {"x": {}, "y": {}}}"#));
    let two = naming("a").schema(schema(r#"{"type": "object", "properties": {"y": {}, "x": {}}}"#));
    let provider = Arc::new(Switchable::default());
    provider.switch_to(tools![one]);
    let model = ScriptedModel::responding("hi");
    let mut agent = Agent::builder().model(model).tool_provider(Arc::clone(&provider)).build().await.unwrap();
    provider.switch_to(tools![two]);
    let (events, _) = listen(agent.prompt("go").stream()).await;
    assert!(events.iter().any(|event| matches!(event, AgentEvent::ToolsChanged { .. })));
}

#[tokio::test]
async fn a_refresh_that_conflicts_with_the_output_is_ignored() {
    let provider = Arc::new(Switchable::default());
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("switch", json!({})),
        _ => ScriptedTurn::tool_use("Trip", json!({"city": "Oslo"})),
    });
    let switching = Arc::clone(&provider);
    let switch = tool("switch", move |_, _| {
        switching.switch_to(tools![naming("Trip")]);
        async { Ok(ToolOutput::text("ok")) }
    });
    let mut agent = template(&model, [switch]).tool_provider(Arc::clone(&provider)).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").output::<Trip>().stream()).await;
    ended.unwrap();
    let has_failed = events.iter().any(|event| matches!(event, AgentEvent::ToolRefreshFailed { .. }));
    assert_eq!(agent.tools().get("Trip").is_none(), has_failed);
}
