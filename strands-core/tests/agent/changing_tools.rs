//! Changing tools: providers whose lists change between cycles, tools for one invocation, hidden tools. Calls of
//! unavailable tools are rejected, and requests change only when the tools do.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;
use strands_core::conversation::NullConversationManager;
use strands_core::models::{StopReason, ToolSpecs};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, BuildError, Prompt, Tool, ToolOutput, ToolPolicy, ToolProvider,
    ToolRunner, ToolSet, tools,
};
use tokio::sync::Barrier;

use crate::support::{FnTool, agent, assert_whole, listen, naming, newest_results, template, tool};

/// A provider whose tools can be replaced.
#[derive(Default)]
pub(crate) struct Switchable {
    tools: Mutex<Vec<Arc<dyn Tool>>>,
    generation: AtomicU64,
    listed: AtomicU64,
    is_down: AtomicBool,
}

impl Switchable {
    pub(crate) fn with(tools: Vec<Arc<dyn Tool>>) -> Arc<Self> {
        Arc::new(Self { tools: Mutex::new(tools), ..Self::default() })
    }

    pub(crate) fn switch_to(&self, tools: Vec<Arc<dyn Tool>>) {
        *self.tools.lock().unwrap() = tools;
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ToolProvider for Switchable {
    fn name(&self) -> &str {
        "switchable"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        self.listed.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.is_down.load(Ordering::SeqCst) {
            return Err("the server is down".into());
        }
        Ok(self.tools.lock().unwrap().clone())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

fn provided(provider: &Arc<Switchable>, model: &ScriptedModel) -> AgentBuilder {
    Agent::builder().model(model.clone()).tool_provider(Arc::clone(provider))
}

/// A model that calls these tools, one in each turn, and then ends.
fn calling(names: &[&'static str]) -> ScriptedModel {
    let calls = names.iter().map(|name| ScriptedTurn::tool_use(*name, json!({})));
    ScriptedModel::new(calls.chain([ScriptedTurn::text("done")]))
}

#[tokio::test]
async fn a_changed_tool_list_takes_effect_between_cycles() {
    let provider = Switchable::with(tools![naming("old")]);
    let model = calling(&["swap", "old", "new"]);
    let switching = Arc::clone(&provider);
    let swap = tool("swap", move |_, _| {
        switching.switch_to(tools![naming("new")]);
        async { Ok(ToolOutput::text("swapped")) }
    });
    let mut agent = provided(&provider, &model).tool(swap).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    ended.unwrap();
    let tools: Vec<_> = model.requests().iter().map(|request| request.tools.join(" ")).collect();
    assert_eq!(tools, ["swap old", "swap new", "swap new", "swap new"]);
    let changes: Vec<_> = events.iter().filter(|event| matches!(event, AgentEvent::ToolsChanged { .. })).collect();
    let [AgentEvent::ToolsChanged { added, removed, changed }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((&added[..], &removed[..], changed.len()), (&["new".to_owned()][..], &["old".to_owned()][..], 0));
    let results: Vec<_> =
        model.requests()[3].messages.iter().flat_map(|message| message.tool_results()).cloned().collect();
    assert_eq!(results.iter().map(|result| result.is_error()).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(agent.tools().iter().map(|tool| tool.spec().name.clone()).collect::<Vec<_>>(), ["swap", "new"]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn agents_of_a_template_list_tools_once_until_they_change() {
    let provider = Switchable::with(tools![naming("one")]);
    let model = ScriptedModel::responding("hi");
    let template = provided(&provider, &model);
    for _ in 0..10 {
        let mut agent = template.clone().build().await.unwrap();
        agent.prompt("go").await.unwrap();
    }
    assert_eq!(provider.listed.load(Ordering::SeqCst), 1);
    provider.switch_to(tools![naming("two")]);
    for _ in 0..10 {
        template.clone().build().await.unwrap().prompt("go").await.unwrap();
    }
    assert_eq!(provider.listed.load(Ordering::SeqCst), 2);
    assert_eq!(model.requests().last().unwrap().tools, ["two"]);
}

#[tokio::test]
async fn a_failing_provider_fails_the_build_but_not_a_refresh() {
    let provider = Switchable::with(tools![naming("one")]);
    provider.set_down(true);
    let model = calling(&["fail", "one"]);
    let error = provided(&provider, &model).build().await.unwrap_err();
    assert!(matches!(&error, BuildError::ToolProvider { provider, .. } if provider == "switchable"), "{error:?}");

    provider.set_down(false);
    let failing = Arc::clone(&provider);
    let fail = tool("fail", move |_, _| {
        failing.set_down(true);
        async { Ok(ToolOutput::text("down")) }
    });
    let mut agent = provided(&provider, &model).tool(fail).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    ended.unwrap();
    let failures: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::ToolRefreshFailed { error } => Some(error.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(failures.len(), 1, "one refresh for each change: {failures:?}");
    assert!(failures[0].contains("switchable") && failures[0].contains("the server is down"), "{failures:?}");
    assert_eq!(newest_results(agent.messages()), [(false, "one".into())], "the last list stays in use");

    // Each invocation lists the tools again.
    let before = provider.listed.load(Ordering::SeqCst);
    agent.set_model(ScriptedModel::responding("hi"));
    agent.prompt("go").await.unwrap();
    assert_eq!(provider.listed.load(Ordering::SeqCst), before + 1);
}

#[tokio::test]
async fn ignores_a_refreshed_list_that_conflicts_with_other_tools() {
    let provider = Switchable::with(tools![]);
    let model = ScriptedModel::responding("hi");
    let mut agent = provided(&provider, &model).tool(naming("one")).build().await.unwrap();
    for (wrong, expected) in [
        (tools![naming("two"), naming("one")], "duplicate tools `one` of the program and `one` of `switchable`"),
        (tools![naming("a b")], "invalid tool name `a b`"),
    ] {
        provider.switch_to(wrong);
        let (events, ended) = listen(agent.prompt("go").stream()).await;
        ended.unwrap();
        let failure = events.iter().find_map(|event| match event {
            AgentEvent::ToolRefreshFailed { error } => Some(error.as_str()),
            _ => None,
        });
        assert!(failure.is_some_and(|error| error.contains(expected)), "{events:?}");
        assert_eq!(model.requests().last().unwrap().tools, ["one"]);
    }
}

/// A provider with a name of its own.
struct Named(&'static str, Vec<Arc<dyn Tool>>);

#[async_trait]
impl ToolProvider for Named {
    fn name(&self) -> &str {
        self.0
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        Ok(self.1.clone())
    }
}

#[tokio::test]
async fn errors_of_duplicate_tools_name_their_providers() {
    let builder = || Agent::builder().model(ScriptedModel::responding("hi"));
    let files = |tools| Named("files", tools);
    for (builder, expected) in [
        (
            builder().tool(naming("read")).tool_provider(files(tools![naming("read")])),
            "duplicate tools `read` of the program and `read` of `files`; rename one, or give their toolset a prefix",
        ),
        (
            builder().tool(naming("read-all")).tool_provider(files(tools![naming("read_all")])),
            "duplicate tools `read-all` of the program and `read_all` of `files`; rename",
        ),
        (
            builder().tool_provider(files(tools![naming("read")])).tool_provider(Named("web", tools![naming("read")])),
            "duplicate tools `read` of `files` and `read` of `web`; rename",
        ),
        (
            builder().tool_provider(files(tools![naming("read"), naming("read")])),
            "duplicate tools `read` of `files` and `read` of `files`; rename",
        ),
        (builder().tools(tools![naming("x-y"), naming("x_y")]), "duplicate tools `x-y` and `x_y`; rename"),
    ] {
        let BuildError::Tools(error) = builder.build().await.unwrap_err() else { panic!("{expected}") };
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    // The source of a tool is known later, too: for tools of one invocation, and for replaced ones.
    let provided = builder().tool_provider(files(tools![naming("read")]));
    let mut agent = provided.build().await.unwrap();
    let expected = "duplicate tools `read` of `files` and `read` of the program";
    let error = agent.prompt("go").tools(tools![naming("read")]).await.unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    let error = agent.set_tools(tools![naming("read")]).unwrap_err();
    assert!(error.to_string().contains("`read` of the program and `read` of `files`"), "{error}");
}

#[tokio::test]
async fn an_invocation_can_hide_and_add_tools() {
    let model = calling(&["one", "two", "extra"]);
    let mut agent = agent(&model, [naming("one"), naming("two")]).await;
    agent.prompt("go").hide_tools(["one"]).tools(tools![naming("extra")]).await.unwrap();
    let requests = model.requests();
    assert!(requests.iter().all(|request| request.tools == ["two", "extra"]), "{requests:?}");
    let results: Vec<_> = requests[3]
        .messages
        .iter()
        .flat_map(|message| message.tool_results())
        .map(|result| result.is_error())
        .collect();
    assert_eq!(results, [true, false, false]);
    let newest = newest_results(&requests[1].messages);
    assert!(newest[0].1.contains("Unknown tool: one") && !newest[0].1.contains("one, two"), "{newest:?}");

    let model = calling(&["one"]);
    agent.set_model(model.clone());
    agent.prompt("go").await.unwrap();
    assert_eq!(model.requests()[0].tools, ["one", "two"], "the next invocation has the agent's own");
    assert_eq!(newest_results(agent.messages()), [(false, "one".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_hidden_tool_stays_hidden_when_a_provider_adds_it() {
    let provider = Switchable::with(tools![]);
    let adding = Arc::clone(&provider);
    let add = tool("add", move |_, _| {
        adding.switch_to(tools![naming("secret"), naming("open")]);
        async { Ok(ToolOutput::text("added")) }
    });
    let model = calling(&["add", "secret", "open"]);
    let mut agent = provided(&provider, &model).tool(add).build().await.unwrap();
    agent.prompt("go").hide_tools(["secret"]).await.unwrap();
    assert_eq!(model.requests()[2].tools, ["add", "open"]);
    let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).collect();
    assert_eq!(results.iter().map(|result| result.is_error()).collect::<Vec<_>>(), [false, true, false]);
}

#[tokio::test]
async fn conflicting_tools_are_rejected_before_the_model_call() {
    let model = ScriptedModel::responding("hi");
    let mut agent = agent(&model, [naming("one")]).await;
    let error = agent.prompt("go").tools(tools![naming("one")]).await.unwrap_err();
    assert!(matches!(error, AgentError::Tools(_)), "{error:?}");
    assert_eq!((model.requests().len(), agent.messages().len()), (0, 0));

    assert!(matches!(agent.set_tools(tools![naming("x"), naming("x")]).unwrap_err(), BuildError::Tools(_)));
    assert!(agent.tools().get("one").is_some(), "a rejected list changes nothing");
}

#[tokio::test]
async fn rejects_an_approved_call_of_a_removed_tool() {
    let wipe = || naming("wipe").policy(ToolPolicy::new().with_approval(true));
    for removal in ["set_tools", "hide", "provider"] {
        let provider = Switchable::with(if removal == "provider" { tools![wipe()] } else { tools![] });
        let model = calling(&["wipe"]);
        let builder = provided(&provider, &model);
        let builder = if removal == "provider" { builder } else { builder.tool(wipe()) };
        let mut agent = builder.build().await.unwrap();
        let interrupts = agent.prompt("go").await.unwrap().interrupts;
        let resuming = |agent: &mut Agent| match removal {
            "set_tools" => agent.set_tools(tools![]).unwrap(),
            _ => provider.switch_to(tools![]),
        };
        if removal != "hide" {
            resuming(&mut agent);
        }
        let resume = agent.prompt(Prompt::none()).resume([interrupts[0].respond(true)]);
        let response = if removal == "hide" { resume.hide_tools(["wipe"]).await } else { resume.await }.unwrap();
        assert_eq!(response.stop_reason, StopReason::EndTurn);
        let results = newest_results(agent.messages());
        assert!(results[0].0 && results[0].1.contains("Unknown tool"), "{removal}: {results:?}");
        assert_whole(&mut agent).await;
    }
}

#[tokio::test]
async fn clear_starts_a_new_conversation() {
    let asks = naming("wipe").policy(ToolPolicy::new().with_approval(true));
    let model = ScriptedModel::new([
        ScriptedTurn::text("hi"),
        ScriptedTurn::tool_use("wipe", json!({})),
        ScriptedTurn::text("new"),
    ]);
    let sessions = strands_core::testing::InMemorySessionManager::new("s");
    let template = template(&model, [asks]).session_manager(sessions.clone());
    let mut agent = template.clone().build().await.unwrap();
    agent.state().set("kept", 1).unwrap();
    agent.prompt("hello").await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().stop_reason, StopReason::Interrupt);
    agent.clear().await.unwrap();
    assert!(agent.messages().is_empty() && agent.interrupts().is_empty());
    let again = template.clone().build().await.unwrap();
    assert_eq!((again.messages().len(), again.state().get("kept")), (0, Some(json!(1))));
    agent.prompt("fresh").await.unwrap();
    assert_eq!(model.requests()[2].messages.len(), 1);
    assert_eq!(template.build().await.unwrap().messages(), agent.messages());
    assert_whole(&mut agent).await;
}

/// Serializes the tools as a provider sends them.
fn sent(specs: &ToolSpecs) -> String {
    let specs: Vec<_> = specs.iter().collect();
    serde_json::to_string(&specs).unwrap()
}

/// A request: the agent, its tools as bytes, and their names.
type Sent = (usize, String, Vec<String>);

/// The tools of a generation: `t<generation>` and `stays`, described by the generation.
fn generation(number: u64) -> Vec<Arc<dyn Tool>> {
    let named = |name: String| -> FnTool {
        let mut tool = naming("stays");
        tool.describe(name, format!("generation {number}"));
        tool
    };
    tools![named(format!("t{number}")), named("stays".to_owned())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_agents_see_consistent_tool_lists() {
    let provider = Switchable::with(generation(0));
    let requests: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let seen = Arc::clone(&requests);
    // Each agent has its number in its prompt, and calls the tools of the list before the one in its request.
    let model = ScriptedModel::from_fn(move |request| {
        let agent: usize = request.messages[0].text().parse().unwrap();
        let names: Vec<_> = request.tools.iter().map(|spec| spec.name.clone()).collect();
        seen.lock().unwrap().push((agent, sent(request.tools), names.clone()));
        let turn = request.messages.len() / 2;
        if turn == 40 {
            return ScriptedTurn::text("done");
        }
        ScriptedTurn::tool_uses([(names[0].as_str(), json!({})), ("t0", json!({})), ("stays", json!({}))])
    });
    let template = provided(&provider, &model).conversation_manager(NullConversationManager::new());
    let switching = async {
        for number in 1..=60 {
            provider.switch_to(generation(number));
            tokio::task::yield_now().await;
        }
    };
    let agents = (0..50).map(|number: usize| {
        let template = template.clone();
        tokio::spawn(async move {
            let mut agent = template.build().await.unwrap();
            agent.prompt(number.to_string()).await.unwrap();
            agent.messages().to_vec()
        })
    });
    let (conversations, ()) = tokio::join!(join_all(agents), switching);
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 50 * 41);
    for (agent, bytes, names) in &*requests {
        let number: u64 = names[0].strip_prefix('t').unwrap().parse().unwrap();
        let whole: ToolSpecs = generation(number).into_iter().collect();
        assert_eq!(
            *bytes,
            sent(&whole),
            "agent {agent} sent an inconsistent list, or different bytes for the same tools"
        );
    }
    for (number, conversation) in conversations.into_iter().enumerate() {
        let mine: Vec<_> = requests.iter().filter(|(agent, ..)| *agent == number).collect();
        let messages = conversation.unwrap();
        let results: Vec<_> = messages.iter().filter(|message| message.tool_results().next().is_some()).collect();
        for (request, results) in mine.iter().zip(results) {
            let refused: Vec<_> = results.tool_results().map(|result| result.is_error()).collect();
            assert_eq!(refused, [false, request.2[0] != "t0", false], "a tool of an older list is rejected");
        }
    }
}

/// A provider whose list is ready when all providers of a barrier are being listed.
struct Meeting(Arc<Barrier>, &'static str);

#[async_trait]
impl ToolProvider for Meeting {
    fn name(&self) -> &str {
        self.1
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        self.0.wait().await;
        Ok(tools![naming(self.1)])
    }
}

#[tokio::test]
async fn lists_all_providers_concurrently_and_in_order() {
    let names = ["one", "two", "three"];
    let barrier = Arc::new(Barrier::new(names.len()));
    let meetings = names.map(|name| Meeting(Arc::clone(&barrier), name));
    let builder = Agent::builder().model(ScriptedModel::responding("hi"));
    let agent = meetings.into_iter().fold(builder, AgentBuilder::tool_provider).build().await.unwrap();
    assert_eq!(agent.tools().iter().map(|tool| tool.spec().name.clone()).collect::<Vec<_>>(), names);
}

#[tokio::test]
async fn a_runner_lists_the_tools_of_its_providers() {
    let provider = Switchable::with(tools![naming("first")]);
    let runner = ToolRunner::new(tools![naming("own")]).unwrap().inject(7_u32).tool_provider(Arc::clone(&provider));
    let names = async |runner: &ToolRunner| {
        let tools = runner.list_tools().await.unwrap();
        tools.iter().map(|tool| tool.spec().name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&runner).await, ["own", "first"]);
    assert_eq!(runner.tools().iter().len(), 1);
    let before = runner.generations();
    provider.switch_to(tools![naming("second")]);
    assert_ne!(runner.generations(), before);
    assert_eq!(names(&runner).await, ["own", "second"]);

    let reads = tool("reads", |ctx, _| async move { Ok(ToolOutput::text(ctx.injected::<u32>()?.to_string())) });
    let other = runner.clone().with_tool_set(ToolSet::new(tools![reads]).unwrap());
    assert_eq!((names(&other).await, other.generations()), (vec!["reads".to_owned()], Vec::new()));
    let outcome = other.call("reads", json!({})).await.unwrap();
    assert!(format!("{outcome:?}").contains("\"7\""), "the settings remain: {outcome:?}");

    provider.set_down(true);
    assert!(runner.list_tools().await.unwrap_err().to_string().contains("switchable"));
}
