//! Limits of a tool: concurrent calls and calls per interval, for all agents of the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::tool::ConfiguredTool;
use strands_core::{
    Agent, Prompt, Tool, ToolAnnotations, ToolCallOutcome, ToolContext, ToolError, ToolLimiter, ToolOutput, ToolPolicy,
    ToolRunner, tools,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{FnTool, Log, kinds, naming, text_of, tool};
use crate::valid_history::flaw;

const SECOND: Duration = Duration::from_secs(1);

fn runner(tool: impl Tool + 'static) -> ToolRunner {
    ToolRunner::new(tools![tool]).unwrap()
}

fn limited(tool: FnTool, limiter: ToolLimiter) -> ConfiguredTool {
    ConfiguredTool::new(tool).limiter(limiter)
}

fn text(outcome: &ToolCallOutcome) -> String {
    match outcome {
        ToolCallOutcome::Result(result) => text_of(result),
        other => format!("{other:?}"),
    }
}

/// A tool `t` that takes a second, and logs the number in its arguments and the milliseconds at its start.
fn timed(log: &Log) -> FnTool {
    let (log, began) = (log.clone(), Instant::now());
    tool("t", move |_, input| {
        log.add(format!("{} at {}", input["n"], began.elapsed().as_millis()));
        async {
            tokio::time::sleep(SECOND).await;
            Ok(ToolOutput::text("done"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_concurrency_wait_in_order() {
    let log = Log::default();
    let runner = runner(limited(timed(&log), ToolLimiter::new().concurrency(2)));
    let outcomes = join_all((0..5).map(|n| runner.call("t", json!({"n": n})).into_future())).await;
    assert!(outcomes.iter().all(|outcome| text(outcome.as_ref().unwrap()) == "done"), "{outcomes:?}");
    assert_eq!(log.lines(), ["0 at 0", "1 at 0", "2 at 1000", "3 at 1000", "4 at 2000"]);
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_rate_wait_in_order() {
    let log = Log::default();
    let runner = runner(limited(timed(&log), ToolLimiter::new().rate(2, 3 * SECOND)));
    join_all((0..5).map(|n| runner.call("t", json!({"n": n})).into_future())).await;
    assert_eq!(log.lines(), ["0 at 0", "1 at 0", "2 at 3000", "3 at 3000", "4 at 6000"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_its_place_in_the_rate_when_it_starts() {
    let log = Log::default();
    // The third call waits for concurrency until 1 s, and the interval of the fourth one begins there.
    let runner = runner(limited(timed(&log), ToolLimiter::new().concurrency(1).rate(1, SECOND / 2)));
    join_all((0..3).map(|n| runner.call("t", json!({"n": n})).into_future())).await;
    assert_eq!(log.lines(), ["0 at 0", "1 at 1000", "2 at 2000"]);
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_turn_and_of_several_agents_share_the_limit() {
    let log = Log::default();
    let shared = Arc::new(limited(timed(&log), ToolLimiter::new().concurrency(1)));
    let prompted = (0..2).map(|agent| {
        let tool = Arc::clone(&shared);
        async move {
            let calls = [0, 1].map(|n| ("t", json!({"n": 2 * agent + n})));
            let model = ScriptedModel::new([ScriptedTurn::tool_uses(calls), ScriptedTurn::text("done")]);
            let mut agent = Agent::builder().model(model).tool(tool).build().await.unwrap();
            agent.prompt("go").await.unwrap().stop_reason
        }
    });
    assert_eq!(join_all(prompted).await, [StopReason::EndTurn, StopReason::EndTurn]);
    let starts: Vec<_> = log.lines().iter().map(|line| line.split_once(" at ").unwrap().1.to_owned()).collect();
    assert_eq!(starts, ["0", "1000", "2000", "3000"]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_part_of_the_timeout() {
    let log = Log::default();
    let policy = |millis| ToolPolicy::new().with_timeout(Duration::from_millis(millis));
    let limiter = Arc::new(ToolLimiter::new().concurrency(1));
    let with = |millis| runner(ConfiguredTool::new(timed(&log).policy(policy(millis))).limiter(Arc::clone(&limiter)));
    let (long, short) = (with(5_000), with(600));
    let mut events = Vec::new();
    let (first, busy) = tokio::join!(
        long.call("t", json!({"n": 0})).into_future(),
        short.call("t", json!({"n": 1})).on_event(|event| events.push(event)).into_future(),
    );
    assert_eq!(text(&first.unwrap()), "done");
    assert_eq!(text(&busy.unwrap()), "tool `t` is busy; call it again later");
    assert_eq!(kinds(&events), ["tool_end"], "a call that does not run has no start");
    assert_eq!(log.lines(), ["0 at 0"]);
    // A second of waiting leaves half a second for the tool.
    let began = Instant::now();
    let medium = with(1_500);
    let (_, late) =
        tokio::join!(long.call("t", json!({"n": 2})).into_future(), medium.call("t", json!({"n": 3})).into_future());
    assert_eq!(text(&late.unwrap()), "tool `t` did not finish within 1.5s");
    assert_eq!(began.elapsed(), Duration::from_millis(1_500));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_wait_longer_than_its_timeout_fails_at_once() {
    let policy = ToolPolicy::new().with_timeout(SECOND);
    let runner = runner(limited(naming("t").policy(policy), ToolLimiter::new().rate(1, 60 * SECOND)));
    assert_eq!(text(&runner.call("t", json!({})).await.unwrap()), "t");
    let began = Instant::now();
    assert!(text(&runner.call("t", json!({})).await.unwrap()).contains("busy"));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_dropped_call_do_not_count_any_more() {
    let limiter = Arc::new(ToolLimiter::new().concurrency(1));
    let panics = tool("t", |_, _| async { panic!("of the tool") });
    let panics = runner(ConfiguredTool::new(panics).limiter(Arc::clone(&limiter)));
    assert!(text(&panics.call("t", json!({})).await.unwrap()).contains("panicked"));
    let log = Log::default();
    let runner = runner(ConfiguredTool::new(timed(&log)).limiter(limiter));
    for n in [0, 1] {
        // The second call is dropped while it waits, and then the first one while it runs.
        let mut running = Box::pin(runner.call("t", json!({"n": n})).into_future());
        let mut waiting = Box::pin(runner.call("t", json!({"n": 9})).into_future());
        assert!((&mut running).now_or_never().is_none() && (&mut waiting).now_or_never().is_none());
        if n == 0 {
            drop(waiting);
            drop(running);
        } else {
            drop(running);
            assert_eq!(text(&waiting.await.unwrap()), "done");
        }
    }
    assert_eq!(log.lines(), ["0 at 0", "1 at 0", "9 at 0"]);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_waiting_calls_is_bounded() {
    let log = Log::default();
    let runner = runner(limited(timed(&log), ToolLimiter::new().concurrency(1).max_waiting(2)));
    let outcomes = join_all((0..5).map(|n| runner.call("t", json!({"n": n})).into_future())).await;
    let texts: Vec<_> = outcomes.iter().map(|outcome| text(outcome.as_ref().unwrap())).collect();
    let busy = "tool `t` is busy; call it again later";
    assert_eq!(texts, ["done", "done", "done", busy, busy]);
    // Those that waited have left the queue.
    let outcomes = join_all((0..3).map(|n| runner.call("t", json!({"n": n})).into_future())).await;
    assert!(outcomes.iter().all(|outcome| text(outcome.as_ref().unwrap()) == "done"), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_can_be_cancelled_and_leaves_the_queue() {
    let log = Log::default();
    let runner = runner(limited(timed(&log), ToolLimiter::new().concurrency(1)));
    let (token, began) = (CancellationToken::new(), Instant::now());
    let cancelled = async {
        let outcome = runner.call("t", json!({"n": 1})).cancel_with(token.clone()).await;
        (outcome.unwrap(), began.elapsed())
    };
    let cancel = async {
        tokio::time::sleep(SECOND / 4).await;
        token.cancel();
    };
    let (first, (outcome, took), last, ()) = tokio::join!(
        runner.call("t", json!({"n": 0})).into_future(),
        cancelled,
        runner.call("t", json!({"n": 2})).into_future(),
        cancel,
    );
    assert_eq!(
        (outcome, text(&first.unwrap()), text(&last.unwrap())),
        (ToolCallOutcome::Cancelled, "done".into(), "done".into())
    );
    assert!(took <= SECOND / 4 + Duration::from_millis(50), "{took:?}");
    assert_eq!(log.lines(), ["0 at 0", "2 at 1000"]);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_cancelled_while_its_call_waits() {
    let held = Arc::new(limited(naming("t"), ToolLimiter::new().rate(1, 3_600 * SECOND)));
    runner(Arc::clone(&held)).call("t", json!({})).await.unwrap();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("t", json!({})), ScriptedTurn::text("done")]);
    let mut agent = Agent::builder().model(model).tool(held).build().await.unwrap();
    let (token, began) = (CancellationToken::new(), Instant::now());
    let cancel = async {
        tokio::time::sleep(SECOND).await;
        token.cancel();
    };
    let (response, ()) = tokio::join!(agent.prompt("go").cancel_with(token.clone()).into_future(), cancel);
    assert_eq!(response.unwrap().stop_reason, StopReason::Cancelled);
    assert!(began.elapsed() <= SECOND + Duration::from_millis(50), "{:?}", began.elapsed());
    assert_eq!(flaw(agent.messages(), false), None);
}

#[tokio::test(start_paused = true)]
async fn denied_and_unapproved_calls_do_not_wait() {
    let held = || {
        let limiter = ToolLimiter::new().rate(1, 3_600 * SECOND);
        limited(naming("t").policy(ToolPolicy::new().with_approval(true)), limiter)
    };
    let tool = Arc::new(held());
    let open = runner(Arc::clone(&tool)).hook(Approves);
    open.call("t", json!({})).await.unwrap();
    let unapproved = runner(Arc::clone(&tool)).call("t", json!({})).now_or_never_outcome();
    assert!(matches!(unapproved, Some(ToolCallOutcome::Interrupted { .. })), "{unapproved:?}");
    let waits = open.call("t", json!({})).now_or_never_outcome();
    assert_eq!(waits, None, "an approved call waits");
}

trait NowOrNever {
    fn now_or_never_outcome(self) -> Option<ToolCallOutcome>;
}

impl NowOrNever for strands_core::ToolCall<'_> {
    fn now_or_never_outcome(self) -> Option<ToolCallOutcome> {
        self.into_future().now_or_never().map(Result::unwrap)
    }
}

struct Approves;

#[strands_core::async_trait]
impl strands_core::hook::Hook for Approves {
    async fn authorize_tool_call(
        &self,
        event: &mut strands_core::hook::AuthorizeToolCall<'_>,
    ) -> strands_core::hook::HookResult {
        event.approve();
        Ok(())
    }
}

/// A process that ends while an approved call waits has not started it, so the next one runs it.
#[tokio::test(start_paused = true)]
async fn an_approved_call_starts_after_its_wait() {
    let (ran, limiter) = (Arc::new(AtomicUsize::new(0)), Arc::new(ToolLimiter::new().rate(1, 60 * SECOND)));
    let counted = Arc::clone(&ran);
    let book = tool("t", move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(ToolOutput::text("booked")) }
    });
    let book = Arc::new(ConfiguredTool::new(book.policy(ToolPolicy::new().with_approval(true))).limiter(limiter));
    runner(Arc::clone(&book)).hook(Approves).call("t", json!({})).await.unwrap();
    let sessions = InMemorySessionManager::new("s");
    let build = || {
        let model = ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_use("t", json!({})),
            _ => ScriptedTurn::text("done"),
        });
        Agent::builder().model(model).tool(Arc::clone(&book)).session_manager(sessions.clone()).build()
    };
    let mut first = build().await.unwrap();
    first.prompt("go").await.unwrap();
    let responses: Vec<_> = first.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let resumed = first.prompt(Prompt::none()).resume(responses).into_future();
    assert!(tokio::time::timeout(SECOND, resumed).await.is_err(), "the call waits");
    drop(first);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    let mut second = build().await.unwrap();
    let response = second.prompt(Prompt::none()).await.unwrap();
    assert_eq!((response.stop_reason, ran.load(Ordering::SeqCst)), (StopReason::EndTurn, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_retry_does_not_count_as_concurrent() {
    let log = Log::default();
    let logged = log.clone();
    let t = tool("t", move |ctx, input| {
        logged.add(format!("{} {}", input["n"], ctx.attempt()));
        let fails = input["n"] == 0 && ctx.attempt() == 1;
        async move { if fails { Err(ToolError::retryable("overloaded")) } else { Ok(ToolOutput::text("done")) } }
    });
    let policy = ToolPolicy::new().with_retries(1).with_retry_delay(60 * SECOND);
    let t = t.annotations(ToolAnnotations::new().with_idempotent(true)).policy(policy);
    let runner = runner(limited(t, ToolLimiter::new().concurrency(1)));
    join_all((0..2).map(|n| runner.call("t", json!({"n": n})).into_future())).await;
    assert_eq!(log.lines(), ["0 1", "1 1", "0 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_as_concurrent_while_its_context_is_in_use() {
    let kept: Arc<Mutex<Option<ToolContext>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let t = tool("t", move |ctx, _| {
        keeps.lock().unwrap().get_or_insert(ctx);
        async { Ok(ToolOutput::text("done")) }
    });
    let runner = runner(limited(t, ToolLimiter::new().concurrency(1)));
    runner.call("t", json!({})).await.unwrap();
    let mut second = runner.call("t", json!({})).into_future();
    assert!((&mut second).now_or_never().is_none());
    let first = kept.lock().unwrap().take();
    drop(first);
    assert_eq!(text(&second.await.unwrap()), "done");
}

/// Blocks until the test goes on.
#[strands_core::tool(crate = strands_core, concurrency = 1, timeout = "100ms")]
fn blocks(gate: &Mutex<std::sync::mpsc::Receiver<()>>) {
    gate.lock().unwrap().recv().unwrap();
}

#[tokio::test]
async fn a_blocking_function_counts_until_it_returns() {
    let (open, gate) = std::sync::mpsc::channel();
    let runner = runner(Blocks).inject(Mutex::new(gate));
    assert!(text(&runner.call("blocks", json!({})).await.unwrap()).contains("did not finish"));
    assert!(text(&runner.call("blocks", json!({})).await.unwrap()).contains("busy"));
    open.send(()).unwrap();
    open.send(()).unwrap();
    let again = async {
        loop {
            let outcome = runner.call("blocks", json!({})).await.unwrap();
            if matches!(&outcome, ToolCallOutcome::Result(result) if !result.is_error()) {
                return;
            }
        }
    };
    tokio::time::timeout(10 * SECOND, again).await.unwrap();
}

/// Takes its time.
#[strands_core::tool(crate = strands_core, concurrency = 1, rate = "100/m")]
async fn slow(n: u8) -> u8 {
    tokio::time::sleep(SECOND).await;
    n
}

struct Desk(u8);

#[strands_core::toolset(crate = strands_core, concurrency = 1)]
impl Desk {
    /// Takes its time.
    #[strands_core::tool]
    async fn ask(&self) -> u8 {
        tokio::time::sleep(SECOND).await;
        self.0
    }

    /// Takes its time.
    #[strands_core::tool(concurrency = 2)]
    async fn ask_two(&self) -> u8 {
        tokio::time::sleep(SECOND).await;
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn the_attribute_limits_a_function_in_all_runners() {
    let slow: [ToolRunner; 2] = std::array::from_fn(|_| runner(Slow));
    let desks = [1, 2].map(|n| ToolRunner::new(Desk(n)).unwrap());
    for (runners, name, input, seconds) in
        [(&slow, "slow", json!({"n": 1}), 4), (&desks, "ask", json!({}), 4), (&desks, "ask_two", json!({}), 2)]
    {
        let began = Instant::now();
        let calls = runners.iter().chain(runners).map(|runner| runner.call(name, input.clone()).into_future());
        let outcomes = join_all(calls).await;
        assert!(outcomes.iter().all(|outcome| !text(outcome.as_ref().unwrap()).contains("busy")), "{outcomes:?}");
        assert_eq!(began.elapsed(), seconds * SECOND, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_from_elsewhere_can_be_configured() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let foreign = tool("t", move |_, _| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst);
        async move { if attempt == 0 { Err(ToolError::retryable("overloaded")) } else { Ok(ToolOutput::text("done")) } }
    });
    let configured = ConfiguredTool::new(Arc::new(foreign) as Arc<dyn Tool>)
        .policy(|policy| policy.with_retries(1))
        .annotations(|annotations| annotations.with_idempotent(true));
    assert_eq!(configured.spec().name, "t");
    assert_eq!(text(&runner(configured).call("t", json!({})).await.unwrap()), "done");
}

/// Counts a running call until it ends in any way.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A tool `t` that takes the milliseconds in its arguments, and then fails, panics or returns. It logs the start of each call,
/// and the number of concurrent calls.
fn observed(starts: &Arc<Mutex<Vec<(Instant, usize)>>>) -> FnTool {
    let (starts, running) = (Arc::clone(starts), Arc::new(AtomicUsize::new(0)));
    tool("t", move |_, input: Value| {
        let count = running.fetch_add(1, Ordering::SeqCst) + 1;
        starts.lock().unwrap().push((Instant::now(), count));
        let running = Running(Arc::clone(&running));
        async move {
            let _running = running;
            tokio::time::sleep(Duration::from_millis(input["takes"].as_u64().unwrap())).await;
            match input["end"].as_u64() {
                Some(0) => Err(ToolError::new("no")),
                Some(1) => panic!("no"),
                _ => Ok(ToolOutput::text("done")),
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Calls that return, fail, panic or are dropped never exceed the limits, and all permits come back.
    #[test]
    fn limits_hold_over_ends_of_any_kind(
        concurrency in 1_usize..4,
        rate in 1_u32..5,
        calls in prop::collection::vec((0_u64..400, 0_u64..400, 0_u8..4), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (starts, interval) = (Arc::default(), Duration::from_millis(200));
            let limiter = ToolLimiter::new().concurrency(concurrency).rate(rate, interval);
            let runner = runner(limited(observed(&starts), limiter));
            let made = calls.iter().map(|(at, takes, end)| {
                let call = runner.call("t", json!({"takes": takes, "end": end})).into_future();
                async move {
                    tokio::time::sleep(Duration::from_millis(*at)).await;
                    // A call that ends with a 2 is dropped, unless it ends before.
                    let most = if *end == 2 { Duration::from_millis(at / 2) } else { 3_600 * SECOND };
                    drop(tokio::time::timeout(most, call).await);
                }
            });
            join_all(made).await;
            let started = starts.lock().unwrap().clone();
            let rate = usize::try_from(rate).unwrap();
            for (first, count) in &started {
                assert!(*count <= concurrency, "{started:?}");
                let within = started.iter().filter(|(start, _)| start >= first && *start < *first + interval);
                assert!(within.count() <= rate, "{started:?}");
            }
            tokio::time::sleep(SECOND).await;
            let at_once = (0..concurrency.min(rate)).map(|_| runner.call("t", json!({"takes": 1, "end": 3})).into_future());
            let began = Instant::now();
            join_all(at_once).await;
            assert!(began.elapsed() <= Duration::from_millis(2), "all permits came back");
        });
    }
}
