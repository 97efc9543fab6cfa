//! A hook that fails or panics ends the invocation with its error, and leaves a valid history with all results.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt;
use serde_json::json;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, BeforeInvocation, BeforeModelCall, BeforeToolCall,
    BeforeTools, Hook, HookResult, MessageAdded,
};
use strands_core::models::{ErrorDetails, ModelError};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentBuilder, AgentError};

use crate::hooks::EventLog;
use crate::support::{Log, naming, newest_results, template};
use crate::valid_history::flaw;

/// A hook that fails or panics at the `nth` call of one event.
struct Fails {
    event: &'static str,
    left: AtomicUsize,
    panics: bool,
}

impl Fails {
    fn on_event(&self, event: &str) -> HookResult {
        if event == self.event && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            assert!(!self.panics, "the hook panics");
            return Err(format!("{event} is out of order").into());
        }
        Ok(())
    }
}

#[async_trait]
impl Hook for Fails {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        self.on_event("before_invocation")
    }
    async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
        self.on_event("after_invocation")
    }
    async fn message_added(&self, _: &MessageAdded<'_>) -> HookResult {
        self.on_event("message_added")
    }
    async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
        self.on_event("before_model_call")
    }
    async fn after_model_call(&self, _: &mut AfterModelCall<'_>) -> HookResult {
        self.on_event("after_model_call")
    }
    async fn before_tools(&self, _: &mut BeforeTools<'_>) -> HookResult {
        self.on_event("before_tools")
    }
    async fn after_tools(&self, _: &mut AfterTools<'_>) -> HookResult {
        self.on_event("after_tools")
    }
    async fn before_tool_call(&self, _: &mut BeforeToolCall<'_>) -> HookResult {
        self.on_event("before_tool_call")
    }
    async fn after_tool_call(&self, _: &mut AfterToolCall<'_>) -> HookResult {
        self.on_event("after_tool_call")
    }
}

const EVENTS: [&str; 9] = [
    "before_invocation",
    "after_invocation",
    "message_added",
    "before_model_call",
    "after_model_call",
    "before_tools",
    "after_tools",
    "before_tool_call",
    "after_tool_call",
];

fn script() -> ScriptedModel {
    ScriptedModel::new([
        ScriptedTurn::tool_uses([("one", json!({})), ("two", json!({}))]),
        ScriptedTurn::text("done"),
        ScriptedTurn::text("next"),
        ScriptedTurn::text("next"),
    ])
}

fn with(model: &ScriptedModel, event: &'static str, nth: usize, panics: bool) -> AgentBuilder {
    template(model, [naming("one"), naming("two")]).hook(Fails { event, left: nth.into(), panics })
}

#[tokio::test]
async fn a_failing_hook_leaves_a_valid_history_at_every_event() {
    for event in EVENTS {
        for nth in 1..=4 {
            let model = script();
            let mut agent = with(&model, event, nth, false).build().await.unwrap();
            if let Err(error) = agent.prompt("go").await {
                assert!(matches!(&error, AgentError::Hook { event: failed, .. } if *failed == event), "{error:?}");
            }
            assert_eq!(flaw(agent.messages(), false), None, "{event} {nth}: {:#?}", agent.messages());
            match agent.prompt("next").await {
                Ok(_) | Err(AgentError::Hook { .. }) => {}
                Err(error) => panic!("{event} {nth}: {error:?}"),
            }
            assert_eq!(flaw(agent.messages(), false), None, "{event} {nth}: {:#?}", agent.messages());
            for request in model.requests() {
                assert_eq!(flaw(&request.messages, false), None, "{event} {nth}");
            }
        }
    }
}

#[tokio::test]
async fn a_panicking_hook_leaves_a_valid_history() {
    for event in EVENTS {
        let mut agent = with(&script(), event, 1, true).build().await.unwrap();
        let ended = AssertUnwindSafe(agent.prompt("go").into_future()).catch_unwind().await;
        assert!(ended.is_err(), "{event}");
        assert_eq!(flaw(agent.messages(), false), None, "{event}");
    }
}

#[tokio::test]
async fn a_hook_failure_of_one_call_keeps_the_other_results() {
    for event in ["before_tool_call", "after_tool_call", "after_tools"] {
        let mut agent = with(&script(), event, 1, false).build().await.unwrap();
        agent.prompt("go").await.unwrap_err();
        let results = newest_results(agent.messages());
        assert_eq!(results.len(), 2);
        match event {
            "before_tool_call" => {
                assert_eq!(results, [(true, "a check before the tool failed".into()), (false, "two".into())]);
            }
            _ => assert_eq!(results, [(false, "one".into()), (false, "two".into())]),
        }
    }
}

#[tokio::test]
async fn usage_is_counted_if_a_hook_fails_after_the_call() {
    let mut agent = with(&script(), "after_model_call", 1, false).build().await.unwrap();
    agent.prompt("go").await.unwrap_err();
    assert_eq!(agent.metrics().accumulated_usage().total_tokens, 15);
}

#[tokio::test]
async fn all_after_invocation_hooks_run_and_the_first_failure_is_reported() {
    let log = Log::default();
    let refused = || ModelError::InvalidRequest { details: ErrorDetails::new().boxed() };
    let model = ScriptedModel::new([ScriptedTurn::error(refused())]);
    let builder = template(&model, []).hook(EventLog("", log.clone()));
    let failing = Fails { event: "after_invocation", left: 1.into(), panics: false };
    let mut agent = builder.hook(failing).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Model { .. }), "{error:?}");
    assert_eq!(log.lines().last().unwrap(), "after_invocation error");
}
