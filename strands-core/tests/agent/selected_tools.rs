//! Tools that hooks hide: the model does not see them in an invocation, and can't call them.

use std::sync::Arc;

use serde_json::json;
use strands_core::hook::{AuthorizeToolCall, BeforeToolCall, HookResult, SelectTools};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, AgentError, AgentEvent, Prompt, Tool, ToolOutput, ToolPolicy, tools};

use crate::changing_tools::Switchable;
use crate::fakes::Trip;
use crate::support::{FnTool, Log, assert_whole, listen, naming, newest_results, template, tool};

/// The user of an invocation, and the tools that are not for this user.
struct User(&'static [&'static str]);

/// Hides the tools that are not for the user.
fn hides(event: &mut SelectTools<'_>) {
    if let Some(user) = event.context.injected::<User>() {
        user.0.iter().for_each(|name| event.hide(*name));
    }
}

/// A tool that logs its calls.
fn logging(name: &'static str, log: &Log) -> FnTool {
    let log = log.clone();
    tool(name, move |_, _| {
        log.add(name);
        async { Ok(ToolOutput::text("ok")) }
    })
}

/// A model that calls these tools, one in each turn, and then ends.
fn calling(names: &[&'static str]) -> ScriptedModel {
    let calls = names.iter().map(|name| ScriptedTurn::tool_use(*name, json!({})));
    ScriptedModel::new(calls.chain([ScriptedTurn::text("done"), ScriptedTurn::text("more")]))
}

#[tokio::test]
async fn a_hidden_tool_is_not_shown_and_does_not_run_when_it_is_called() {
    let log = Log::default();
    let model = calling(&["delete"]);
    let authorized = log.clone();
    let builder = template(&model, ["read", "delete"].map(|name| logging(name, &log)));
    let builder = builder.on_select_tools(hides).on_authorize_tool_call(move |event: &mut AuthorizeToolCall<'_>| {
        authorized.add(format!("authorize {}", event.tool_use.name));
        event.approve();
    });
    let mut agent = builder.build().await.unwrap();
    agent.prompt("go").inject(User(&["delete"])).await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(true, "Unknown tool: delete. The tools are: read".to_owned())]);
    assert!(log.lines().is_empty(), "{:?}", log.lines());
    assert!(model.requests().iter().all(|request| request.tools == ["read"]));
    assert_whole(&mut agent).await;
    // The next invocation has another user.
    agent.prompt("go").inject(User(&[])).await.unwrap();
    assert_eq!(model.requests().last().unwrap().tools, ["read", "delete"]);
}

#[tokio::test]
async fn hooks_see_all_tools_and_what_others_hide() {
    let log = Log::default();
    let seen = log.clone();
    let looks = move |event: &mut SelectTools<'_>| {
        let names =
            event.tools.iter().map(|tool| format!("{} {}", tool.spec().name, event.is_hidden(&tool.spec().name)));
        seen.add(names.collect::<Vec<_>>().join(", "));
        event.hide("extra");
        event.hide("missing");
    };
    let model = calling(&[]);
    let builder = template(&model, ["read", "delete"].map(naming)).on_select_tools(hides).on_select_tools(looks);
    let mut agent = builder.build().await.unwrap();
    let prompt = agent.prompt("go").inject(User(&["delete"])).tools(tools![naming("extra"), naming("more")]);
    prompt.hide_tools(["read"]).await.unwrap();
    assert_eq!(log.lines(), ["delete true, extra false, more false"]);
    assert_eq!(model.requests()[0].tools, ["more"]);
}

#[tokio::test]
async fn all_tools_can_be_hidden() {
    let model = calling(&["read"]);
    let mut agent = template(&model, [naming("read")]).on_select_tools(hides).build().await.unwrap();
    agent.prompt("go").inject(User(&["read"])).await.unwrap();
    assert!(model.requests().iter().all(|request| request.tools.is_empty()));
    assert!(newest_results(agent.messages())[0].0);
}

#[tokio::test]
async fn new_tools_of_a_provider_are_hidden_as_well() {
    let log = Log::default();
    let provider = Switchable::with(tools![naming("old")]);
    let model = calling(&["swap", "secret", "open"]);
    let (switched, ran) = (Arc::clone(&provider), log.clone());
    let swap = tool("swap", move |_, _| {
        switched.switch_to(tools![logging("secret", &ran), logging("open", &ran)]);
        async { Ok(ToolOutput::text("ok")) }
    });
    let builder = template(&model, [swap]).tool_provider(provider).on_select_tools(hides);
    let mut agent = builder.build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").inject(User(&["secret"])).stream()).await;
    ended.unwrap();
    let changes = events.iter().find_map(|event| match event {
        AgentEvent::ToolsChanged { added, removed, .. } => Some((added.clone(), removed.clone())),
        _ => None,
    });
    assert_eq!(changes, Some((vec!["open".to_owned()], vec!["old".to_owned()])));
    assert_eq!(log.lines(), ["open"]);
    let tools: Vec<_> = model.requests().iter().map(|request| request.tools.clone()).collect();
    assert_eq!(tools[0], ["swap", "old"]);
    assert!(tools[1..].iter().all(|tools| *tools == ["swap", "open"]), "{tools:?}");
}

