//! Waits of retries: timers of the execution, during which no invocation runs.

use std::time::Duration;

use strands::durable::lambda::DurableAgent;
use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::models::{ErrorDetails, ModelError};
use strands::testing::ScriptedTurn;
use strands::{Agent, Limits, RetryPolicy};
use tokio::time::Instant;

use crate::support::{World, calls, done, execute, names, succeeded};

fn throttled(retry_after: Option<Duration>) -> ScriptedTurn {
    ScriptedTurn::error(ModelError::Throttled { retry_after, details: ErrorDetails::new().boxed() })
}

#[tokio::test(start_paused = true)]
async fn a_retried_model_call_waits_on_a_timer() {
    let world = World::default();
    let attempts = world.clone();
    let model = world.model(move |request, number| match (request.messages.len(), attempts.count("model 3")) {
        (1, _) => calls(number, ["a"]),
        (_, 1 | 2) => throttled(Some(Duration::from_millis(90_200))),
        _ => done(number),
    });
    let began = Instant::now();
    let template = Agent::builder().model(model).tools([world.tool("a")]);
    let result = execute(LocalRunner::new(), DurableAgent::new(template), "go").await;
    let output = succeeded(&result);
    world.assert_recorded_once(&output.snapshot);
    let expected = ["start", "model/1/1", "tools/1/1", "model/2/1", "wait/2/1", "model/2/2", "wait/2/2", "model/2/3"];
    assert_eq!(names(&result), expected);
    // One invocation for each wait, and none of them waits.
    assert_eq!((result.invocation_count(), began.elapsed()), (3, Duration::ZERO));
    assert_eq!((world.count("model"), world.count("tool")), (4, 1));
    // The clock has the waits, rounded up to whole seconds.
    let duration = output.response.metrics["total_duration"].as_f64().unwrap();
    assert!((182.0..190.0).contains(&duration), "{duration}");
}

#[tokio::test(start_paused = true)]
async fn waits_count_in_the_time_limit() {
    let world = World::default();
    let attempts = world.clone();
    let model = world.model(move |_, number| match attempts.count("model") {
        1 => throttled(Some(Duration::from_secs(90))),
        _ => calls(number, ["a"]),
    });
    let limits = Limits::new().duration(Duration::from_secs(60));
    let template = Agent::builder().model(model).tools([world.tool("a")]).limits(limits);
    let result = execute(LocalRunner::new(), DurableAgent::new(template), "go").await;
    assert_eq!(succeeded(&result).response.stop_reason, "limit_duration");
    assert_eq!(names(&result), ["start", "model/1/1", "wait/1/1", "model/1/2"]);
    assert_eq!(world.count("tool"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_ends_the_execution() {
    let world = World::default();
    let model = world.model(|_, _| throttled(None));
    let template = Agent::builder().model(model).retry(RetryPolicy::new().max_attempts(3));
    let result = execute(LocalRunner::new(), DurableAgent::new(template), "go").await;
    assert_eq!(result.error_type(), Some("strands.model"));
    assert_eq!((world.count("model"), result.invocation_count()), (3, 3));
}
