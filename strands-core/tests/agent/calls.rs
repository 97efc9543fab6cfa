//! Tool calls: each gets exactly one result, in order, and no tool runs with invalid arguments.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Value, json};
use strands_core::hook::{BeforeToolCall, BeforeTools, Hook, HookResult};
use strands_core::message::Role;
use strands_core::models::{StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, ToolError, ToolOutput, ToolPolicy};
use tokio_util::sync::CancellationToken;

use crate::support::{FnTool, Log, agent, assert_whole, naming, newest_results, template, tool};

fn calling(names: &[&str]) -> ScriptedTurn {
    ScriptedTurn::tool_uses(names.iter().map(|name| (*name, json!({}))))
}

fn then_done(turn: ScriptedTurn) -> ScriptedModel {
    ScriptedModel::new([turn, ScriptedTurn::text("done")])
}

/// Runs one turn with tool calls. Returns their results and the agent.
async fn after_calling(names: &[&str], tools: impl IntoIterator<Item = FnTool>) -> (Vec<(bool, String)>, Agent) {
    let model = then_done(calling(names));
    let mut agent = agent(&model, tools).await;
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("done", StopReason::EndTurn));
    assert_whole(&mut agent).await;
    (newest_results(agent.messages()), agent)
}

#[tokio::test]
async fn a_tool_error_becomes_an_error_result_among_the_other_results() {
    let fails = tool("fails", |_, _| async { Err(ToolError::new("no seats left")) });
    let (results, _) = after_calling(&["one", "fails", "two"], [naming("one"), fails, naming("two")]).await;
    assert_eq!(results, [(false, "one".into()), (true, "no seats left".into()), (false, "two".into())]);
}

