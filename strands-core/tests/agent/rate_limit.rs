//! Rate limits: requests never exceed the limit, wait in first-in, first-out order, and don't wait forever.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use strands_core::Agent;
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, RateLimit, RateLimitExceeded};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use tokio::time::{Instant, sleep};

use crate::support::{Log, kinds, listen, poll_once};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn open(model: &RateLimit, text: &str) -> Result<ModelStream, ModelError> {
    let messages = [Arc::new(Message::user(text))];
    model.stream(ModelRequest::new(&messages)).await
}

/// Sends a request and reads the response to its end.
async fn ask(model: &RateLimit, text: &str) -> Result<(), ModelError> {
    let mut events = open(model, text).await?;
    while let Some(event) = events.next().await {
        event?;
    }
    Ok(())
}

fn responding(cost: Usage) -> ScriptedModel {
    ScriptedModel::from_fn(move |_| ScriptedTurn::text("hi").with_usage(cost))
}

fn free() -> ScriptedModel {
    responding(Usage::new(0, 0))
}

fn exceeded(error: &ModelError) -> (&RateLimitExceeded, Option<Duration>) {
    assert!(matches!(error, ModelError::Throttled { .. }), "{error:?}");
    (error.source().unwrap().downcast_ref().unwrap(), error.retry_after())
}

