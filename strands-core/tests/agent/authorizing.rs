//! Authorization of tool calls by hooks: the last decision before a tool runs, about the call as it is made.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::FutureExt;
use serde_json::{Value, json};
use strands_core::hook::{AfterToolCall, AuthorizeToolCall, BeforeToolCall, HookResult};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, Interrupt, Prompt, Tool, ToolAnnotations, ToolCallOutcome, ToolOutput, ToolPolicy,
    ToolRunner, tools,
};

use crate::fakes::Recorded;
use crate::support::{FnTool, Log, assert_whole, newest_results, template, text_of, tool};

/// A tool that logs its name and arguments.
fn logging(name: &'static str, log: &Log) -> FnTool {
    let log = log.clone();
    tool(name, move |_, input| {
        log.add(format!("{name} {input}"));
        async { Ok(ToolOutput::text("ok")) }
    })
}

/// An agent that calls the tool `t`, and then responds.
fn calling(t: FnTool) -> AgentBuilder {
    template(&ScriptedModel::from_fn(call_and_respond), [t])
}

fn call_and_respond(request: &strands_core::models::ModelRequest<'_>) -> ScriptedTurn {
    match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_use("t", json!({"n": 1})),
        Some(_) => ScriptedTurn::text("done"),
    }
}

async fn result_of(builder: AgentBuilder) -> (bool, String) {
    let mut agent = builder.build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_whole(&mut agent).await;
    newest_results(agent.messages()).remove(0)
}

fn denied(reason: &str) -> (bool, String) {
    (true, reason.to_owned())
}

#[tokio::test]
async fn later_hooks_can_neither_undo_a_denial_nor_change_the_call() {
    let log = Log::default();
    let seen = log.clone();
    let authorizes = move |event: &mut AuthorizeToolCall<'_>| {
        seen.add(format!("authorize {} {}", event.tool_use.name, event.input));
        if event.tool_use.name == "wipe" {
            event.deny("only for managers");
        }
    };
    // Added after the authorizing hook: it calls another tool, and removes all denials that it can.
    let meddles = |event: &mut BeforeToolCall<'_>| {
        event.tool_use.name = "wipe".into();
        event.tool_use.input = json!({"all": true});
        event.deny = None;
    };
    let builder = calling(logging("t", &log)).tool(logging("wipe", &log));
    let builder = builder.on_authorize_tool_call(authorizes).on_before_tool_call(meddles);
    assert_eq!(result_of(builder).await, denied("only for managers"));
    assert_eq!(log.lines(), [r#"authorize wipe {"all":true}"#]);
}

#[tokio::test]
async fn the_decision_is_about_the_tool_and_the_arguments_of_the_call() {
    let log = Log::default();
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let numeric = |name| {
        let policy = ToolPolicy::new().with_numeric_strings(true);
        logging(name, &log).schema(schema.clone()).policy(policy)
    };
    let other: Arc<dyn Tool> = Arc::new(numeric("other"));
    let replaces = move |event: &mut BeforeToolCall<'_>| {
        event.tool_use.input = json!({"n": "7"});
        event.tool = Some(Arc::clone(&other));
    };
    let seen = log.clone();
    let authorizes = move |event: &mut AuthorizeToolCall<'_>| {
        seen.add(format!("{} {} {}", event.tool.spec().name, event.tool_use.input, event.input));
    };
    let builder = calling(numeric("t")).on_before_tool_call(replaces).on_authorize_tool_call(authorizes);
    assert_eq!(result_of(builder).await, (false, "ok".to_owned()));
    assert_eq!(log.lines(), [r#"other {"n":"7"} {"n":7}"#, r#"other {"n":7}"#]);
}

#[tokio::test]
async fn the_first_denial_is_final() {
    let log = Log::default();
    let later = log.clone();
    let builder = calling(logging("t", &log))
        .on_authorize_tool_call(|event: &mut AuthorizeToolCall<'_>| {
            event.approve();
            event.require_approval("it costs money");
            event.interrupt("ask", "sure?");
            event.deny("first");
            event.deny("second");
            event.approve();
        })
        .on_authorize_tool_call(move |event: &mut AuthorizeToolCall<'_>| {
            later.add("later");
            event.approve();
        });
    assert_eq!(result_of(builder).await, denied("first"));
    assert!(log.lines().is_empty(), "{:?}", log.lines());
}

