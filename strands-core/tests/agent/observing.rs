//! Data for hooks that observe: values per invocation, values and surroundings of one tool call, traces, and the figures of
//! model calls.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::hook::{
    AfterModelCall, AfterToolCall, BeforeInvocation, BeforeModelCall, BeforeToolCall, Hook, HookContext, HookResult,
};
use strands_core::metrics::Usage;
use strands_core::models::{Fallback, ModelError};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentError, Prompt, RetryPolicy, StreamExt as _, ToolError, ToolFailure, ToolOutput, ToolPolicy,
    TraceContext,
};

use crate::support::{Log, template, tool};

const OUTER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CALL: &str = "00-0af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

/// Counts the values that are alive.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Keeps a value for each invocation, and contexts that outlive it.
#[derive(Clone, Default)]
struct Keeps(Arc<AtomicUsize>, Arc<Mutex<Vec<HookContext>>>);

#[async_trait]
impl Hook for Keeps {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        let create = || {
            self.0.fetch_add(1, Ordering::SeqCst);
            Alive(Arc::clone(&self.0))
        };
        let first = event.context.local(create);
        self.1.lock().unwrap().push(event.context.clone());
        assert!(Arc::ptr_eq(&first, &event.context.local(create)), "one value for each type");
        Ok(())
    }
}

#[tokio::test]
async fn values_of_hooks_are_dropped_with_the_invocation() {
    let keeps = Keeps::default();
    let alive = Arc::clone(&keeps.0);
    let model = ScriptedModel::new([ScriptedTurn::text("hi"), ScriptedTurn::text("cut").stalling_after(1)]);
    let mut agent = template(&model, []).hook(keeps).build().await.unwrap();
    agent.prompt("one").await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);

    let mut stream = agent.prompt("two").stream();
    let _ = tokio::time::timeout(Duration::from_millis(20), async { while stream.next().await.is_some() {} }).await;
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    drop(stream);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

thread_local! {
    static ENTERED: Cell<usize> = const { Cell::new(0) };
}

struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        ENTERED.set(ENTERED.get() - 1);
    }
}

/// Gives each call a trace and surroundings.
struct Traces;

#[async_trait]
impl Hook for Traces {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        assert!(event.called_tool().is_some());
        event.inject(CALL.parse::<TraceContext>()?);
        event.surround(|| {
            ENTERED.set(ENTERED.get() + 1);
            Entered
        });
        Ok(())
    }
}

fn trace_of(trace: Option<&TraceContext>) -> String {
    trace.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// A tool that records its trace, and that of an agent that it calls.
fn nesting(log: &Log, own: Option<&'static str>, spawns: bool) -> crate::support::FnTool {
    let log = log.clone();
    tool("nest", move |ctx, _| {
        let log = log.clone();
        async move {
            tokio::task::yield_now().await;
            log.add(format!("tool {} entered {}", trace_of(ctx.injected().ok()), ENTERED.get()));
            let seen = log.clone();
            let mut agent = Agent::builder()
                .model(ScriptedModel::responding("nested"))
                .on_before_invocation(move |event| seen.add(format!("agent {}", trace_of(event.context.injected()))))
                .build()
                .await
                .map_err(ToolError::from_source)?;
            if spawns {
                let ctx = ctx.clone();
                let nested = tokio::spawn(async move { agent.prompt("go").nested_in(&ctx).await.map(drop) });
                nested.await.map_err(ToolError::from_source)?.map_err(ToolError::from_source)?;
            } else if let Some(own) = own {
                agent
                    .prompt("go")
                    .inject(own.parse::<TraceContext>().unwrap())
                    .await
                    .map_err(ToolError::from_source)?;
            } else {
                agent.prompt("go").await.map_err(ToolError::from_source)?;
            }
            Ok(ToolOutput::text("done"))
        }
    })
}

#[tokio::test]
async fn nested_agents_continue_the_trace_of_the_tool_call() {
    let calls = || [ScriptedTurn::tool_use("nest", json!({})), ScriptedTurn::text("done")];
    let outer = || OUTER.parse::<TraceContext>().unwrap();
    for spawns in [false, true] {
        let log = Log::default();
        let mut agent =
            template(&ScriptedModel::new(calls()), [nesting(&log, None, spawns)]).hook(Traces).build().await.unwrap();
        agent.prompt("go").inject(outer()).await.unwrap();
        assert_eq!(log.lines(), [format!("tool {CALL} entered 1"), format!("agent {CALL}")], "{spawns}");
        assert_eq!(ENTERED.get(), 0);
    }

    // Without a hook, the trace of the invocation continues; one of the nested agent's own takes precedence.
    for (own, expected) in [(None, OUTER), (Some(CALL), CALL)] {
        let log = Log::default();
        let mut agent = template(&ScriptedModel::new(calls()), [nesting(&log, own, false)]).build().await.unwrap();
        agent.prompt("go").inject(outer()).await.unwrap();
        assert_eq!(log.lines(), [format!("tool {OUTER} entered 0"), format!("agent {expected}")]);
    }
}

struct LinksInvocations(Log);

#[async_trait]
impl Hook for LinksInvocations {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        self.0.add(trace_of(event.context.suspended_trace()));
        event.context.set_trace(CALL.parse()?);
        Ok(())
    }
}

