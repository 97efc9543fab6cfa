//! Tool calls by the program, through an agent or a runner. All checks of a model's calls apply to them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::message::ToolResult;
use strands_core::testing::ScriptedModel;
use strands_core::{
    Agent, AgentError, AgentEvent, AgentState, CancellationToken, ToolCallOutcome, ToolError, ToolOutput, ToolPolicy,
    ToolRunner, tools,
};
use tokio::time::Instant;

use crate::support::{FnTool, agent, kinds, naming, text_of, tool};

fn runner(tool: FnTool) -> ToolRunner {
    ToolRunner::new(tools![tool]).unwrap()
}

fn result(outcome: ToolCallOutcome) -> ToolResult {
    match outcome {
        ToolCallOutcome::Result(result) => result,
        other => panic!("no result: {other:?}"),
    }
}

async fn error_of(runner: &ToolRunner, input: Value) -> String {
    let result = result(runner.call("t", input).await.unwrap());
    assert!(result.is_error(), "{result:?}");
    text_of(&result)
}

#[tokio::test(start_paused = true)]
async fn direct_calls_have_timeouts_panics_and_validation_handled() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let echo = || tool("t", |_, input| async move { Ok(ToolOutput::json(input["n"].clone())) }).schema(schema.clone());
    let ok = runner(echo());
    let good = result(ok.call("t", json!({"n": 1})).id("mine").await.unwrap());
    assert_eq!((text_of(&good).as_str(), good.tool_use_id.as_str()), (r#"{"json":1}"#, "mine"));
    assert!(error_of(&ok, json!({"n": "one"})).await.contains("integer"));
    assert!(error_of(&ok, json!([1])).await.contains("must be a JSON object"));

    let panics = runner(tool("t", |_, _| async { panic!("oh no") }));
    assert!(error_of(&panics, json!({})).await.contains("panicked: oh no"));
    let slow = || {
        tool("t", |_, _| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(ToolOutput::text("late"))
        })
    };
    let timed = runner(slow()).tool_timeout(Duration::from_secs(1));
    assert!(error_of(&timed, json!({})).await.contains("did not finish within 1s"));
    let fails = || tool("t", |_, _| async { Err(ToolError::from_source("secret detail")) });
    assert_eq!(error_of(&runner(fails()), json!({})).await, "secret detail");
    assert_eq!(error_of(&runner(fails()).redact_tool_errors(), json!({})).await, "the tool failed");
    let denied = runner(naming("t")).hook(NoCalls);
    assert_eq!(error_of(&denied, json!({})).await, "no calls");
    let unknown = result(ok.call("other", json!({})).await.unwrap());
    assert!(unknown.is_error() && text_of(&unknown).contains("Unknown tool: other"));

    let began = Instant::now();
    let token = CancellationToken::new();
    let cancelled = runner(slow());
    let call = cancelled.call("t", json!({})).cancel_with(token.clone());
    let (outcome, ()) = tokio::join!(call.into_future(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        token.cancel();
    });
    assert_eq!(outcome.unwrap(), ToolCallOutcome::Cancelled);
    assert!(began.elapsed() <= Duration::from_millis(1_050), "{:?}", began.elapsed());
}

struct NoCalls;

#[strands_core::async_trait]
impl strands_core::hook::Hook for NoCalls {
    async fn before_tool_call(
        &self,
        event: &mut strands_core::hook::BeforeToolCall<'_>,
    ) -> strands_core::hook::HookResult {
        event.deny = Some("no calls".into());
        Ok(())
    }
}

#[tokio::test]
async fn a_direct_call_can_require_approval() {
    let wipe = naming("t").policy(ToolPolicy::new().with_approval(true));
    let runner = runner(wipe);
    let call = || runner.call("t", json!({"path": "/"})).id("1");
    let ToolCallOutcome::Interrupted { interrupts, .. } = call().await.unwrap() else { panic!("not asked") };
    assert_eq!(interrupts[0].reason, json!({"tool": "t", "input": {"path": "/"}}));
    assert!(!result(call().resume([interrupts[0].respond(true)]).await.unwrap()).is_error());
    assert!(result(call().resume([interrupts[0].respond(false)]).await.unwrap()).is_error());
    // Approval of one call is not approval of another.
    let other = runner.call("t", json!({"path": "/home"})).id("1").resume([interrupts[0].respond(true)]);
    assert!(matches!(other.await.unwrap(), ToolCallOutcome::Interrupted { .. }));
}