#[tokio::test]
async fn calls_that_do_not_run_are_not_decided() {
    let asked = Arc::new(AtomicBool::new(false));
    let asks = || {
        let asked = Arc::clone(&asked);
        move |event: &mut AuthorizeToolCall<'_>| {
            asked.store(true, Ordering::SeqCst);
            event.approve();
        }
    };
    let log = Log::default();
    let strict = logging("t", &log).schema(json!({"type": "object", "required": ["m"]}));
    let unknown = template(&ScriptedModel::from_fn(call_and_respond), []);
    let denies = |event: &mut BeforeToolCall<'_>| event.deny = Some("no".into());
    for builder in [calling(strict), unknown, calling(logging("t", &log)).on_before_tool_call(denies)] {
        assert!(result_of(builder.on_authorize_tool_call(asks())).await.0);
    }
    assert!(!asked.load(Ordering::SeqCst) && log.lines().is_empty());
}

#[tokio::test]
async fn an_error_ends_the_invocation_without_the_tool() {
    let log = Log::default();
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let hook = move |_: &mut AuthorizeToolCall<'_>| -> HookResult {
        if failing.load(Ordering::SeqCst) { Err("the policy store is down".into()) } else { Ok(()) }
    };
    let calls = || ScriptedTurn::tool_use("t", json!({}));
    let model = ScriptedModel::new([calls(), calls(), ScriptedTurn::text("done")]);
    let mut agent = template(&model, [logging("t", &log)]).on_authorize_tool_call(hook).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(&error, AgentError::Hook { event: "authorize_tool_call", .. }), "{error:?}");
    assert_whole(&mut agent).await;
    let error = agent.call_tool("t", json!({})).await.unwrap_err();
    assert!(matches!(&error, AgentError::Hook { event: "authorize_tool_call", .. }), "{error:?}");
    assert!(log.lines().is_empty());
    fails.store(false, Ordering::SeqCst);
    assert_eq!(agent.prompt("again").await.unwrap().stop_reason, StopReason::EndTurn);
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn a_panic_never_runs_the_tool() {
    let log = Log::default();
    let panics = |_: &mut AuthorizeToolCall<'_>| -> HookResult { panic!("oh no") };
    let mut agent = calling(logging("t", &log)).on_authorize_tool_call(panics).build().await.unwrap();
    assert!(AssertUnwindSafe(agent.prompt("go").into_future()).catch_unwind().await.is_err());
    assert!(log.lines().is_empty());
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_hook_can_approve_in_place_of_the_agent() {
    let log = Log::default();
    let wipe = logging("t", &log).policy(ToolPolicy::new().with_approval(true));
    let requires = |event: &mut AuthorizeToolCall<'_>| {
        assert_eq!(event.required_approval(), Some(&Value::Null));
        event.require_approval("first");
        event.require_approval("second");
    };
    let approves = |event: &mut AuthorizeToolCall<'_>| {
        assert_eq!(event.required_approval(), Some(&json!("first")));
        assert_eq!(event.required_approvals(), [json!("first"), json!("second")]);
        event.approve();
    };
    let builder = calling(wipe).on_authorize_tool_call(requires).on_authorize_tool_call(approves);
    assert_eq!(result_of(builder).await, (false, "ok".to_owned()));
    // It does not override an interrupt.
    let asks = |event: &mut AuthorizeToolCall<'_>| {
        event.interrupt("ask", "sure?");
        event.approve();
    };
    let mut agent = calling(logging("t", &log)).on_authorize_tool_call(asks).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().stop_reason, StopReason::Interrupt);
    assert_eq!(log.lines().len(), 1);
}

