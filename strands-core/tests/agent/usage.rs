//! Usage: tokens are summed over the invocation and over the agent, for each outcome, streamed or not.

use std::time::Duration;

use serde_json::json;
use strands_core::metrics::Usage;
use strands_core::models::{ErrorDetails, ModelError, StopReason, StreamEvent};
use strands_core::testing::{RecordedJournal, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentResponse, Limits, RetryPolicy};

use crate::support::{listen, naming, template};

fn cached(input: u64, output: u64, read: u64) -> Usage {
    Usage::new(input, output).with_cache(Some(read), Some(1))
}

fn refused() -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().boxed() }
}

/// A name, a model, limits and the cost.
type Outcome = (&'static str, fn() -> ScriptedModel, Limits, Usage);

/// Returns a model for each outcome, with the cost of one invocation and the part of it that the response reports.
fn outcomes() -> Vec<Outcome> {
    let none = Limits::new();
    vec![
        (
            "answered after tools",
            || {
                ScriptedModel::new([
                    ScriptedTurn::tool_use("one", json!({})).with_usage(cached(100, 10, 50)),
                    ScriptedTurn::text("done").with_usage(Usage::new(200, 20)),
                ])
            },
            none,
            Usage::new(300, 30).with_cache(Some(50), Some(1)),
        ),
        (
            "retried after it had cost something",
            || {
                let mut broken = costing_first(Usage::new(7, 3));
                broken = broken.breaking_after(3, ModelError::transport("cut"));
                ScriptedModel::new([broken, ScriptedTurn::text("done").with_usage(Usage::new(10, 1))])
            },
            none,
            Usage::new(17, 4),
        ),
        (
            "failed",
            || ScriptedModel::new([costing_first(Usage::new(7, 3)).breaking_after(3, refused())]),
            none,
            Usage::new(7, 3),
        ),
        (
            "failed after tools",
            || {
                ScriptedModel::new([
                    ScriptedTurn::tool_use("one", json!({})).with_usage(Usage::new(100, 10)),
                    ScriptedTurn::error(refused()),
                ])
            },
            none,
            Usage::new(100, 10),
        ),
        (
            "out of time",
            || ScriptedModel::new([costing_first(Usage::new(7, 3)).stalling_after(3)]),
            Limits::new().duration(Duration::from_secs(1)),
            Usage::new(7, 3),
        ),
        (
            "at a limit",
            || ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("one", json!({})).with_usage(Usage::new(100, 10))),
            Limits::new().turns(3),
            Usage::new(300, 30),
        ),
    ]
}

/// A turn that reports its usage at the beginning, as some providers do.
fn costing_first(usage: Usage) -> ScriptedTurn {
    ScriptedTurn::events([
        StreamEvent::start(),
        StreamEvent::metadata(usage, Default::default()),
        StreamEvent::text(0, "half"),
        StreamEvent::stop(StopReason::EndTurn),
    ])
}

async fn build(model: &ScriptedModel) -> Agent {
    template(model, [naming("one")]).retry(RetryPolicy::new().max_attempts(2)).build().await.unwrap()
}

fn check(what: &str, ended: &Result<AgentResponse, AgentError>, agent: &Agent, cost: Usage) {
    if let Ok(response) = ended {
        assert_eq!(response.usage, cost, "{what}");
    }
    assert_eq!(agent.metrics().accumulated_usage(), cost, "{what}");
}

#[tokio::test(start_paused = true)]
async fn usage_is_counted_for_every_outcome() {
    for (what, model, limits, cost) in outcomes() {
        let mut agent = build(&model()).await;
        let awaited = agent.prompt("go").limits(limits).await;
        check(what, &awaited, &agent, cost);

        let mut agent = build(&model()).await;
        let (_, streamed) = listen(agent.prompt("go").limits(limits).stream()).await;
        check(what, &streamed, &agent, cost);
        assert_eq!(awaited.is_ok(), streamed.is_ok());
    }
}

#[tokio::test]
async fn the_usage_of_an_agent_is_the_sum_of_its_invocations() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("hi").with_usage(cached(10, 2, 5)));
    let mut agent = build(&model).await;
    let mut sum = Usage::default();
    for _ in 0..3 {
        sum.add(agent.prompt("go").await.unwrap().usage);
        assert_eq!(agent.metrics().accumulated_usage(), sum);
    }
    assert_eq!(sum, Usage::new(30, 6).with_cache(Some(15), Some(3)));
}

#[tokio::test]
async fn the_total_reported_by_the_provider_is_kept() {
    let cost = Usage::new(10, 2).with_total(99);
    let model = ScriptedModel::from_fn(move |_| ScriptedTurn::text("hi").with_usage(cost));
    let mut agent = build(&model).await;
    assert_eq!(agent.prompt("go").await.unwrap().usage.total_tokens, 99);
    agent.prompt("go").await.unwrap();
    assert_eq!(agent.metrics().accumulated_usage().total_tokens, 198);
}

#[tokio::test]
async fn usage_sums_do_not_overflow() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("hi").with_usage(Usage::new(u64::MAX, u64::MAX)));
    let mut agent = build(&model).await;
    for _ in 0..2 {
        agent.prompt("go").await.unwrap();
    }
    assert_eq!(agent.metrics().accumulated_usage().total_tokens, u64::MAX);
}

#[tokio::test(start_paused = true)]
async fn the_usage_of_a_nested_response_that_is_dropped_counts() {
    let stalling = || {
        let model = ScriptedModel::from_fn(|_| costing_first(Usage::new(7, 3)).stalling_after(3));
        Agent::builder().name("expert").model(model)
    };
    let planner = || {
        ScriptedModel::from_fn(|request| match request.messages.last().unwrap().is_prompt() {
            true => ScriptedTurn::tool_use("expert", json!({"input": "go"})).with_usage(Usage::new(100, 0)),
            false => ScriptedTurn::text("done").with_usage(Usage::new(100, 0)),
        })
    };
    let planner = || Agent::builder().model(planner()).tools([stalling()]);
    let timed = planner().tool_timeout(Duration::from_secs(5));
    let response = timed.build().await.unwrap().prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.usage), ("done", Usage::new(207, 3)));

    let limits = Limits::new().duration(Duration::from_secs(5));
    let response = planner().build().await.unwrap().prompt("go").limits(limits).await.unwrap();
    assert_eq!((response.stop_reason, response.usage), (StopReason::LimitDuration, Usage::new(107, 3)));

    let journal = RecordedJournal::new();
    let mut agent = planner().limits(limits).build().await.unwrap();
    let response = agent.prompt("go").journal(&journal).await.unwrap();
    assert_eq!((response.stop_reason, response.usage), (StopReason::LimitDuration, Usage::new(107, 3)));
    let mut agent = planner().limits(limits).build().await.unwrap();
    let replayed = agent.prompt("go").journal(&journal.replay()).await.unwrap();
    assert_eq!(replayed.usage, Usage::new(107, 3));
}
