//! Metrics: their values, and attributes with a bounded number of values.

use std::collections::BTreeSet;

use serde_json::json;
use strands_core::Agent;
use strands_core::metrics::Usage;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_otel::semconv::metric;

use crate::rig::{Rig, weather, weather_turns};

#[tokio::test]
async fn metrics_have_tokens_latency_tools_and_turns() {
    let rig = Rig::new();
    let mut agent = rig.agent(weather_turns()).tool(weather()).build().await.unwrap();
    agent.prompt("weather?").await.unwrap();
    assert_eq!(rig.sum(metric::INPUT_TOKENS), 40.0);
    assert_eq!(rig.sum(metric::OUTPUT_TOKENS), 14.0);
    for (name, expected) in [
        (metric::CYCLES, 2.0),
        (metric::STARTED_CYCLES, 2.0),
        (metric::ENDED_CYCLES, 2.0),
        (metric::TOOL_CALLS, 1.0),
        (metric::TOOL_SUCCESSES, 1.0),
        (metric::INVOCATIONS, 1.0),
        (metric::IN_FLIGHT, 0.0),
    ] {
        assert_eq!(rig.sum(name), expected, "{name}");
    }
    for (name, count) in [
        (metric::MODEL_LATENCY, 2),
        (metric::TIME_TO_FIRST_TOKEN, 2),
        (metric::TOOL_DURATION, 1),
        (metric::CYCLE_DURATION, 2),
        (metric::INVOCATION_DURATION, 1),
    ] {
        assert_eq!(rig.points(name).iter().map(|(_, _, count)| count).sum::<u64>(), count, "{name}");
    }
    assert_eq!(rig.points(metric::TOOL_CALLS)[0].0["tool_name"], "get_weather");
    let names: BTreeSet<_> = metric::ALL.into_iter().map(str::to_owned).collect();
    assert!(rig.metric_names().iter().all(|name| names.contains(name)), "{:?}", rig.metric_names());
}

#[tokio::test]
async fn no_input_makes_the_number_of_series_grow() {
    let rig = Rig::with(|builder| builder.max_names(5));
    for index in 0..200 {
        let turns = [
            ScriptedTurn::tool_uses([(format!("invented_{index}"), json!({})), ("get_weather".to_owned(), json!({}))]),
            ScriptedTurn::text("done").with_usage(Usage::new(1, 1).with_cache(Some(1), Some(1))),
        ];
        let builder =
            Agent::builder().agent_id(format!("a-{index}")).name(format!("agent {index}")).hook(rig.telemetry.clone());
        let mut agent = builder.model(ScriptedModel::new(turns)).tool(weather()).build().await.unwrap();
        agent.prompt(format!("prompt {index}")).await.unwrap();
    }
    let allowed = ["gen_ai.agent.name", "gen_ai.request.model", "tool_name", "error.type", "outcome"];
    for name in metric::ALL {
        let points = rig.points(name);
        assert!(points.len() <= 12, "{name}: {}", points.len());
        for (attributes, _, _) in points {
            assert!(attributes.keys().all(|key| allowed.contains(&key.as_str())), "{name}: {attributes:?}");
            assert!(!format!("{attributes:?}").contains("invented"), "{attributes:?}");
        }
    }
    let tools: BTreeSet<_> =
        rig.points(metric::TOOL_CALLS).into_iter().map(|(of, _, _)| of["tool_name"].clone()).collect();
    assert_eq!(tools.into_iter().collect::<Vec<_>>(), ["_OTHER", "get_weather"]);
}