#[tokio::test]
async fn a_tool_panic_becomes_an_error_result() {
    let runs = tool("runs", |_, _| async { panic!("while running") });
    let makes = tool("makes", |_, _| -> std::future::Ready<_> { panic!("while making the future") });
    let (results, _) = after_calling(&["runs", "one", "makes"], [runs, makes, naming("one")]).await;
    assert!(results[0].0 && results[0].1.contains("while running"), "{results:?}");
    assert_eq!(results[1], (false, "one".into()));
    assert!(results[2].0 && results[2].1.contains("while making the future"), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tool_timeout_drops_the_call_and_becomes_an_error_result() {
    let cancelled = CancellationToken::new();
    let seen = cancelled.clone();
    let slow = tool("slow", move |ctx, _| {
        let seen = seen.clone();
        async move {
            let guard = ctx.cancellation().clone();
            tokio::spawn(async move {
                guard.cancelled().await;
                seen.cancel();
            });
            std::future::pending().await
        }
    });
    let slow = slow.policy(ToolPolicy::new().with_timeout(Duration::from_secs(5)));
    let (results, _) = after_calling(&["slow", "one"], [slow, naming("one")]).await;
    assert_eq!(results, [(true, "tool `slow` did not finish within 5s".into()), (false, "one".into())]);
    cancelled.cancelled().await;
}

/// Logs whether a call is cancelled when its future is dropped.
struct OnDrop(CancellationToken, Log);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.1.add(format!("cancelled: {}", self.0.is_cancelled()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_out_of_time_is_cancelled_before_it_is_dropped() {
    let log = Log::default();
    let seen = log.clone();
    let slow = tool("slow", move |ctx, _| {
        let held = OnDrop(ctx.cancellation().clone(), seen.clone());
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    let slow = slow.policy(ToolPolicy::new().with_timeout(Duration::from_secs(5)));
    after_calling(&["slow"], [slow]).await;
    assert_eq!(log.lines(), ["cancelled: true"]);
}

#[tokio::test(start_paused = true)]
async fn the_tool_timeout_of_the_agent_is_a_default() {
    let model = then_done(calling(&["stuck", "patient"]));
    let stuck = tool("stuck", |_, _| std::future::pending());
    let patient = tool("patient", |_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(ToolOutput::text("at last"))
    });
    let patient = patient.policy(ToolPolicy::new().with_timeout(Duration::from_secs(90)));
    let builder = template(&model, [stuck, patient]).tool_timeout(Duration::from_secs(3));
    let mut agent = builder.build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let results = newest_results(agent.messages());
    assert_eq!(results, [(true, "tool `stuck` did not finish within 3s".into()), (false, "at last".into())]);
}

#[tokio::test(start_paused = true)]
async fn cancellation_during_tools_keeps_finished_results_and_fails_the_rest() {
    let token = CancellationToken::new();
    let model = then_done(calling(&["one", "stuck"]));
    let stuck = tool("stuck", |_, _| std::future::pending());
    let mut agent = agent(&model, [naming("one"), stuck]).await;
    let mut stream = agent.prompt("go").cancel_with(token.clone()).stream();
    let mut last = None;
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        if matches!(&event, AgentEvent::ToolEnd { tool_use, .. } if tool_use.name == "one") {
            token.cancel();
        }
        last = Some(event);
    }
    drop(stream);
    let Some(AgentEvent::Result { response }) = last else { panic!("{last:?}") };
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    let results = newest_results(agent.messages());
    assert_eq!(results, [(false, "one".into()), (true, "Tool execution cancelled".into())]);
    assert_whole(&mut agent).await;
    assert_eq!(agent.prompt("and now?").await.unwrap().text(), "done");
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn the_result_of_an_unknown_tool_lists_the_available_tools() {
    let (results, agent) = after_calling(&["nonsense", "one"], [naming("one")]).await;
    assert_eq!(results[0], (true, "Unknown tool: nonsense. The tools are: one".into()));
    assert_eq!(results[1], (false, "one".into()));
    // A name that the model made up does not become a key of the metrics.
    assert_eq!(agent.metrics().summary().tool_usage.keys().collect::<Vec<_>>(), [&"one"]);
}

struct Denies {
    one: &'static str,
    all: bool,
}

#[async_trait]
impl Hook for Denies {
    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        assert_eq!(event.message.role, Role::Assistant);
        event.deny = self.all.then(|| "not today".to_owned());
        Ok(())
    }

    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        if event.tool_use.name == self.one {
            event.deny = Some("not this one".into());
        }
        Ok(())
    }
}

#[tokio::test]
async fn denied_tool_calls_do_not_run_and_get_a_result() {
    let ran = Log::default();
    for all in [false, true] {
        let log = ran.clone();
        let denied = tool("denied", move |_, _| {
            log.add("ran");
            async { Ok(ToolOutput::text("ran")) }
        });
        let model = then_done(calling(&["denied", "one"]));
        let hook = Denies { one: "denied", all };
        let mut agent = template(&model, [denied, naming("one")]).hook(hook).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        let results = newest_results(agent.messages());
        if all {
            assert_eq!(results, [(true, "not today".into()), (true, "not today".into())]);
        } else {
            assert_eq!(results, [(true, "not this one".into()), (false, "one".into())]);
        }
        assert_whole(&mut agent).await;
    }
    assert_eq!(ran.lines(), [""; 0]);
}

#[tokio::test]
async fn calls_with_empty_or_repeated_ids_get_one_result_each() {
    let call = |index: usize, id: &str| {
        [
            StreamEvent::tool_use(index, ToolUseStart::new(id, "one")),
            StreamEvent::tool_input(index, "{}"),
            StreamEvent::block_stop(index),
        ]
    };
    let mut events: Vec<_> = ["", "x", "x", ""].iter().enumerate().flat_map(|(at, id)| call(at, id)).collect();
    events.push(StreamEvent::stop(StopReason::ToolUse));
    let model = then_done(ScriptedTurn::events(events));
    let mut agent = agent(&model, [naming("one")]).await;
    agent.prompt("go").await.unwrap();
    assert_whole(&mut agent).await;
    let ids: std::collections::HashSet<_> =
        agent.messages()[2].tool_results().map(|result| result.tool_use_id.clone()).collect();
    assert_eq!(ids.len(), 4);
}

/// Calls a tool that expects a city with raw arguments. Returns the arguments that it got, or the error result.
async fn with_arguments(raw: &str) -> Result<Value, String> {
    let model = then_done(ScriptedTurn::raw_tool_uses([("look", raw)]));
    let look = tool("look", |_, input| async move { Ok(ToolOutput::json(input)) }).schema(json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
        "additionalProperties": false,
    }));
    let mut agent = agent(&model, [look]).await;
    agent.prompt("go").await.unwrap();
    assert_whole(&mut agent).await;
    let results: Vec<_> = agent.messages()[2].tool_results().cloned().collect();
    assert_eq!(results.len(), 1);
    match newest_results(agent.messages()).remove(0) {
        (true, why) => Err(why),
        (false, got) => Ok(serde_json::from_str::<Value>(&got).unwrap()["json"].take()),
    }
}

#[tokio::test]
async fn missing_and_null_arguments_are_an_empty_object() {
    for nothing in ["", "  \n", "null", "{}", " { } "] {
        assert_eq!(with_arguments(nothing).await, Ok(json!({})), "{nothing:?}");
    }
    assert_eq!(with_arguments(r#"{"city": "Oslo"}"#).await, Ok(json!({"city": "Oslo"})));
}

#[tokio::test]
async fn malformed_arguments_do_not_run_the_tool() {
    for broken in [r#"{"city": "#, "{city: 'Oslo'}", "Oslo", "{}{}", "\u{0}", "{\"city\": \"Oslo\"} trailing"] {
        let error = with_arguments(broken).await.unwrap_err();
        assert!(error.contains("not a valid JSON object"), "{broken:?}: {error}");
    }
    assert!(with_arguments(r#"{"city": "#).await.unwrap_err().contains("line 1 column"));
    // Nested deeper than the parser allows: rejected, without a stack overflow.
    let deep = "[".repeat(100_000);
    assert!(with_arguments(&deep).await.unwrap_err().contains("not a valid JSON object"));
}

#[tokio::test]
async fn arguments_that_do_not_match_the_schema_do_not_run_the_tool() {
    for (misfit, expected) in [
        (r#"{"city": 7}"#, "`city`: expected string, got number 7"),
        (r#"{"days": 9}"#, "`days`: must be at most 7, got 9"),
        (r#"{"town": "Oslo"}"#, "`town`: unknown; expected one of `city`, `days`"),
        ("[1]", "the arguments must be a JSON object, not [1]"),
        ("7", "the arguments must be a JSON object, not 7"),
        (r#""{}""#, "the arguments are not a valid JSON object: they are a string"),
    ] {
        assert_eq!(with_arguments(misfit).await, Err(expected.to_owned()), "{misfit}");
    }
}

#[tokio::test]
async fn a_tool_use_stop_without_calls_is_not_an_empty_message() {
    let model = ScriptedModel::new([
        ScriptedTurn::events([StreamEvent::start(), StreamEvent::stop(StopReason::ToolUse)]),
        ScriptedTurn::text("unreachable"),
    ]);
    let mut agent = agent(&model, [naming("one")]).await;
    agent.prompt("go").await.unwrap_err();
    assert!(agent.messages().is_empty());
    assert_eq!(model.requests().len(), 1);
}