#[tokio::test]
async fn a_program_can_call_the_tools_of_an_agent() {
    let visits = tool("t", |ctx, _| async move {
        ctx.progress("half").await?;
        ctx.state().update("visits", |visits| *visits = json!(visits.as_u64().unwrap_or(0) + 1)).unwrap();
        Ok(ToolOutput::text(ctx.agent_id().to_owned()))
    });
    let agent = agent(&ScriptedModel::responding("hi"), [visits]).await;
    let mut events = Vec::new();
    let called = agent.call_tool("t", json!({})).on_event(|event| events.push(event)).await.unwrap();
    assert_eq!(text_of(&result(called)), "default");
    assert_eq!(kinds(&events), ["tool_start", "tool_progress", "tool_end"]);
    assert!(matches!(&events[1], AgentEvent::ToolProgress { data, .. } if *data == json!("half")));
    assert_eq!(agent.state().get("visits"), Some(json!(1)));
    assert!(agent.messages().is_empty(), "a direct call is not part of the conversation");
}

mod values {
    use strands_core::tool;

    pub(super) struct User(pub(super) &'static str);

    /// Returns the name of the user.
    #[tool(crate = strands_core)]
    pub(super) fn whoami(user: &User) -> &'static str {
        user.0
    }
}

#[tokio::test]
async fn injected_values_are_checked_before_a_direct_call() {
    let runner = ToolRunner::new(tools![values::Whoami]).unwrap();
    let error = runner.call("whoami", json!({})).await.unwrap_err();
    assert!(matches!(&error, AgentError::MissingInjectedValue { tool, .. } if tool == "whoami"), "{error:?}");
    let alice = runner.clone().inject(values::User("alice"));
    assert_eq!(text_of(&result(alice.call("whoami", json!({})).await.unwrap())), "alice");
    let bob = alice.call("whoami", json!({})).inject(values::User("bob"));
    assert_eq!(text_of(&result(bob.await.unwrap())), "bob");
}

#[tokio::test]
async fn hooks_see_the_state_and_name_of_a_runner() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let state = AgentState::new();
    let runner = runner(naming("t")).name("server").state(state.clone()).hook(Names(Arc::clone(&seen)));
    for _ in 0..2 {
        runner.call("t", json!({})).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|(name, _)| name == "server") && seen[0].1 != seen[1].1, "{seen:?}");
    assert_eq!(state.get("calls"), Some(json!(2)));
}

struct Names(Arc<Mutex<Vec<(String, String)>>>);

#[strands_core::async_trait]
impl strands_core::hook::Hook for Names {
    async fn after_tool_call(
        &self,
        event: &mut strands_core::hook::AfterToolCall<'_>,
    ) -> strands_core::hook::HookResult {
        let context = event.context;
        context.state().update("calls", |calls| *calls = json!(calls.as_u64().unwrap_or(0) + 1))?;
        self.0.lock().unwrap().push((context.agent_name().to_owned(), context.invocation_id().to_owned()));
        Ok(())
    }
}

#[tokio::test]
async fn limits_of_a_direct_call_bind_nested_agents() {
    let asks = tool("t", |_, _| async {
        let model = ScriptedModel::from_fn(|_| strands_core::testing::ScriptedTurn::tool_use("one", json!({})));
        let mut inner = agent(&model, [naming("one")]).await;
        let response = inner.prompt("go").await.map_err(ToolError::from_source)?;
        Ok(ToolOutput::text(format!("{} after {}", response.stop_reason, response.turns)))
    });
    let limits = strands_core::Limits::new().turns(3);
    let agent = Agent::builder().model(ScriptedModel::responding("hi")).tool(asks).limits(limits);
    let outcome = agent.build().await.unwrap().call_tool("t", json!({})).await.unwrap();
    assert_eq!(text_of(&result(outcome)), "limit_turns after 3");
}
