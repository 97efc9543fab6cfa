//! Hooks: the order of the events, and each way to control the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, BeforeInvocation, BeforeModelCall, BeforeToolCall,
    BeforeTools, Hook, HookResult, MessageAdded,
};
use strands_core::message::Message;
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::session::SessionError;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentEvent, Limits, Prompt, Tool, ToolError, ToolOutput};

use crate::support::{Log, agent, assert_whole, kinds, listen, naming, newest_results, template, tool};
use crate::valid_history::flaw;

/// Records the events that it receives.
pub(crate) struct EventLog(pub(crate) &'static str, pub(crate) Log);

#[async_trait]
impl Hook for EventLog {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        self.1.add(format!("{}before_invocation {}", self.0, event.prompt.len()));
        Ok(())
    }
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        let outcome = event.outcome.map_or_else(|_| "error".to_owned(), |response| response.stop_reason.to_string());
        self.1.add(format!("{}after_invocation {outcome}", self.0));
        Ok(())
    }
    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        self.1.add(format!("{}message_added {:?}", self.0, event.message.role));
        Ok(())
    }
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        self.1.add(format!("{}before_model_call {} {}", self.0, event.messages.len(), event.context.cycle()));
        Ok(())
    }
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        let outcome = event.outcome.map_or_else(|_| "error".to_owned(), |(_, reason)| reason.to_string());
        self.1.add(format!("{}after_model_call {outcome}", self.0));
        Ok(())
    }
    async fn before_tools(&self, _: &mut BeforeTools<'_>) -> HookResult {
        self.1.add(format!("{}before_tools", self.0));
        Ok(())
    }
    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        self.1.add(format!("{}after_tools {}", self.0, event.results.tool_results().count()));
        Ok(())
    }
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        self.1.add(format!("{}before_tool_call {}", self.0, event.tool_use.name));
        Ok(())
    }
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        self.1.add(format!("{}after_tool_call {}", self.0, event.error.is_some()));
        Ok(())
    }
}

fn one_tool() -> ScriptedModel {
    ScriptedModel::new([ScriptedTurn::tool_use("one", json!({})), ScriptedTurn::text("done")])
}

#[tokio::test]
async fn hook_events_arrive_in_order() {
    let log = Log::default();
    let mut agent = template(&one_tool(), [naming("one")]).hook(EventLog("", log.clone())).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(
        log.lines(),
        [
            "before_invocation 1",
            "before_model_call 1 1",
            "after_model_call tool_use",
            "message_added User",
            "message_added Assistant",
            "before_tools",
            "before_tool_call one",
            "after_tool_call false",
            "after_tools 1",
            "message_added User",
            "before_model_call 3 2",
            "after_model_call end_turn",
            "message_added Assistant",
            "after_invocation end_turn",
        ]
    );
}

#[tokio::test]
async fn after_events_run_in_reverse_order() {
    for is_added_last in [false, true] {
        let log = Log::default();
        let builder = template(&one_tool(), [naming("one")]);
        let [a, b] = ["a ", "b "].map(|name| EventLog(name, log.clone()));
        let builder = if is_added_last { builder.hook(b).outer_hook(a) } else { builder.hook(a).hook(b) };
        builder.build().await.unwrap().prompt("go").await.unwrap();
        let lines = log.lines();
        let recorded = |event: &str| {
            let lines =
                lines.iter().filter_map(|line| line.split_once(' ')).filter(|(_, rest)| rest.starts_with(event));
            lines.map(|(who, _)| who.to_owned()).take(2).collect::<Vec<_>>()
        };
        for event in ["before_invocation", "before_model_call", "before_tools", "before_tool_call", "message_added"] {
            assert_eq!(recorded(event), ["a", "b"], "{event}");
        }
        for event in ["after_invocation", "after_model_call", "after_tools", "after_tool_call"] {
            assert_eq!(recorded(event), ["b", "a"], "{event}");
        }
    }
}

#[tokio::test]
async fn before_and_after_events_are_paired_during_interrupts() {
    let log = Log::default();
    let asks = tool("one", |ctx, _| async move { ToolOutput::serialize(&ctx.interrupt("q", "?")?) });
    let mut agent = template(&one_tool(), [asks]).hook(EventLog("", log.clone())).build().await.unwrap();
    let interrupts = agent.prompt("go").await.unwrap().interrupts;
    agent.prompt("too early").await.unwrap_err();
    agent.prompt(Prompt::none()).resume([interrupts[0].respond(1)]).await.unwrap();
    let ends = |line: &String| line.contains("_invocation");
    assert_eq!(
        log.lines().into_iter().filter(ends).collect::<Vec<_>>(),
        ["before_invocation 1", "after_invocation interrupt", "before_invocation 0", "after_invocation end_turn"]
    );
}