#[tokio::test(start_paused = true)]
async fn agents_of_a_template_share_the_rate_limit() {
    let model = RateLimit::new(free()).requests(2, MINUTE);
    let template = Agent::builder().model(model);
    let began = Instant::now();
    let finished = (0..5).map(|_| async {
        let mut agent = template.clone().build().await.unwrap();
        agent.prompt("go").await.unwrap();
        began.elapsed().as_secs()
    });
    assert_eq!(join_all(finished).await, [0, 0, 60, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn unset_rate_limits_do_not_limit() {
    let (model, began) = (RateLimit::new(free()), Instant::now());
    join_all((0..1_000).map(|_| ask(&model, "x"))).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn models_of_one_account_share_the_rate_limit() {
    let (one, other) = (free(), free());
    let model = RateLimit::new(one.clone()).requests(1, MINUTE);
    let second = model.share_with(other.clone());
    let began = Instant::now();
    ask(&model, "x").await.unwrap();
    ask(&second, "x").await.unwrap();
    assert_eq!((began.elapsed(), one.requests().len(), other.requests().len()), (MINUTE, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_proceed_in_order() {
    let log = Log::default();
    let written = log.clone();
    let script = ScriptedModel::from_fn(move |request| {
        written.add(request.messages[0].text());
        ScriptedTurn::text("hi")
    });
    let model = RateLimit::new(script).tokens(10, MINUTE).max_wait(100 * MINUTE);
    // Small requests fit into the remaining budget, and do not overtake the large ones.
    let prompts: Vec<String> = (0..20).map(|at| format!("{at:02}{}", "x".repeat(30 - 14 * (at % 3)))).collect();
    for opened in join_all(prompts.iter().map(|text| open(&model, text))).await {
        drop(opened.unwrap());
    }
    assert_eq!(log.lines(), prompts);
}

#[tokio::test(start_paused = true)]
async fn a_call_holds_its_permit_until_its_response_ends() {
    let model = RateLimit::new(free()).concurrent(1);
    // Read to its end, though not dropped.
    let mut first = open(&model, "x").await.unwrap();
    let mut second = Box::pin(open(&model, "x"));
    assert!(poll_once(&mut second).await.is_pending());
    while first.next().await.is_some() {
        assert!(!matches!(poll_once(&mut second).await, std::task::Poll::Ready(Err(_))));
    }
    // Dropped before its end.
    let mut second = second.await.unwrap();
    second.next().await;
    let mut third = Box::pin(open(&model, "x"));
    assert!(poll_once(&mut third).await.is_pending());
    drop(second);
    assert!(third.await.is_ok());

    // A broken stream and a rejected request.
    let broken = ScriptedTurn::text("x").breaking_after(1, ModelError::transport("cut"));
    let script = [ScriptedTurn::error(ModelError::transport("refused")), broken, ScriptedTurn::text("hi")];
    let model = RateLimit::new(ScriptedModel::new(script)).concurrent(1);
    assert!(open(&model, "x").await.is_err());
    let mut broken = open(&model, "x").await.unwrap();
    while broken.next().await.is_some() {}
    assert!(open(&model, "x").now_or_never().is_some_and(|opened| opened.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_releases_its_permit() {
    let model = RateLimit::new(free()).concurrent(1).requests(1, MINUTE);
    let held = open(&model, "x").await.unwrap();
    // One request waits for the permit, the others wait in the queue.
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(open(&model, "x"))).collect();
    for call in &mut waiting {
        assert!(poll_once(call).await.is_pending());
    }
    drop(held);
    let last = waiting.pop().unwrap();
    drop(waiting);
    let began = Instant::now();
    drop(last.await.unwrap());
    assert_eq!(began.elapsed(), MINUTE, "cancelled waits do not count");
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_bounded_and_the_error_has_the_required_wait() {
    let model = RateLimit::new(free()).requests(1, MINUTE).max_wait(10 * SECOND);
    ask(&model, "x").await.unwrap();
    sleep(20 * SECOND).await;
    let began = Instant::now();
    let error = ask(&model, "x").await.unwrap_err();
    let (why, retry_after) = exceeded(&error);
    assert_eq!(
        (began.elapsed(), retry_after),
        (Duration::ZERO, Some(40 * SECOND)),
        "the error is returned without a wait"
    );
    assert!(why.to_string().contains("1 requests in 60s") && why.to_string().contains("10s"), "{why}");

    let model = RateLimit::new(responding(Usage::new(10, 0))).tokens(10, MINUTE).max_wait(10 * SECOND);
    ask(&model, &"x".repeat(40)).await.unwrap();
    let error = ask(&model, "x").await.unwrap_err();
    assert!(exceeded(&error).0.limit.contains("10 tokens"), "{error:?}");

    let model = RateLimit::new(free()).concurrent(2).max_wait(10 * SECOND);
    let _held = [open(&model, "x").await.unwrap(), open(&model, "x").await.unwrap()];
    let began = Instant::now();
    let (first, second) = tokio::join!(ask(&model, "x"), ask(&model, "x"));
    assert_eq!(began.elapsed(), 10 * SECOND);
    for error in [first.unwrap_err(), second.unwrap_err()] {
        let (why, retry_after) = exceeded(&error);
        assert_eq!((why.limit.as_str(), retry_after), ("2 concurrent calls", None));
    }
}

#[tokio::test(start_paused = true)]
async fn the_loop_announces_the_wait_and_retries() {
    let model = RateLimit::new(free()).requests(1, MINUTE).max_wait(SECOND);
    ask(&model, "x").await.unwrap();
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    let began = Instant::now();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "hi");
    assert_eq!(began.elapsed(), MINUTE);
    assert!(kinds(&events).contains(&"retry".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn token_estimates_are_corrected_by_the_usage() {
    // Estimated at 10 tokens each; the limit is 100.
    let text = "x".repeat(40);
    for (cost, fits) in [
        (Usage::new(10, 0), 10),
        (Usage::new(10, 40), 2),
        (Usage::new(1, 1), 46),
        // Cached tokens do not count if the provider reports them separately; as part of the input, they do.
        (Usage::new(1, 1).with_cache(Some(500), Some(8)).with_total(510), 10),
        (Usage::new(20, 0).with_cache(Some(15), None), 5),
    ] {
        let script = responding(cost);
        let model = RateLimit::new(script.clone()).tokens(100, MINUTE).max_wait(SECOND);
        while ask(&model, &text).await.is_ok() {}
        assert_eq!(script.requests().len(), fits, "{cost:?}");
    }
    // A response that is not read counts as estimated.
    let model = RateLimit::new(responding(Usage::new(1, 1))).tokens(100, MINUTE).max_wait(SECOND);
    for _ in 0..10 {
        drop(open(&model, &text).await.unwrap());
    }
    assert!(open(&model, &text).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_limit_runs_alone() {
    let model = RateLimit::new(responding(Usage::new(1_000, 0))).tokens(100, MINUTE).max_wait(5 * MINUTE);
    let began = Instant::now();
    ask(&model, &"x".repeat(4_000)).await.unwrap();
    ask(&model, &"x".repeat(4_000)).await.unwrap();
    assert_eq!(began.elapsed(), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn extreme_settings_do_not_hang_or_panic() {
    let model = RateLimit::new(free()).requests(0, Duration::MAX).concurrent(0).tokens(0, Duration::ZERO);
    let model = model.max_wait(Duration::MAX);
    ask(&model, "x").await.unwrap();
    let error = ask(&model.clone(), "x").await.unwrap_err();
    assert!(exceeded(&error).1.is_some());
    let model = RateLimit::new(free()).requests(1, Duration::ZERO).concurrent(usize::MAX).max_wait(Duration::ZERO);
    for _ in 0..10 {
        ask(&model, "x").await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rate_limits_hold_for_random_schedules(
        (requests, concurrent) in (1_u32..5, 1_usize..4),
        calls in prop::collection::vec((0_u64..3_000, 0_u64..2_000, any::<bool>()), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let model = RateLimit::new(free()).requests(requests, SECOND).concurrent(concurrent).max_wait(100 * SECOND);
            let (began, running) = (Instant::now(), Log::default());
            let (starts, at_once) = (Log::default(), std::cell::Cell::new(0_usize));
            join_all(calls.iter().map(|(at, takes, gives_up)| {
                let (model, starts, running, at_once) = (&model, &starts, &running, &at_once);
                async move {
                    sleep(Duration::from_millis(*at)).await;
                    let opened = open(model, "x");
                    let opened = if *gives_up {
                        tokio::time::timeout(Duration::from_millis(*takes), opened).await.ok()
                    } else {
                        Some(opened.await)
                    };
                    let Some(opened) = opened else { return };
                    let held = opened.unwrap();
                    starts.add(began.elapsed().as_millis().to_string());
                    at_once.set(at_once.get() + 1);
                    running.add(at_once.get().to_string());
                    sleep(Duration::from_millis(*takes)).await;
                    at_once.set(at_once.get() - 1);
                    drop(held);
                }
            }))
            .await;
            let starts: Vec<u64> = starts.lines().iter().map(|line| line.parse().unwrap()).collect();
            for (at, start) in starts.iter().enumerate() {
                let within = starts[at..].iter().filter(|other| **other < start + 1_000).count();
                assert!(within <= requests as usize, "{starts:?}");
            }
            assert!(running.lines().iter().all(|line| line.parse::<usize>().unwrap() <= concurrent));
            // No permit is leaked: all are available again.
            sleep(SECOND).await;
            let held = join_all((0..concurrent.min(requests as usize)).map(|_| open(&model, "x"))).now_or_never();
            assert!(held.is_some_and(|held| held.iter().all(Result::is_ok)));
        });
    }
}
