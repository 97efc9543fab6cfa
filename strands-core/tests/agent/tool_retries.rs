//! Retries by the policy of a tool: which failures and which tools are repeated, and what hooks, events and a journal see.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use strands_core::hook::{AfterToolCall, AuthorizeToolCall, BeforeToolCall};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Interrupt, Limits, Prompt, ToolAnnotations, ToolCallOutcome, ToolError, ToolOutput, ToolPolicy, ToolRunner, tools,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fakes::Recorded;
use crate::support::{FnTool, Log, ToolAnswer, agent, kinds, listen, newest_results, template, text_of, tool};
use crate::valid_history::flaw;

const IDEMPOTENT: ToolAnnotations = ToolAnnotations::new().with_idempotent(true);

/// A tool `t` that fails with an error in all attempts but the last, and the number of its attempts.
fn failing(failures: u32, error: impl Fn() -> ToolError + Send + Sync + 'static) -> (FnTool, Arc<AtomicU32>) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let run = move |number: u32| -> ToolAnswer {
        counted.fetch_add(1, Ordering::SeqCst);
        if number <= failures { Err(error()) } else { Ok(ToolOutput::text(format!("attempt {number}"))) }
    };
    let t = tool("t", move |ctx, _| {
        let answer = run(ctx.attempt());
        async move { answer }
    });
    (t.annotations(IDEMPOTENT).policy(ToolPolicy::new().with_retries(3)), attempts)
}

async fn outcome(t: FnTool) -> ToolCallOutcome {
    ToolRunner::new(tools![t]).unwrap().call("t", json!({})).await.unwrap()
}