/// A hook with the settings of one test.
#[derive(Default)]
struct Steers {
    deny_invocation: bool,
    prompt: Option<Vec<Message>>,
    deny_model: bool,
    retry_model: bool,
    retry_tool: bool,
    end_turn: bool,
    rename: bool,
    swap: Option<Arc<dyn Tool>>,
    change_result: bool,
    resume_with: Option<&'static str>,
    events: AtomicUsize,
}

#[async_trait]
impl Hook for Steers {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        event.deny = self.deny_invocation.then(|| "denied".to_owned());
        if let Some(prompt) = &self.prompt {
            event.prompt.clone_from(prompt);
        }
        Ok(())
    }
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        event.deny = self.deny_model.then(|| "no model today".to_owned());
        Ok(())
    }
    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        event.retry = self.retry_model;
        Ok(())
    }
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        if self.rename {
            "two".clone_into(&mut event.tool_use.name);
            "another id".clone_into(&mut event.tool_use.tool_use_id);
        }
        event.tool.clone_from(&self.swap);
        Ok(())
    }
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        self.events.fetch_add(1, Ordering::SeqCst);
        event.retry = self.retry_tool;
        if self.change_result {
            *event.result = strands_core::message::ToolResult::error("a wrong id", "changed");
        }
        Ok(())
    }
    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        event.end_turn = self.end_turn.then(|| "that will do".to_owned());
        Ok(())
    }
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        event.resume = self.resume_with.map(Prompt::from);
        Ok(())
    }
}