fn requires_approval(event: &mut AuthorizeToolCall<'_>) {
    event.require_approval(json!({"over": 500}));
}

#[tokio::test]
async fn an_approval_does_not_cover_what_a_later_hook_requires() {
    let log = Log::default();
    let approves = |event: &mut AuthorizeToolCall<'_>| event.approve();
    let builder =
        calling(logging("t", &log)).on_authorize_tool_call(approves).on_authorize_tool_call(requires_approval);
    let response = builder.build().await.unwrap().prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    assert!(log.lines().is_empty());
}

/// Prompts an agent whose call requires approval, in one process, and builds it in another one.
async fn interrupted(log: &Log, sessions: &InMemorySessionManager) -> (Agent, Interrupt) {
    let build = || {
        let builder = calling(logging("t", log)).on_authorize_tool_call(requires_approval);
        builder.session_manager(sessions.clone()).build()
    };
    let response = build().await.unwrap().prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    (build().await.unwrap(), response.interrupts[0].clone())
}

#[tokio::test]
async fn a_required_approval_is_asked_for_and_resumed() {
    for (response, expected) in [(true, (false, "ok")), (false, (true, "the user did not approve this call"))] {
        let (log, sessions) = (Log::default(), InMemorySessionManager::new("s"));
        let (mut agent, interrupt) = interrupted(&log, &sessions).await;
        assert_eq!(interrupt.name, "approval");
        assert_eq!(interrupt.reason, json!({"tool": "t", "input": {"n": 1}, "reason": {"over": 500}}));
        assert!(log.lines().is_empty());
        agent.prompt(Prompt::none()).resume([interrupt.respond(response)]).await.unwrap();
        assert_eq!(newest_results(agent.messages()), [(expected.0, expected.1.to_owned())]);
        assert_eq!(log.lines().len(), usize::from(response));
    }
}

#[tokio::test]
async fn an_approval_does_not_cover_changed_arguments() {
    let log = Log::default();
    let amount = Arc::new(AtomicU32::new(1));
    let changed = Arc::clone(&amount);
    let changes =
        move |event: &mut BeforeToolCall<'_>| event.tool_use.input = json!({"n": changed.load(Ordering::SeqCst)});
    let builder = calling(logging("t", &log)).on_before_tool_call(changes).on_authorize_tool_call(requires_approval);
    let mut agent = builder.build().await.unwrap();
    let first = agent.prompt("go").await.unwrap().interrupts;
    amount.store(9_999, Ordering::SeqCst);
    let response = agent.prompt(Prompt::none()).resume([first[0].respond(true)]).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    assert_eq!(response.interrupts[0].reason["input"], json!({"n": 9_999}));
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn a_hook_can_interrupt_with_a_question_of_its_own() {
    let log = Log::default();
    let seen = log.clone();
    let asks = move |event: &mut AuthorizeToolCall<'_>| {
        seen.add(format!("{:?}", event.response("ask")));
        match event.interrupt("ask", "who pays?") {
            Some(payer) if payer == "me" => {}
            Some(_) => event.deny("not paid"),
            None => {}
        }
    };
    for (response, expected) in [("me", (false, "ok")), ("you", (true, "not paid"))] {
        log.clear();
        let mut agent = calling(logging("t", &log)).on_authorize_tool_call(asks.clone()).build().await.unwrap();
        let interrupts = agent.prompt("go").await.unwrap().interrupts;
        assert_eq!((interrupts.len(), interrupts[0].name.as_str()), (1, "ask"));
        agent.prompt(Prompt::none()).resume([interrupts[0].respond(response)]).await.unwrap();
        assert_eq!(newest_results(agent.messages()), [(expected.0, expected.1.to_owned())]);
        assert_eq!(log.lines()[..2], ["None".to_owned(), format!("Some(String({response:?}))")]);
    }
}