async fn text(t: FnTool) -> String {
    let ToolCallOutcome::Result(result) = outcome(t).await else { panic!("no result") };
    text_of(&result)
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_repeated_and_others_are_final() {
    type Error = fn() -> ToolError;
    let transient: [Error; 2] =
        [|| ToolError::retryable("overloaded"), || ToolError::from_source(std::io::Error::other("connection reset"))];
    for error in transient {
        let (t, attempts) = failing(2, error);
        assert_eq!(text(t).await, "attempt 3");
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
    }
    let final_errors: [Error; 3] = [
        || ToolError::new("no such flight"),
        || ToolError::invalid_input("`day`: in the past"),
        || ToolError::interrupt(Interrupt::new("v1:tool_call:1:ask".to_owned(), "ask", json!(null))),
    ];
    for error in final_errors {
        let (t, attempts) = failing(2, error);
        outcome(t).await;
        assert_eq!(attempts.load(Ordering::SeqCst), 1, "{:?}", error());
    }
    let (t, attempts) = failing(2, || panic!("oh no"));
    assert!(text(t).await.contains("panicked: oh no"));
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_the_timeout_of_the_tool() {
    let slow = tool("t", |ctx, _| async move {
        if ctx.attempt() < 3 {
            pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(900)).await;
        Ok(ToolOutput::text("in time"))
    });
    let policy =
        ToolPolicy::new().with_retries(2).with_timeout(Duration::from_secs(1)).with_retry_delay(Duration::ZERO);
    let slow = slow.annotations(IDEMPOTENT).policy(policy);
    let began = Instant::now();
    assert_eq!(text(slow.clone()).await, "in time");
    assert_eq!(began.elapsed().as_millis(), 2_900);
    let timeout = "tool `t` did not finish within 1s";
    assert_eq!(text(slow.policy(policy.with_retries(1))).await, timeout);
}

#[tokio::test(start_paused = true)]
async fn only_idempotent_and_read_only_tools_are_repeated() {
    let none = ToolAnnotations::new();
    for (annotations, expected) in [
        (none, 1),
        (none.with_idempotent(false), 1),
        (none.with_destructive(false), 1),
        (none.with_idempotent(true), 2),
        (none.with_read_only(true), 2),
        (none.with_read_only(true).with_idempotent(false), 2),
    ] {
        let (t, attempts) = failing(1, || ToolError::retryable("overloaded"));
        outcome(t.annotations(annotations)).await;
        assert_eq!(attempts.load(Ordering::SeqCst), expected, "{annotations:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_retries_are_bounded() {
    let policy = ToolPolicy::new().with_retry_delay(Duration::from_secs(1));
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let (t, attempts) = failing(u32::MAX, || ToolError::retryable("overloaded"));
        let began = Instant::now();
        assert_eq!(text(t.policy(policy.with_retries(3))).await, "overloaded");
        assert_eq!(attempts.load(Ordering::SeqCst), 4);
        longest = longest.max(began.elapsed());
    }
    // 1, 2 and 4 seconds, and a millisecond for each of the timer.
    assert!(longest > Duration::from_secs(4) && longest <= Duration::from_millis(7_003), "{longest:?}");
    let (t, attempts) = failing(u32::MAX, || ToolError::retryable("overloaded"));
    let began = Instant::now();
    outcome(t.policy(policy.with_retries(1_000))).await;
    assert_eq!(attempts.load(Ordering::SeqCst), 11);
    assert!(began.elapsed() <= Duration::from_secs(31 + 5 * 30 + 1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hooks_and_listeners_see_one_call_with_its_last_result() {
    let ids = Log::default();
    let seen = ids.clone();
    let t = tool("t", move |ctx, _| {
        let seen = seen.clone();
        async move {
            seen.add(ctx.tool_use_id());
            ctx.progress(ctx.attempt()).await?;
            if ctx.attempt() < 3 { Err(ToolError::retryable("overloaded")) } else { Ok(ToolOutput::text("ok")) }
        }
    });
    let t = t.annotations(IDEMPOTENT).policy(ToolPolicy::new().with_retries(2));
    let model = ScriptedModel::new([ScriptedTurn::tool_use("t", json!({})), ScriptedTurn::text("done")]);
    let log = Log::default();
    let (before, authorized, after) = (log.clone(), log.clone(), log.clone());
    let mut agent = template(&model, [t])
        .on_before_tool_call(move |_: &mut BeforeToolCall<'_>| before.add("before"))
        .on_authorize_tool_call(move |_: &mut AuthorizeToolCall<'_>| authorized.add("authorize"))
        .on_after_tool_call(move |event: &mut AfterToolCall<'_>| after.add(text_of(event.result)))
        .build()
        .await
        .unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    ended.unwrap();
    assert_eq!(log.lines(), ["before", "authorize", "ok"]);
    let of_tool: Vec<_> =
        kinds(&events).into_iter().filter(|kind| kind.starts_with("tool_") && !kind.starts_with("tool_use")).collect();
    assert_eq!(of_tool, ["tool_start", "tool_progress", "tool_progress", "tool_progress", "tool_end"]);
    let ids = ids.lines();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(newest_results(agent.messages()), [(false, "ok".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_by_a_hook_starts_over() {
    let (t, attempts) = failing(1, || ToolError::retryable("overloaded"));
    let again = AtomicU32::new(0);
    let hook = move |event: &mut AfterToolCall<'_>| event.retry = again.fetch_add(1, Ordering::SeqCst) == 0;
    let model = ScriptedModel::new([ScriptedTurn::tool_use("t", json!({})), ScriptedTurn::text("done")]);
    let mut agent = template(&model, [t]).on_after_tool_call(hook).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn the_wait_before_a_retry_can_be_cancelled() {
    let after = Duration::from_secs(1);
    for by_time in [false, true] {
        let (t, _) = failing(u32::MAX, || ToolError::retryable("overloaded"));
        let policy = ToolPolicy::new().with_retries(10).with_retry_delay(Duration::from_secs(30));
        let model = ScriptedModel::new([ScriptedTurn::tool_use("t", json!({})), ScriptedTurn::text("done")]);
        let mut agent = agent(&model, [t.policy(policy)]).await;
        let (token, began) = (CancellationToken::new(), Instant::now());
        let cancel = async {
            tokio::time::sleep(after).await;
            token.cancel();
        };
        let (response, expected) = if by_time {
            (agent.prompt("go").limits(Limits::new().duration(after)).await, StopReason::LimitDuration)
        } else {
            let prompting = agent.prompt("go").cancel_with(token.clone()).into_future();
            (tokio::join!(prompting, cancel).0, StopReason::Cancelled)
        };
        assert_eq!(response.unwrap().stop_reason, expected);
        assert!(began.elapsed() <= after + Duration::from_millis(50), "{:?}", began.elapsed());
        assert_eq!(flaw(agent.messages(), false), None);
    }
    let (t, _) = failing(u32::MAX, || ToolError::retryable("overloaded"));
    let policy = ToolPolicy::new().with_retries(10).with_retry_delay(Duration::from_secs(30));
    let runner = ToolRunner::new(tools![t.policy(policy)]).unwrap();
    let (token, began) = (CancellationToken::new(), Instant::now());
    let call = runner.call("t", json!({})).cancel_with(token.clone());
    let cancel = async {
        tokio::time::sleep(after).await;
        token.cancel();
    };
    assert_eq!(tokio::join!(call.into_future(), cancel).0.unwrap(), ToolCallOutcome::Cancelled);
    assert!(began.elapsed() <= after + Duration::from_millis(50), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_approved_call_is_repeated_with_its_approval() {
    let (t, attempts) = failing(2, || ToolError::retryable("overloaded"));
    let t = t.policy(ToolPolicy::new().with_retries(2).with_approval(true));
    let model = ScriptedModel::new([ScriptedTurn::tool_use("t", json!({})), ScriptedTurn::text("done")]);
    let sessions = InMemorySessionManager::new("s");
    let mut agent = template(&model, [t]).session_manager(sessions).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let (events, ended) = listen(agent.prompt(Prompt::none()).resume(responses).stream()).await;
    assert_eq!(ended.unwrap().stop_reason, StopReason::EndTurn);
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(kinds(&events).iter().filter(|kind| *kind == "tool_start").count(), 1);
    assert_eq!(newest_results(agent.messages()), [(false, "attempt 3".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_journal_records_all_attempts_as_one_step() {
    let (t, attempts) = failing(2, || ToolError::retryable("overloaded"));
    let model = || ScriptedModel::new([ScriptedTurn::tool_use("t", json!({})), ScriptedTurn::text("done")]);
    let journal = Recorded::default();
    agent(&model(), [t.clone()]).await.prompt("go").journal(&journal).await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(journal.names().iter().filter(|name| name.starts_with("tool")).count(), 1, "{:?}", journal.names());
    let mut replayed = agent(&model(), [t]).await;
    replayed.prompt("go").journal(&journal.replaying()).await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(newest_results(replayed.messages()), [(false, "attempt 3".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn direct_calls_of_an_agent_are_repeated() {
    let (t, attempts) = failing(3, || ToolError::retryable("overloaded"));
    let agent = agent(&ScriptedModel::responding("hi"), [t]).await;
    let ToolCallOutcome::Result(result) = agent.call_tool("t", json!({})).await.unwrap() else { panic!("no result") };
    assert_eq!((text_of(&result).as_str(), attempts.load(Ordering::SeqCst)), ("attempt 4", 4));
}

/// Fails a first time.
#[strands_core::tool(crate = strands_core, idempotent, retries = 1, inline)]
fn unsteady(ctx: &strands_core::ToolContext) -> Result<u32, std::io::Error> {
    if ctx.attempt() == 1 { Err(std::io::Error::other("connection reset")) } else { Ok(ctx.attempt()) }
}

struct Notes;

#[strands_core::toolset(crate = strands_core, retries = 1, inline, read_only)]
impl Notes {
    /// Fails a first time.
    #[strands_core::tool]
    fn unsteady(&self, ctx: &strands_core::ToolContext) -> Result<u32, String> {
        if ctx.attempt() == 1 { Err("connection reset".to_owned()) } else { Ok(ctx.attempt()) }
    }

    /// Fails a first time.
    #[strands_core::tool(retries = 0)]
    fn unsteady_once(&self) -> Result<u32, String> {
        Err("connection reset".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn the_attribute_sets_the_retries_of_functions_and_methods() {
    for (runner, name, expected) in [
        (ToolRunner::new(tools![Unsteady]).unwrap(), "unsteady", "2"),
        (ToolRunner::new(Notes).unwrap(), "unsteady", "2"),
        (ToolRunner::new(Notes).unwrap(), "unsteady_once", "connection reset"),
    ] {
        let outcome = runner.call(name, json!({})).await.unwrap();
        assert!(format!("{outcome:?}").contains(expected), "{outcome:?}");
    }
}