#[tokio::test]
async fn a_denied_invocation_keeps_the_prompt_and_the_message_of_the_hook() {
    let model = one_tool();
    let hook = Steers { deny_invocation: true, ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("denied", StopReason::EndTurn));
    let texts: Vec<_> = agent.messages().iter().map(|message| message.text()).collect();
    assert_eq!((texts, model.requests().len()), (vec!["go".to_owned(), "denied".into()], 0));
    assert_whole(&mut agent).await;
    agent.prompt(Prompt::none()).await.unwrap();
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_hook_can_replace_the_prompt() {
    let model = ScriptedModel::responding("ok");
    let hook = Steers { prompt: Some(vec![Message::user("something else")]), ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(model.requests()[0].messages[0].text(), "something else");

    let hook = Steers { prompt: Some(Vec::new()), ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    agent.prompt("go").await.unwrap_err();
    assert!(agent.messages().is_empty());
}

#[tokio::test]
async fn a_hook_can_deny_a_model_call_with_a_response() {
    let model = one_tool();
    let hook = Steers { deny_model: true, ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.usage.total_tokens), ("no model today", 0));
    assert_eq!(model.requests().len(), 0);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn retries_of_responses_by_hooks_are_bounded() {
    let model = ScriptedModel::responding("hi there");
    let hook = Steers { retry_model: true, ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    let response = ended.unwrap();
    assert_eq!((model.requests().len(), response.turns), (9, 1));
    // The discarded response has a cost, and was announced.
    assert_eq!(response.usage.total_tokens, 9 * 15);
    assert_eq!(agent.metrics().accumulated_usage(), response.usage);
    let discards = |event: &&AgentEvent| matches!(event, AgentEvent::Retry { discards_output: true, .. });
    assert_eq!(events.iter().filter(discards).count(), 8);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn retries_of_failures_by_hooks_are_bounded() {
    let refused = || ModelError::InvalidRequest { details: ErrorDetails::new().boxed() };
    let model = ScriptedModel::from_fn(move |_| ScriptedTurn::error(refused()));
    let hook = Steers { retry_model: true, ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    agent.prompt("go").await.unwrap_err();
    assert_eq!(model.requests().len(), 9);
}

#[tokio::test]
async fn retries_of_tool_results_by_hooks_are_bounded() {
    let hook = Arc::new(Steers { retry_tool: true, ..Steers::default() });
    struct Shared(Arc<Steers>);
    #[async_trait]
    impl Hook for Shared {
        async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
            self.0.after_tool_call(event).await
        }
    }
    let mut agent = template(&one_tool(), [naming("one")]).hook(Shared(Arc::clone(&hook))).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(hook.events.load(Ordering::SeqCst), 9);
    assert_eq!(newest_results(agent.messages()), [(false, "one".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_hook_can_replace_the_tool_of_a_call() {
    let swapped: Arc<dyn Tool> = Arc::new(naming("three"));
    for (hook, ran) in [
        (Steers { rename: true, ..Steers::default() }, "two"),
        (Steers { swap: Some(swapped), ..Steers::default() }, "three"),
    ] {
        let mut agent = template(&one_tool(), [naming("one"), naming("two")]).hook(hook).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        assert_eq!(newest_results(agent.messages()), [(false, ran.into())]);
        assert_eq!(agent.messages()[1].tool_uses().next().unwrap().name, "one");
        assert_whole(&mut agent).await;
    }
}

#[tokio::test]
async fn a_result_changed_by_a_hook_keeps_its_call_id() {
    let hook = Steers { change_result: true, ..Steers::default() };
    let mut agent = template(&one_tool(), [naming("one")]).hook(hook).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(true, "changed".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn an_after_tools_hook_can_end_the_turn() {
    let model = one_tool();
    let hook = Steers { end_turn: true, ..Steers::default() };
    let mut agent = template(&model, [naming("one")]).hook(hook).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("that will do", StopReason::EndTurn));
    assert_eq!((agent.messages().len(), model.requests().len()), (4, 1));
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn rounds_requested_by_hooks_are_bounded() {
    let model = ScriptedModel::responding("hi there");
    let hook = Steers { resume_with: Some("more"), ..Steers::default() };
    let mut agent = template(&model, []).hook(hook).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    let response = ended.unwrap();
    assert_eq!((model.requests().len(), response.turns), (17, 17));
    assert_eq!(response.usage.total_tokens, 17 * 15);
    assert_eq!(agent.metrics().summary().agent_invocations.len(), 1);
    assert_eq!(kinds(&events).iter().filter(|kind| *kind == "cycle_start").count(), 17);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn rounds_requested_by_hooks_respect_limits_and_cancellation() {
    let model = ScriptedModel::responding("hi there");
    let hook = || Steers { resume_with: Some("more"), ..Steers::default() };
    let mut agent = template(&model, []).hook(hook()).build().await.unwrap();
    let response = agent.prompt("go").limits(Limits::new().turns(3)).await.unwrap();
    assert_eq!((response.stop_reason, model.requests().len()), (StopReason::LimitTurns, 3));
    assert_whole(&mut agent).await;

    let token = tokio_util::sync::CancellationToken::new();
    token.cancel();
    let response = agent.prompt("go").cancel_with(token).await.unwrap();
    assert_eq!((response.stop_reason, model.requests().len()), (StopReason::Cancelled, 3));
    assert_eq!(flaw(agent.messages(), false), None);
}

#[tokio::test]
async fn a_hook_sees_the_tool_error_and_the_model_its_public_text() {
    #[derive(Debug)]
    struct Secret;
    impl std::fmt::Display for Secret {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("password is hunter2")
        }
    }
    impl std::error::Error for Secret {}
    struct Sees(Log);
    #[async_trait]
    impl Hook for Sees {
        async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
            self.0.add(event.error.unwrap().to_string());
            Ok(())
        }
    }
    let log = Log::default();
    let fails = || {
        tool("one", |_, _| async {
            let source = Box::new(Secret);
            Err(ToolError::from_source(SessionError::Storage { action: "read", key: "booking".into(), source }))
        })
    };
    let whole = "the session store could not read booking: password is hunter2";
    for (redacts, expected) in [(false, whole), (true, "the tool failed")] {
        let builder = template(&one_tool(), [fails()]).hook(Sees(log.clone()));
        let builder = if redacts { builder.redact_tool_errors() } else { builder };
        let mut agent = builder.build().await.unwrap();
        agent.prompt("go").await.unwrap();
        assert_eq!(newest_results(agent.messages()), [(true, expected.into())]);
    }
    assert_eq!(log.lines(), [whole, whole]);
}

#[tokio::test]
async fn hooks_without_effect_do_not_change_the_run() {
    let mut plain = agent(&one_tool(), [naming("one")]).await;
    let mut observed = template(&one_tool(), [naming("one")]).hook(EventLog("", Log::default())).build().await.unwrap();
    plain.prompt("go").await.unwrap();
    observed.prompt("go").await.unwrap();
    let texts = |agent: &strands_core::Agent| {
        let summary = |message: &Arc<Message>| (message.role, message.text(), message.tool_uses().count());
        agent.messages().iter().map(summary).collect::<Vec<_>>()
    };
    assert_eq!(texts(&plain), texts(&observed));
}