#[tokio::test]
async fn an_approved_call_does_not_run_if_its_tool_is_hidden_when_it_is_resumed() {
    let (log, sessions) = (Log::default(), InMemorySessionManager::new("s"));
    let build = || {
        let wipe = logging("wipe", &log).policy(ToolPolicy::new().with_approval(true));
        template(&calling(&["wipe"]), [wipe]).on_select_tools(hides).session_manager(sessions.clone()).build()
    };
    let interrupts = build().await.unwrap().prompt("go").inject(User(&[])).await.unwrap().interrupts;
    let mut agent = build().await.unwrap();
    let resumed = agent.prompt(Prompt::none()).resume([interrupts[0].respond(true)]).inject(User(&["wipe"]));
    assert_eq!(resumed.await.unwrap().stop_reason, StopReason::EndTurn);
    assert!(newest_results(agent.messages())[0].1.contains("Unknown tool: wipe"));
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn a_call_that_a_hook_changes_to_a_hidden_tool_does_not_run() {
    let log = Log::default();
    let renames = |event: &mut BeforeToolCall<'_>| event.tool_use.name = "delete".into();
    let builder = template(&calling(&["read"]), ["read", "delete"].map(|name| logging(name, &log)));
    let mut agent = builder.on_select_tools(hides).on_before_tool_call(renames).build().await.unwrap();
    agent.prompt("go").inject(User(&["delete"])).await.unwrap();
    assert!(newest_results(agent.messages())[0].1.contains("Unknown tool: delete"));
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn an_error_ends_the_invocation_before_the_model_is_called() {
    let fails = |_: &mut SelectTools<'_>| -> HookResult { Err("the policy store is down".into()) };
    let model = calling(&[]);
    let mut agent = template(&model, [naming("read")]).on_select_tools(fails).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(&error, AgentError::Hook { event: "select_tools", .. }), "{error:?}");
    assert!(model.requests().is_empty() && agent.messages().is_empty());
}

#[tokio::test]
async fn an_error_after_a_refresh_ends_the_invocation_as_well() {
    let provider = Switchable::with(tools![naming("old")]);
    let model = calling(&["swap"]);
    let switched = Arc::clone(&provider);
    let swap = tool("swap", move |_, _| {
        switched.switch_to(tools![naming("new")]);
        async { Ok(ToolOutput::text("ok")) }
    });
    let fails = |event: &mut SelectTools<'_>| -> HookResult {
        if event.tools.get("new").is_some() { Err("unknown tool".into()) } else { Ok(()) }
    };
    let mut agent = template(&model, [swap]).tool_provider(provider).on_select_tools(fails).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(&error, AgentError::Hook { event: "select_tools", .. }), "{error:?}");
    assert_eq!(model.requests().len(), 1);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn the_tool_of_a_structured_output_is_not_for_hooks() {
    let log = Log::default();
    let seen = log.clone();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("Trip", json!({"city": "Oslo"}))]);
    let hides = move |event: &mut SelectTools<'_>| {
        seen.add(format!("{:?}", event.tools.get("Trip").is_some()));
        event.hide("Trip");
    };
    let mut agent = template(&model, [naming("read")]).on_select_tools(hides).build().await.unwrap();
    let trip = agent.prompt("go").output::<Trip>().await.unwrap().output.unwrap();
    assert!(format!("{trip:?}").contains("Oslo"));
    assert_eq!(log.lines(), ["false"]);
}

#[tokio::test]
async fn a_hook_that_hides_nothing_changes_no_request() {
    let with = calling(&["read"]);
    let without = calling(&["read"]);
    let looks = |event: &mut SelectTools<'_>| assert_eq!(event.tools.iter().count(), 2);
    let build = |builder: AgentBuilder| async { builder.build().await.unwrap() };
    let tools = || ["read", "delete"].map(naming);
    let mut observed: Agent = build(template(&with, tools()).on_select_tools(looks)).await;
    let mut plain: Agent = build(template(&without, tools())).await;
    observed.prompt("go").await.unwrap();
    plain.prompt("go").await.unwrap();
    let tools = |model: &ScriptedModel| model.requests().into_iter().map(|request| request.tools).collect::<Vec<_>>();
    assert_eq!(tools(&with), tools(&without));
}
