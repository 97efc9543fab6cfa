//! The dashboard and the alert rules name metrics and labels that are emitted.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use strands_core::metrics::Usage;
use strands_core::models::{Fallback, ModelError};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, RetryPolicy, ToolError};
use strands_otel::semconv::metric;

use crate::rig::{Rig, tool};

/// Emits each metric at least once.
async fn exercise(rig: &Rig) {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let model = ScriptedModel::from_fn(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => ScriptedTurn::error(ModelError::transport("lost")),
        1 => ScriptedTurn::tool_uses([("works", json!({})), ("fails", json!({}))]),
        _ => ScriptedTurn::text("done").with_usage(Usage::new(9, 3).with_cache(Some(1), Some(2))),
    });
    let works = tool("works", |_| async { Ok(strands_core::ToolOutput::text("ok")) });
    let fails = tool("fails", |_| async { Err(ToolError::new("boom")) });
    let builder = Agent::builder().hook(rig.telemetry.clone()).retry(RetryPolicy::new().max_attempts(2));
    let mut agent = builder.clone().model(model).tool(works).tool(fails).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let down = || ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("down")));
    let mut agent = builder.model(Fallback::new(down()).or(down())).build().await.unwrap();
    agent.prompt("go").await.unwrap_err();
}

/// Returns the names of the time series that a collector exports to Prometheus.
fn series(rig: &Rig) -> BTreeSet<String> {
    let mut series = BTreeSet::new();
    for (name, unit, kind) in rig.described_metrics() {
        let name = name.replace('.', "_");
        let unit = match unit.as_str() {
            "s" => "_seconds",
            "ms" => "_milliseconds",
            // Annotations have no suffix.
            unit if unit.starts_with('{') => "",
            unit => panic!("{name} has the unit {unit}"),
        };
        match kind {
            "counter" => _ = series.insert(format!("{name}{unit}_total")),
            "gauge" => _ = series.insert(format!("{name}{unit}")),
            _ => series.extend(["bucket", "sum", "count"].map(|part| format!("{name}{unit}_{part}"))),
        }
    }
    series
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)).unwrap()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

#[tokio::test(start_paused = true)]
async fn dashboards_and_alerts_name_what_is_emitted() {
    let rig = Rig::new();
    exercise(&rig).await;
    let emitted: BTreeSet<_> = rig.metric_names().into_iter().collect();
    assert_eq!(emitted, metric::ALL.into_iter().map(str::to_owned).collect(), "each metric is emitted");

    let series = series(&rig);
    let labels = ["gen_ai_agent_name", "gen_ai_request_model", "tool_name", "error_type", "outcome", "le"];
    for name in ["grafana-dashboard.json", "alerts.yml"] {
        let text = file(name);
        let named: Vec<_> = words(&text).filter(|word| word.starts_with("strands_")).collect();
        assert!(named.len() > 10, "{name}");
        for word in named {
            assert!(series.contains(word), "{name}: {word} is not in {series:#?}");
        }
        for grouped in text.split("by (").skip(1) {
            for label in words(grouped.split(')').next().unwrap()) {
                assert!(labels.contains(&label), "{name}: {label}");
            }
        }
    }
    let dashboard: Value = serde_json::from_str(&file("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| panel["targets"].as_array().is_some_and(|targets| !targets.is_empty())));
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
}
