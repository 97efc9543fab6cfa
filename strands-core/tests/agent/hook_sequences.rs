//! The order of hook events in each outcome of an invocation, as the page about hooks documents it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use strands_core::conversation::SlidingWindowConversationManager;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookContext, HookReplay, HookResult, MessageAdded, SelectTools,
};
use strands_core::models::{ErrorDetails, ModelError, ModelStream};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, Limits, Prompt, RetryPolicy, ToolAnnotations, ToolError, ToolOutput, ToolPolicy, ToolRunner,
    tools,
};
use tokio_util::sync::CancellationToken;

use crate::changing_tools::Switchable;
use crate::fakes::{Trip, asks};
use crate::support::{FnTool, Log, naming, template, tool};

/// Records the names of all events.
struct Events(Log);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Hook for Events {
    fn replay(&self) -> HookReplay {
        HookReplay::default()
    }

    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        self.0.add("before_invocation");
        Ok(())
    }
    async fn select_tools(&self, _: &mut SelectTools<'_>) -> HookResult {
        self.0.add("select_tools");
        Ok(())
    }
    async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
        self.0.add("after_invocation");
        Ok(())
    }
    async fn message_added(&self, _: &MessageAdded<'_>) -> HookResult {
        self.0.add("message_added");
        Ok(())
    }
    async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
        self.0.add("before_model_call");
        Ok(())
    }
    fn response_stream(&self, _: &HookContext, stream: ModelStream) -> ModelStream {
        self.0.add("response_stream");
        stream
    }
    async fn after_model_call(&self, _: &mut AfterModelCall<'_>) -> HookResult {
        self.0.add("after_model_call");
        Ok(())
    }
    async fn before_tools(&self, _: &mut BeforeTools<'_>) -> HookResult {
        self.0.add("before_tools");
        Ok(())
    }
    async fn after_tools(&self, _: &mut AfterTools<'_>) -> HookResult {
        self.0.add("after_tools");
        Ok(())
    }
    async fn before_tool_call(&self, _: &mut BeforeToolCall<'_>) -> HookResult {
        self.0.add("before_tool_call");
        Ok(())
    }
    async fn authorize_tool_call(&self, _: &mut AuthorizeToolCall<'_>) -> HookResult {
        self.0.add("authorize_tool_call");
        Ok(())
    }
    async fn after_tool_call(&self, _: &mut AfterToolCall<'_>) -> HookResult {
        self.0.add("after_tool_call");
        Ok(())
    }
}

/// An agent whose model has these turns. The hook that records is the first one.
fn builder(
    log: &Log,
    turns: impl IntoIterator<Item = ScriptedTurn>,
    tools: impl IntoIterator<Item = FnTool>,
) -> AgentBuilder {
    let delay = Duration::from_millis(1);
    template(&ScriptedModel::new(turns), tools)
        .retry(RetryPolicy::new().initial_delay(delay).max_delay(delay))
        .hook(Events(log.clone()))
}

fn text() -> ScriptedTurn {
    ScriptedTurn::text("done")
}

/// A call of the tool `t`, and then a text.
fn call() -> [ScriptedTurn; 2] {
    [ScriptedTurn::tool_use("t", json!({})), text()]
}

fn overloaded() -> ModelError {
    ModelError::transport("connection reset")
}

async fn prompted(builder: AgentBuilder) -> Agent {
    let mut agent = builder.build().await.unwrap();
    let ended = agent.prompt("go").await;
    drop(ended);
    agent
}

/// Prompts an agent, responds to its interrupts, and records only the events of the second invocation.
async fn resumed(builder: AgentBuilder, log: &Log, response: Value) {
    let mut agent = prompted(builder).await;
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(response.clone())).collect();
    assert!(!responses.is_empty());
    log.clear();
    let ended = agent.prompt(Prompt::none()).resume(responses).await;
    drop(ended);
}