#[tokio::test]
async fn a_hook_repeats_an_approved_call_only_if_its_tool_is_idempotent() {
    let idempotent = ToolAnnotations::new().with_idempotent(true);
    let read_only = ToolAnnotations::new().with_read_only(true);
    let approval = ToolPolicy::new().with_approval(true);
    for (annotations, policy, expected) in [
        (ToolAnnotations::new(), approval, 1),
        (read_only, approval, 1),
        (idempotent, approval, 3),
        (ToolAnnotations::new(), ToolPolicy::new(), 3),
    ] {
        let (log, left) = (Log::default(), AtomicU32::new(2));
        let again = move |event: &mut AfterToolCall<'_>| {
            let again = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            event.retry = again.is_ok();
        };
        let t = logging("t", &log).annotations(annotations).policy(policy);
        let mut agent = calling(t).on_after_tool_call(again).build().await.unwrap();
        let interrupts = agent.prompt("go").await.unwrap().interrupts;
        if !interrupts.is_empty() {
            agent
                .prompt(Prompt::none())
                .resume(interrupts.iter().map(|interrupt| interrupt.respond(true)))
                .await
                .unwrap();
        }
        assert_eq!(log.lines().len(), expected, "{annotations:?}");
    }
}

#[tokio::test]
async fn direct_calls_are_authorized() {
    let log = Log::default();
    let runner = || ToolRunner::new(tools![logging("t", &log)]).unwrap();
    struct Denies;
    #[strands_core::async_trait]
    impl strands_core::hook::Hook for Denies {
        async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
            assert!(event.context.is_direct());
            event.deny("not for programs");
            Ok(())
        }
    }
    let ToolCallOutcome::Result(result) = runner().hook(Denies).call("t", json!({})).await.unwrap() else {
        panic!("no result")
    };
    assert_eq!((result.is_error(), text_of(&result).as_str()), (true, "not for programs"));
    let mut agent = calling(logging("t", &log)).on_authorize_tool_call(requires_approval).build().await.unwrap();
    let asked = agent.call_tool("t", json!({"n": 2})).id("1").await.unwrap();
    let ToolCallOutcome::Interrupted { interrupts, .. } = asked else { panic!("not asked") };
    assert_eq!(interrupts[0].reason["reason"], json!({"over": 500}));
    assert!(log.lines().is_empty());
    let resumed = agent.call_tool("t", json!({"n": 2})).id("1").resume([interrupts[0].respond(true)]);
    assert!(matches!(resumed.await.unwrap(), ToolCallOutcome::Result(result) if !result.is_error()));
    assert_eq!(log.lines().len(), 1);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn each_concurrent_call_is_decided_alone() {
    let log = Log::default();
    let calls = (0..4).map(|n| ("t", json!({"n": n})));
    let model = ScriptedModel::new([ScriptedTurn::tool_uses(calls), ScriptedTurn::text("done")]);
    let odd = |event: &mut AuthorizeToolCall<'_>| {
        if event.input["n"].as_u64().unwrap() % 2 == 1 {
            event.deny("odd");
        }
    };
    let mut agent = template(&model, [logging("t", &log)]).on_authorize_tool_call(odd).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let results: Vec<_> = newest_results(agent.messages()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(results, ["ok", "odd", "ok", "odd"]);
    assert_eq!(log.lines(), [r#"t {"n":0}"#, r#"t {"n":2}"#]);
}

#[tokio::test]
async fn a_replay_decides_nothing_again() {
    let (log, decisions) = (Log::default(), Arc::new(AtomicU32::new(0)));
    let build = || {
        let decisions = Arc::clone(&decisions);
        let counts = move |_: &mut AuthorizeToolCall<'_>| {
            decisions.fetch_add(1, Ordering::SeqCst);
        };
        calling(logging("t", &log)).on_authorize_tool_call(counts).build()
    };
    let journal = Recorded::default();
    build().await.unwrap().prompt("go").journal(&journal).await.unwrap();
    build().await.unwrap().prompt("go").journal(&journal.replaying()).await.unwrap();
    assert_eq!((decisions.load(Ordering::SeqCst), log.lines().len()), (1, 1));
}
