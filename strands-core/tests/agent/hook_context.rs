//! The context of hooks: one hook in a template serves many agents concurrently, and each event identifies its agent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, BeforeInvocation, BeforeModelCall, BeforeToolCall,
    BeforeTools, Hook, HookContext, HookResult, MessageAdded,
};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, BuildError, CancellationToken, Plugin, ToolOutput, tools};

use crate::support::{Log, naming, newest_results, template, text_of, tool};

#[derive(Clone, Debug, PartialEq)]
struct User(String);

/// An event as a hook received it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    event: &'static str,
    agent: String,
    cycle: u32,
    session: Option<String>,
    user: Option<User>,
}

/// Records each event under the id of its invocation.
#[derive(Clone, Default)]
struct Attributes(Arc<Mutex<BTreeMap<String, Vec<Seen>>>>);

impl Attributes {
    fn add(&self, event: &'static str, context: &HookContext) -> HookResult {
        let seen = Seen {
            event,
            agent: context.agent_id().to_owned(),
            cycle: context.cycle(),
            session: context.session_id().map(str::to_owned),
            user: context.injected::<User>().cloned(),
        };
        assert!(!context.cancellation().is_cancelled() && !context.is_replay());
        context.state().set("seen_by", context.agent_name())?;
        self.0.lock().unwrap().entry(context.invocation_id().to_owned()).or_default().push(seen);
        Ok(())
    }

    fn seen(&self) -> BTreeMap<String, Vec<Seen>> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Hook for Attributes {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        self.add("before_invocation", event.context)
    }
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        self.add("after_invocation", event.context)
    }
    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        self.add("message_added", event.context)
    }
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        tokio::task::yield_now().await;
        self.add("before_model_call", event.context)
    }
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        self.add("after_model_call", event.context)
    }
    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        self.add("before_tools", event.context)
    }
    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        self.add("after_tools", event.context)
    }
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        tokio::task::yield_now().await;
        self.add("before_tool_call", event.context)
    }
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        self.add("after_tool_call", event.context)
    }
}

fn one_tool() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_use("one", json!({})),
        Some(_) => ScriptedTurn::text("done"),
    })
}

const EVENTS: [(&str, u32); 14] = [
    ("before_invocation", 0),
    ("before_model_call", 1),
    ("after_model_call", 1),
    ("message_added", 1),
    ("message_added", 1),
    ("before_tools", 1),
    ("before_tool_call", 1),
    ("after_tool_call", 1),
    ("after_tools", 1),
    ("message_added", 1),
    ("before_model_call", 2),
    ("after_model_call", 2),
    ("message_added", 2),
    ("after_invocation", 2),
];

#[tokio::test]
async fn a_shared_hook_attributes_events_to_their_agents() {
    let hook = Attributes::default();
    let tool_log = Log::default();
    let tool_writer = tool_log.clone();
    let one = tool("one", move |ctx, _| {
        tool_writer.add(format!("{} {} {:?}", ctx.invocation_id(), ctx.agent_id(), ctx.session_id()));
        async { Ok(ToolOutput::text("one")) }
    });
    let template = template(&one_tool(), [one]).hook(hook.clone()).injected_per_prompt::<User>();
    let prompts = (0..200).map(|number| {
        let template = template.clone().agent_id(format!("agent-{number}")).name(format!("Agent {number}"));
        async move {
            let sessions = InMemorySessionManager::new(format!("session-{number}"));
            let mut agent = template.session_manager(sessions).build().await.unwrap();
            for _ in 0..2 {
                agent.prompt("go").inject(User(format!("user-{number}"))).await.unwrap();
            }
            assert_eq!(agent.state().get("seen_by"), Some(json!(format!("Agent {number}"))));
        }
    });
    join_all(prompts).await;
    let seen = hook.seen();
    assert_eq!(seen.len(), 400, "each invocation has an id of its own");
    let mut of_agents = BTreeMap::<String, u32>::new();
    for (invocation, events) in seen {
        let agent = events[0].agent.clone();
        let number = agent.strip_prefix("agent-").unwrap();
        let expected = EVENTS.map(|(event, cycle)| Seen {
            event,
            agent: agent.clone(),
            // Cycles are counted from the start of each invocation.
            cycle: if event == "before_invocation" { 0 } else { cycle },
            session: Some(format!("session-{number}")),
            user: Some(User(format!("user-{number}"))),
        });
        assert_eq!(events, expected, "{invocation}");
        let line = format!("{invocation} {agent} {:?}", Some(format!("session-{number}")));
        assert!(tool_log.lines().contains(&line), "tools have the same ids");
        *of_agents.entry(agent).or_default() += 1;
    }
    assert!(of_agents.len() == 200 && of_agents.values().all(|invocations| *invocations == 2));
}