/// Prompts an agent, and cancels or drops the invocation after a second.
async fn ended_early(builder: AgentBuilder, by_drop: bool) {
    let mut agent = builder.build().await.unwrap();
    let after = Duration::from_secs(1);
    let token = CancellationToken::new();
    let invocation = agent.prompt("go").cancel_with(token.clone()).into_future();
    if by_drop {
        assert!(tokio::time::timeout(after, invocation).await.is_err());
    } else {
        let cancel = async {
            tokio::time::sleep(after).await;
            token.cancel();
        };
        tokio::join!(invocation, cancel).0.unwrap();
    }
}

fn hanging() -> FnTool {
    tool("t", |_, _| pending())
}

fn stalling() -> [ScriptedTurn; 1] {
    [ScriptedTurn::text("one two").stalling_after(2)]
}

/// Returns true the first time.
fn once() -> impl Fn() -> bool + Send + Sync {
    let left = AtomicU32::new(1);
    move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

type Scenario = fn(Log) -> BoxFuture<'static, ()>;

macro_rules! scenarios {
    ($($name:literal: |$log:ident| $body:block)+) => {
        [$(($name, |$log: Log| async move { $body; }.boxed())),+]
    };
}

/// The scenarios with the names of the rows that document them. Several scenarios of one row have the same events.
fn scenarios() -> Vec<(&'static str, Scenario)> {
    let list: [(&str, Scenario); 53] = scenarios! {
        "response without tool calls": |log| { prompted(builder(&log, [text()], [])).await }
        "response with a tool call": |log| { prompted(builder(&log, call(), [naming("t")])).await }
        "response with a tool call": |log| {
            // The retries of a tool's policy are within the call.
            let t = tool("t", |ctx, _| async move {
                if ctx.attempt() < 3 { Err(ToolError::retryable("overloaded")) } else { Ok(ToolOutput::text("ok")) }
            });
            let t = t.annotations(ToolAnnotations::new().with_read_only(true)).policy(ToolPolicy::new().with_retries(2));
            prompted(builder(&log, call(), [t])).await
        }
        "error, timeout or panic of a tool": |log| {
            prompted(builder(&log, call(), [tool("t", |_, _| async { Err(ToolError::new("no")) })])).await
        }
        "error, timeout or panic of a tool": |log| {
            let policy = ToolPolicy::new().with_timeout(Duration::from_secs(1));
            prompted(builder(&log, call(), [hanging().policy(policy)])).await
        }
        "error, timeout or panic of a tool": |log| {
            prompted(builder(&log, call(), [tool("t", |_, _| async { panic!("no") })])).await
        }
        "invalid arguments": |log| {
            let t = naming("t").schema(json!({"type": "object", "required": ["n"]}));
            prompted(builder(&log, call(), [t])).await
        }
        "unknown or hidden tool": |log| { prompted(builder(&log, call(), [])).await }
        "unknown or hidden tool": |log| {
            let hides = |event: &mut SelectTools<'_>| event.hide("t");
            prompted(builder(&log, call(), [naming("t")]).on_select_tools(hides)).await
        }
        "call denied by `before_tool_call`": |log| {
            let denies = |event: &mut BeforeToolCall<'_>| event.deny = Some("no".into());
            prompted(builder(&log, call(), [naming("t")]).on_before_tool_call(denies)).await
        }
        "call denied by `authorize_tool_call`": |log| {
            let denies = |event: &mut AuthorizeToolCall<'_>| event.deny("no");
            prompted(builder(&log, call(), [naming("t")]).on_authorize_tool_call(denies)).await
        }
        "tools denied by `before_tools`": |log| {
            let denies = |event: &mut BeforeTools<'_>| event.deny = Some("no".into());
            prompted(builder(&log, call(), [naming("t")]).on_before_tools(denies)).await
        }
        "model call denied by `before_model_call`": |log| {
            let denies = |event: &mut BeforeModelCall<'_>| event.deny = Some("no".into());
            prompted(builder(&log, [text()], []).on_before_model_call(denies)).await
        }
        "invocation denied by `before_invocation`": |log| {
            let denies = |event: &mut BeforeInvocation<'_>| event.deny = Some("no".into());
            prompted(builder(&log, [text()], []).on_before_invocation(denies)).await
        }
        "error of the model": |log| {
            let refused = ModelError::InvalidRequest { details: ErrorDetails::new().boxed() };
            prompted(builder(&log, [ScriptedTurn::error(refused)], [])).await
        }
        "error of the model, retried": |log| {
            prompted(builder(&log, [ScriptedTurn::error(overloaded()), text()], [])).await
        }
        "response that breaks off, retried": |log| {
            let broken = ScriptedTurn::text("one two three").breaking_after(2, overloaded());
            prompted(builder(&log, [broken, text()], [])).await
        }
        "model call repeated by `after_model_call`": |log| {
            let first = once();
            let again = move |event: &mut AfterModelCall<'_>| event.retry = first();
            prompted(builder(&log, [text(), text()], []).on_after_model_call(again)).await
        }
        "tool call repeated by `after_tool_call`": |log| {
            let first = once();
            let again = move |event: &mut AfterToolCall<'_>| event.retry = first();
            prompted(builder(&log, call(), [naming("t")]).on_after_tool_call(again)).await
        }
        "turn ended by `after_tools`": |log| {
            let ends = |event: &mut AfterTools<'_>| event.end_turn = Some("enough".into());
            prompted(builder(&log, call(), [naming("t")]).on_after_tools(ends)).await
        }
        "continued by `after_invocation`": |log| {
            let first = once();
            let continues = move |event: &mut AfterInvocation<'_>| {
                event.resume = first().then(|| "go on".into());
            };
            prompted(builder(&log, [text(), text()], []).on_after_invocation(continues)).await
        }
        "cancelled during the response": |log| {
            ended_early(builder(&log, [ScriptedTurn::text("").stalling_after(0)], []), false).await;
        }
        "cancelled during the response": |log| { ended_early(builder(&log, stalling(), []), false).await }
        "cancelled during a tool": |log| { ended_early(builder(&log, call(), [hanging()]), false).await }
        "dropped during the response": |log| { ended_early(builder(&log, stalling(), []), true).await }
        "dropped during a tool": |log| { ended_early(builder(&log, call(), [hanging()]), true).await }
        "interrupt of `before_tool_call`": |log| {
            let asks = |event: &mut BeforeToolCall<'_>| drop(event.interrupt("ask", "sure?"));
            prompted(builder(&log, call(), [naming("t")]).on_before_tool_call(asks)).await
        }
        "interrupt of `authorize_tool_call`, of the agent's approval or of a tool": |log| {
            let asks = |event: &mut AuthorizeToolCall<'_>| drop(event.interrupt("ask", "sure?"));
            prompted(builder(&log, call(), [naming("t")]).on_authorize_tool_call(asks)).await
        }
        "interrupt of `authorize_tool_call`, of the agent's approval or of a tool": |log| {
            let turns = [ScriptedTurn::tool_use("wipe", json!({})), text()];
            prompted(builder(&log, turns, [asks()])).await
        }
        "interrupt of `authorize_tool_call`, of the agent's approval or of a tool": |log| {
            let t = tool("t", |ctx, _| async move { ctx.interrupt("ask", "sure?").map(ToolOutput::json) });
            prompted(builder(&log, call(), [t])).await
        }
        "resumed, approved": |log| {
            let turns = [ScriptedTurn::tool_use("wipe", json!({})), text()];
            resumed(builder(&log, turns, [asks()]), &log, json!(true)).await;
        }
        "resumed, approved": |log| {
            let t = tool("t", |ctx, _| async move { ctx.interrupt("ask", "sure?").map(ToolOutput::json) });
            resumed(builder(&log, call(), [t]), &log, json!("yes")).await;
        }
        "resumed, not approved": |log| {
            let turns = [ScriptedTurn::tool_use("wipe", json!({})), text()];
            resumed(builder(&log, turns, [asks()]), &log, json!(false)).await;
        }
        "resumed, response refused by `before_invocation`": |log| {
            let refuses = |event: &mut BeforeInvocation<'_>| -> HookResult {
                if event.responses.is_empty() { Ok(()) } else { Err("not yours to approve".into()) }
            };
            let turns = [ScriptedTurn::tool_use("wipe", json!({})), text()];
            resumed(builder(&log, turns, [asks()]).on_before_invocation(refuses), &log, json!(true)).await;
        }
        "limit of turns": |log| {
            prompted(builder(&log, call(), [naming("t")]).limits(Limits::new().turns(1))).await
        }
        "limit of time during a tool": |log| {
            prompted(builder(&log, call(), [hanging()]).limits(Limits::new().duration(Duration::from_secs(1)))).await
        }
        "error of the model, retried": |log| {
            let overflow = ModelError::ContextOverflow { details: ErrorDetails::new().boxed() };
            let turns = [text(), text(), ScriptedTurn::error(overflow), text()];
            let builder = builder(&log, turns, []).conversation_manager(SlidingWindowConversationManager::new(40));
            let mut agent = builder.build().await.unwrap();
            for _ in 0..2 {
                agent.prompt("go").await.unwrap();
            }
            log.clear();
            agent.prompt("go").await.unwrap()
        }
        "conflict in the session, retried": |log| {
            let sessions = InMemorySessionManager::new("s");
            let worker = |builder: AgentBuilder| builder.session_manager(sessions.clone()).conflict_retries(1).build();
            let mut agent = worker(builder(&log, [text(), text()], [])).await.unwrap();
            let mut other = worker(template(&ScriptedModel::responding("hi"), [])).await.unwrap();
            other.prompt("go").await.unwrap();
            agent.prompt("go").await.unwrap()
        }
        "changed tools of a provider": |log| {
            let provider = Switchable::with(tools![naming("old")]);
            let switched = Arc::clone(&provider);
            let t = tool("t", move |_, _| {
                switched.switch_to(tools![naming("new")]);
                async { Ok(ToolOutput::text("ok")) }
            });
            prompted(builder(&log, call(), [t]).tool_provider(provider)).await
        }
        "structured output by its tool": |log| {
            let turns = [ScriptedTurn::tool_use("Trip", json!({"city": "Oslo"})), text()];
            let mut agent = builder(&log, turns, []).build().await.unwrap();
            agent.prompt("go").output::<Trip>().await.unwrap()
        }
        "error of `before_invocation`": |log| {
            let fails = |_: &mut BeforeInvocation<'_>| -> HookResult { Err("no".into()) };
            prompted(builder(&log, call(), [naming("t")]).on_before_invocation(fails)).await
        }
        "error of `select_tools`": |log| {
            let fails = |_: &mut SelectTools<'_>| -> HookResult { Err("no".into()) };
            prompted(builder(&log, call(), [naming("t")]).on_select_tools(fails)).await
        }
        "error of `before_model_call`": |log| {
            let fails = |_: &mut BeforeModelCall<'_>| -> HookResult { Err("no".into()) };
            prompted(builder(&log, call(), [naming("t")]).on_before_model_call(fails)).await
        }
        "error of `before_tools`": |log| {
            let fails = |_: &mut BeforeTools<'_>| -> HookResult { Err("no".into()) };
            prompted(builder(&log, call(), [naming("t")]).on_before_tools(fails)).await
        }
        "error of `before_tool_call`": |log| {
            let fails = |_: &mut BeforeToolCall<'_>| -> HookResult { Err("no".into()) };
            prompted(builder(&log, call(), [naming("t")]).on_before_tool_call(fails)).await
        }
        "error of `authorize_tool_call`": |log| {
            let fails = |_: &mut AuthorizeToolCall<'_>| -> HookResult { Err("no".into()) };
            prompted(builder(&log, call(), [naming("t")]).on_authorize_tool_call(fails)).await
        }
        "direct call": |log| { called(&log, naming("t"), |runner| runner).await }
        "direct call": |log| {
            let agent = builder(&log, [], [naming("t")]).build().await.unwrap();
            agent.call_tool("t", json!({})).await.unwrap()
        }
        "direct call, denied by `before_tool_call` or invalid": |log| {
            called(&log, naming("t"), |runner| runner.hook(Denies { before: true })).await;
        }
        "direct call, denied by `before_tool_call` or invalid": |log| {
            called(&log, naming("t").schema(json!({"type": "object", "required": ["n"]})), |runner| runner).await;
        }
        "direct call, denied by `authorize_tool_call`": |log| {
            called(&log, naming("t"), |runner| runner.hook(Denies { before: false })).await;
        }
        "direct call, interrupted by the approval": |log| {
            called(&log, naming("t").policy(ToolPolicy::new().with_approval(true)), |runner| runner).await;
        }
        "prompt that ends with a tool call": |log| {
            let mut agent = builder(&log, [text()], [naming("t")]).build().await.unwrap();
            agent.prompt(Prompt::from(vec![
                strands_core::message::Message::user("go"),
                strands_core::message::Message::new(
                    strands_core::message::Role::Assistant,
                    [strands_core::message::ToolUse::new("1", "t", json!({}))],
                ),
            ])).await.unwrap()
        }
    };
    list.into()
}

