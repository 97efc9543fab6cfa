//! Retries: the retryable failures, the backoff, and cancellation of the wait.

use std::time::Duration;

use futures_util::StreamExt;
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, AgentEvent, Limits, RetryPolicy};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{agent, assert_whole, kinds, listen, template};

fn details() -> Box<ErrorDetails> {
    ErrorDetails::new().with_status(503).boxed()
}

fn throttled(seconds: Option<u64>) -> ModelError {
    ModelError::Throttled { retry_after: seconds.map(Duration::from_secs), details: details() }
}

#[tokio::test(start_paused = true)]
async fn retries_transient_errors() {
    let failures: Vec<fn() -> ModelError> = vec![
        || throttled(None),
        || ModelError::Overloaded { retry_after: None, details: details() },
        || ModelError::transport("reset"),
        || ModelError::Unreachable { details: details() },
        || ModelError::MalformedOutput { details: details() },
        || ModelError::Timeout { after: Some(Duration::from_secs(9)), details: details() },
    ];
    for failure in failures {
        // Before the first delta, and after one.
        let broken = ScriptedTurn::text("half of it").breaking_after(2, failure());
        let model = ScriptedModel::new([ScriptedTurn::error(failure()), broken, ScriptedTurn::text("ok")]);
        let mut agent = agent(&model, []).await;
        let response = agent.prompt("go").await.unwrap();
        assert_eq!((response.text().as_str(), response.turns, model.requests().len()), ("ok", 1, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn does_not_retry_permanent_errors() {
    let failures: Vec<fn() -> ModelError> = vec![
        || ModelError::Authentication { details: details() },
        || ModelError::InvalidRequest { details: details() },
        || ModelError::ContentFiltered { details: details() },
        || ModelError::protocol("nonsense"),
    ];
    for failure in failures {
        let model = ScriptedModel::new([ScriptedTurn::error(failure()), ScriptedTurn::text("never")]);
        let mut agent = agent(&model, []).await;
        let error = agent.prompt("go").await.unwrap_err();
        assert!(matches!(error, AgentError::Model { attempts: 1, .. }), "{error:?}");
        assert_eq!(model.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn retry_waits_are_announced_and_follow_retry_after() {
    let model = ScriptedModel::new([ScriptedTurn::error(throttled(Some(30))), ScriptedTurn::text("ok")]);
    let mut agent = agent(&model, []).await;
    let began = Instant::now();
    let mut stream = agent.prompt("go").stream();
    let announced = loop {
        if let AgentEvent::Retry { attempt, delay, error, discards_output } = stream.next().await.unwrap().unwrap() {
            break (attempt, delay, error, discards_output);
        }
    };
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!((announced.0, announced.1, announced.3), (1, Duration::from_secs(30), false));
    assert!(announced.2.contains("503"), "{}", announced.2);
    while stream.next().await.is_some() {}
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn retry_waits_stay_below_the_exponential_bound() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::error(throttled(None)));
    let mut agent = agent(&model, []).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert!(matches!(ended, Err(AgentError::Model { attempts: 6, .. })));
    let delays = events.iter().filter_map(|event| match event {
        AgentEvent::Retry { delay, .. } => Some(*delay),
        _ => None,
    });
    let delays: Vec<_> = delays.collect();
    assert_eq!(delays.len(), 5);
    for (delay, bound) in delays.iter().zip([4, 8, 16, 32, 64]) {
        assert!(*delay <= Duration::from_secs(bound), "{delays:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_bounded_by_attempts_and_time() {
    let failing = || ScriptedModel::from_fn(|_| ScriptedTurn::error(throttled(Some(10))));
    for (policy, calls) in [
        (RetryPolicy::never(), 1),
        (RetryPolicy::new().max_attempts(3), 3),
        (RetryPolicy::new().max_attempts(1_000).max_elapsed(Duration::from_secs(35)), 4),
    ] {
        let model = failing();
        let mut agent = template(&model, []).retry(policy).build().await.unwrap();
        let error = agent.prompt("go").await.unwrap_err();
        assert!(matches!(error, AgentError::Model { attempts, .. } if attempts == calls), "{error:?}");
        assert_eq!(model.requests().len(), calls as usize);
        assert!(agent.messages().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_a_retry_wait() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::error(throttled(Some(500))));
    let token = CancellationToken::new();
    let mut agent = agent(&model, []).await;
    let began = Instant::now();
    let mut stream = agent.prompt("go").cancel_with(token.clone()).stream();
    let mut ended = None;
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AgentEvent::Retry { .. } => token.cancel(),
            AgentEvent::Result { response } => ended = Some(response),
            _ => {}
        }
    }
    drop(stream);
    assert_eq!((ended.unwrap().stop_reason, began.elapsed()), (StopReason::Cancelled, Duration::ZERO));
    assert_whole(&mut agent).await;

    let response = agent.prompt("go").limits(Limits::new().duration(Duration::from_secs(7))).await.unwrap();
    assert_eq!((response.stop_reason, began.elapsed().as_secs()), (StopReason::LimitDuration, 7));
    assert_whole(&mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_sends_the_same_request() {
    let model = ScriptedModel::new([
        ScriptedTurn::error(throttled(None)),
        ScriptedTurn::text("half ").breaking_after(2, throttled(None)),
        ScriptedTurn::text("ok"),
    ]);
    let mut agent = agent(&model, []).await;
    let (events, _) = listen(agent.prompt("go").stream()).await;
    let requests = model.requests();
    assert!(requests.iter().all(|request| request.messages == requests[0].messages));
    assert_eq!(kinds(&events).iter().filter(|kind| *kind == "cycle_start").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn retries_an_unreachable_provider_within_two_seconds() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::Unreachable { details: details() }));
    let began = Instant::now();
    let error = agent(&model, []).await.prompt("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Model { attempts: 3, .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn retries_malformed_output_without_waiting() {
    let malformed = || ScriptedTurn::error(ModelError::MalformedOutput { details: details() });
    let model = ScriptedModel::from_fn(move |_| malformed());
    let began = Instant::now();
    let error = agent(&model, []).await.prompt("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Model { attempts: 3, .. }), "{error:?}");
    assert_eq!(began.elapsed(), Duration::ZERO);
    // Each kind has its own counter.
    let throttled = || ScriptedTurn::error(throttled(Some(1)));
    let turns = [malformed(), throttled(), throttled(), malformed(), ScriptedTurn::text("ok")];
    let model = ScriptedModel::new(turns);
    assert_eq!(agent(&model, []).await.prompt("go").await.unwrap().text(), "ok");
}

#[tokio::test(start_paused = true)]
async fn retry_waits_are_capped_by_max_delay() {
    let model = ScriptedModel::new([ScriptedTurn::error(throttled(Some(30))), ScriptedTurn::text("ok")]);
    let retry = RetryPolicy::new().max_delay(Duration::from_secs(2));
    let mut agent = template(&model, []).retry(retry).build().await.unwrap();
    let began = Instant::now();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "ok");
    assert_eq!(began.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_full_context_window_truncates_the_conversation() {
    let full = ScriptedTurn::text("half").with_stop_reason(StopReason::from("model_context_window_exceeded"));
    let model = ScriptedModel::new([ScriptedTurn::text("one"), full, ScriptedTurn::text("whole")]);
    let mut agent = agent(&model, []).await;
    agent.prompt("first").await.unwrap();
    assert_eq!(agent.prompt("second").await.unwrap().text(), "whole");
    let requests = model.requests();
    assert!(requests[2].messages.len() < requests[1].messages.len(), "{:?}", requests[2].messages);
}