#[tokio::test]
async fn an_interrupted_invocation_stores_its_trace_for_the_one_that_resumes_it() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = tool("ask", |ctx, _| async move { Ok(ToolOutput::text(ctx.interrupt("sure", "?")?.to_string())) });
    let turns = [ScriptedTurn::tool_use("ask", json!({})), ScriptedTurn::text("done")];
    let builder = template(&ScriptedModel::new(turns), [asks]).hook(LinksInvocations(log.clone()));
    let mut agent = builder.clone().session_manager(sessions.clone()).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    drop(agent);

    let mut agent = builder.session_manager(sessions).build().await.unwrap();
    let refused = agent.prompt("no").await.unwrap_err();
    assert!(matches!(refused, AgentError::Interrupted { .. }));
    agent.prompt(Prompt::none()).resume([response.interrupts[0].respond("yes")]).await.unwrap();
    agent.prompt("again").await.unwrap_err();
    assert_eq!(log.lines(), ["none", CALL, "none"]);
}

/// Records the figures of model calls and tool calls.
struct Figures(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Hook for Figures {
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        let (tools, system) = (event.tools.iter().len(), event.system.len());
        self.0
            .lock()
            .unwrap()
            .push(format!("attempt {} {} tools {tools} system {system}", event.attempt, event.model_id));
        Ok(())
    }

    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        assert!(event.time_to_first_content <= Some(event.duration));
        let steps: Vec<_> = event.fallbacks.iter().map(|step| format!("{}>{}", step.from, step.to)).collect();
        let (usage, ok) = (event.usage, event.outcome.is_ok());
        self.0.lock().unwrap().push(format!("ended {} {ok} {} {steps:?}", event.attempt, usage.input_tokens));
        Ok(())
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        self.0.lock().unwrap().push(format!("tool {:?} {}", event.failure, event.attempts));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_see_attempts_usage_fallbacks_and_causes() {
    let figures = Arc::new(Mutex::new(Vec::new()));
    let calls = AtomicUsize::new(0);
    let second = ScriptedModel::from_fn(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => ScriptedTurn::error(ModelError::transport("lost")),
        1 => ScriptedTurn::tool_uses([("slow", json!({})), ("missing", json!({}))]).with_usage(Usage::new(7, 2)),
        _ => ScriptedTurn::text("done").with_usage(Usage::new(9, 3)),
    });
    let down = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("down")));
    let slow = tool("slow", |_, _| async { std::future::pending().await })
        .annotations(strands_core::ToolAnnotations::new().with_read_only(true))
        .policy(ToolPolicy::new().with_timeout(Duration::from_secs(1)).with_retries(2));
    let mut agent = Agent::builder()
        .model(Fallback::new(down).or(second))
        .system_prompt("Be brief.")
        .tool(slow)
        .retry(RetryPolicy::new().max_attempts(2))
        .hook(Figures(Arc::clone(&figures)))
        .build()
        .await
        .unwrap();
    agent.prompt("go").await.unwrap();
    let lines = figures.lock().unwrap().clone();
    assert_eq!(lines[0], "attempt 1 scripted tools 1 system 1");
    assert!(lines[1].starts_with("ended 1 false 0"), "{lines:?}");
    assert_eq!(lines[2], "attempt 2 scripted tools 1 system 1");
    assert!(lines[3].starts_with("ended 2 true 7"), "{lines:?}");
    assert!(lines.contains(&format!("tool {:?} 3", Some(ToolFailure::Timeout))), "{lines:?}");
    assert!(lines.contains(&format!("tool {:?} 0", Some(ToolFailure::UnknownTool))), "{lines:?}");
}

#[tokio::test]
async fn hooks_see_the_fallbacks_to_the_model_that_responded() {
    let figures = Arc::new(Mutex::new(Vec::new()));
    let down = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("down")));
    let mut agent = Agent::builder()
        .model(Fallback::new(down).or(ScriptedModel::responding("hi")))
        .hook(Figures(Arc::clone(&figures)))
        .build()
        .await
        .unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(figures.lock().unwrap()[1], r#"ended 1 true 10 ["scripted>scripted"]"#);
}