struct Denies {
    before: bool,
}

#[async_trait]
impl Hook for Denies {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        event.deny = self.before.then(|| "no".into());
        Ok(())
    }
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        event.deny("no");
        Ok(())
    }
}

async fn called(log: &Log, tool: FnTool, configure: fn(ToolRunner) -> ToolRunner) {
    let runner = configure(ToolRunner::new(tools![tool]).unwrap().hook(Events(log.clone())));
    runner.call("t", json!({})).await.unwrap();
}

/// The rows of the table in the page about hooks: outcomes and their events.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/hooks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table =
        page.split_once("<!-- order of events -->").unwrap().1.split_once("<!-- /order of events -->").unwrap().0;
    let (mut parts, mut outcomes) = (BTreeMap::new(), BTreeMap::new());
    for row in table.lines().filter(|line| line.starts_with('|') && line.contains("| `") || line.contains("| *")) {
        let (name, row_events) = row.trim_matches('|').split_once('|').unwrap();
        let events = events(row_events, &parts);
        let rows = if name.trim().starts_with('*') { &mut parts } else { &mut outcomes };
        let is_new = rows.insert(name.trim().to_owned(), events).is_none();
        assert!(is_new, "two rows for {name}");
    }
    outcomes
}

/// Reads a list of events in backticks and of parts in asterisks, which stand for their events.
fn events(list: &str, parts: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let read = |word: &str| match word.strip_prefix('`') {
        Some(event) => vec![event.strip_suffix('`').unwrap().to_owned()],
        None => parts.get(word).unwrap_or_else(|| panic!("`{word}` is no part")).clone(),
    };
    list.split_whitespace().flat_map(read).collect()
}

#[tokio::test(start_paused = true)]
async fn events_have_the_documented_order_in_each_outcome() {
    let mut documented = documented();
    let all = scenarios();
    let names: BTreeSet<_> = all.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows: BTreeSet<_> = documented.keys().cloned().collect();
    let mut wrong = Vec::new();
    for (name, scenario) in all {
        let log = Log::default();
        scenario(log.clone()).await;
        let recorded = log.lines();
        if documented.get(name) != Some(&recorded) {
            wrong.push(format!("| {name} | `{}` |", recorded.join("` `")));
            documented.insert(name.to_owned(), recorded);
        }
    }
    assert!(wrong.is_empty(), "rows that docs/src/hooks.md should have:\n{}", wrong.join("\n"));
    assert_eq!(names, rows, "a row has no scenario");
}