#[tokio::test]
async fn a_hook_can_cancel_its_invocation() {
    let token = CancellationToken::new();
    let cancels = token.clone();
    let template = template(&one_tool(), [naming("one")]).on_before_tool_call(move |event| {
        let of_invocation = event.context.cancellation().clone();
        cancels.cancel();
        assert!(of_invocation.is_cancelled(), "the token follows that of the invocation");
    });
    let response = template.build().await.unwrap().prompt("go").cancel_with(token).await.unwrap();
    assert_eq!(response.stop_reason, strands_core::models::StopReason::Cancelled);
}

#[tokio::test]
async fn closures_can_handle_every_hook_event() {
    let log = Log::default();
    let add = |name: &'static str| {
        let log = log.clone();
        move || log.add(name)
    };
    let [a, b, c, d, e] = ["before_invocation", "after_invocation", "message", "before_model", "after_model"].map(add);
    let [f, g, h, i] = ["before_tools", "after_tools", "before_call", "after_call"].map(add);
    let template = template(&one_tool(), [naming("one")])
        .on_before_invocation(move |_| a())
        .on_after_invocation(move |_| b())
        .on_message_added(move |_| c())
        .on_before_model_call(move |_| d())
        .on_after_model_call(move |_| e())
        .on_before_tools(move |_| f())
        .on_after_tools(move |_| g())
        .on_before_tool_call(move |event| {
            event.deny = Some("not today".into());
            h();
            Ok(())
        })
        .on_after_tool_call(move |event| {
            event.result.content.push("never".into());
            i();
        });
    let mut agent = template.build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let expected = "before_invocation before_model after_model message message before_tools before_call after_call \
                    after_tools message before_model after_model message after_invocation";
    assert_eq!(log.lines().join(" "), expected);
    assert_eq!(newest_results(agent.messages()), [(true, "not todaynever".into())]);
}

#[tokio::test]
async fn a_failing_closure_ends_the_invocation() {
    let template = template(&one_tool(), [naming("one")]).on_before_model_call(|_| Err("no money left".into()));
    let error = template.build().await.unwrap().prompt("go").await.unwrap_err();
    assert!(format!("{error:?}").contains("no money left"), "{error:?}");
}

#[tokio::test]
async fn a_plugin_adds_hooks_tools_and_system_prompt() {
    let log = Log::default();
    let plugin = || {
        Plugin::new("notes")
            .hook(crate::hooks::EventLog("plugin ", log.clone()))
            .tools(tools![naming("one")])
            .system_prompt("Take notes.")
    };
    let model = one_tool();
    let template = Agent::builder().model(model.clone()).system_prompt("Be brief.").plugin(plugin());
    let mut agent = template.clone().build().await.unwrap();
    agent.prompt("go").await.unwrap();
    agent.prompt("go").system_prompt("Be long.").await.unwrap();
    agent.set_system_prompt("Be kind.");
    agent.prompt("go").await.unwrap();
    let systems: Vec<String> = model.requests().iter().map(|request| format!("{:?}", request.system)).collect();
    for (at, words) in [(0, "Be brief."), (2, "Be long."), (4, "Be kind.")] {
        assert!(systems[at].contains(words) && systems[at].contains("Take notes."), "{}", systems[at]);
        assert_eq!(systems[at], systems[at + 1]);
    }
    assert!(log.lines().contains(&"plugin before_tool_call one".to_owned()));
    let result = agent.messages().iter().flat_map(|message| message.tool_results()).next().unwrap().clone();
    assert_eq!(text_of(&result), "one");

    let error = template.plugin(plugin()).build().await.unwrap_err();
    assert!(matches!(&error, BuildError::DuplicatePlugin { name } if name == "notes"), "{error:?}");
}
