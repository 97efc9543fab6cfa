//! The metrics: the keys of Strands, and a bound on their number.

use serde_json::{Value, json};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{ToolError, ToolOutput};

use crate::support::{agent, naming, template, tool};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_summary_has_the_keys_of_strands() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("one", json!({"a": 1})), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("go").await.unwrap();
    let summary = serde_json::to_value(response.metrics.summary()).unwrap();
    assert_eq!(
        keys(&summary),
        [
            "total_cycles",
            "total_duration",
            "average_cycle_time",
            "tool_usage",
            "accumulated_usage",
            "accumulated_metrics",
            "agent_invocations",
            "traces"
        ]
    );
    assert_eq!(summary["total_cycles"], 2);
    assert_eq!(keys(&summary["accumulated_usage"]), ["inputTokens", "outputTokens", "totalTokens"]);
    assert_eq!(summary["accumulated_metrics"], json!({"latencyMs": 2}));
    let tool = &summary["tool_usage"]["one"];
    assert_eq!(keys(tool), ["tool_info", "execution_stats"]);
    assert_eq!(keys(&tool["tool_info"]), ["tool_use_id", "name", "input_params"]);
    assert_eq!(tool["tool_info"]["input_params"], json!({"a": 1}));
    let stats = ["call_count", "success_count", "error_count", "total_time", "average_time", "success_rate"];
    assert_eq!(keys(&tool["execution_stats"]), stats);
    let invocations = summary["agent_invocations"].as_array().unwrap();
    assert_eq!((invocations.len(), keys(&invocations[0])), (1, vec!["usage", "cycles"]));
    assert_eq!(keys(&invocations[0]["cycles"][0]), ["event_loop_cycle_id", "usage"]);
    let trace_keys = [
        "id",
        "name",
        "raw_name",
        "parent_id",
        "start_time",
        "end_time",
        "duration",
        "children",
        "metadata",
        "message",
    ];
    let traces = summary["traces"].as_array().unwrap();
    assert_eq!(traces.iter().map(|trace| trace["name"].as_str().unwrap()).collect::<Vec<_>>(), ["Cycle 1", "Cycle 2"]);
    assert_eq!(keys(&traces[0]), trace_keys);
    let children = traces[0]["children"].as_array().unwrap();
    let names: Vec<_> = children.iter().map(|child| child["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["stream_messages", "Tool: one"]);
    assert!(children.iter().all(|child| child["parent_id"] == traces[0]["id"] && child["end_time"].is_f64()));
    assert_eq!(keys(&agent.metrics().summary().to_json()), keys(&summary));
}

#[tokio::test]
async fn the_summary_displays_a_few_lines() {
    let names = std::iter::once(0).chain(0..40).map(|at| format!("t{at}"));
    let mut calls: Vec<_> = names.map(|name| ScriptedTurn::tool_use(name, json!({}))).collect();
    calls.push(ScriptedTurn::text("done"));
    let named = |at: usize| {
        let name: &'static str = format!("t{at}").leak();
        tool(name, move |_, _| async move {
            if at == 0 { Err(ToolError::new("no luck")) } else { Ok(ToolOutput::text("done")) }
        })
    };
    let mut agent = agent(&ScriptedModel::new(calls), (0..40).map(named)).await;
    agent.prompt("go").await.unwrap();
    let lines = format!("{:#}", agent.metrics().summary());
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 11, "{lines:#?}");
    assert!(lines[0].starts_with("cycles: 42 in ") && lines[0].ends_with(" s in model calls)"), "{}", lines[0]);
    assert!(lines[1].starts_with("tokens: ") && lines[1].ends_with(" total"), "{}", lines[1]);
    assert!(lines[2].starts_with("t0: 2 calls in ") && lines[2].ends_with(", 2 failed"), "{}", lines[2]);
    assert!(lines[3].starts_with("t1: 1 call in ") && lines[3].ends_with(" s"), "{}", lines[3]);
    assert_eq!(lines[10], "and 32 other tools");
    assert_eq!(agent.metrics().summary().to_string(), lines.join("; "));
}

#[tokio::test]
async fn successes_and_errors_of_a_tool_are_counted_separately() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let sometimes = tool("one", move |_, _| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            match call {
                0 => Ok(ToolOutput::text("ok")),
                1 => Err(ToolError::new("no")),
                2 => Ok(ToolOutput::error("bad news")),
                _ => panic!("broken"),
            }
        }
    });
    let model = ScriptedModel::new([
        ScriptedTurn::tool_uses(std::iter::repeat_n(("one", json!({})), 4)),
        ScriptedTurn::text("done"),
    ]);
    let mut agent = template(&model, [sometimes]).tool_concurrency(1).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let summary = agent.metrics().summary();
    let stats = summary.tool_usage["one"].execution_stats;
    assert_eq!((stats.call_count, stats.success_count, stats.error_count), (4, 1, 3));
    assert!((stats.success_rate - 0.25).abs() < 1e-9);
}

#[tokio::test]
async fn averages_of_an_unused_agent_are_zero() {
    let agent = agent(&ScriptedModel::responding("hi"), []).await;
    let summary = serde_json::to_value(agent.metrics()).unwrap();
    assert_eq!((&summary["average_cycle_time"], &summary["total_cycles"]), (&json!(0.0), &json!(0)));
}

#[tokio::test]
async fn metrics_keep_sums_and_the_newest_cycles() {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_use("one", json!({})),
        Some(_) => ScriptedTurn::text("hi"),
    });
    let mut agent = template(&model, [naming("one")]).trace_limit(8).build().await.unwrap();
    let mut sizes = Vec::new();
    for turn in 0..5_000 {
        agent.prompt("go").await.unwrap();
        if turn == 50 || turn == 4_999 {
            sizes.push(serde_json::to_string(agent.metrics()).unwrap().len());
        }
    }
    assert_eq!((agent.metrics().cycle_count(), agent.metrics().traces().count()), (10_000, 8));
    assert_eq!(agent.metrics().accumulated_usage().total_tokens, 150_000);
    assert_eq!(agent.metrics().summary().agent_invocations.len(), 8);
    assert_eq!(agent.metrics().summary().tool_usage["one"].execution_stats.call_count, 5_000);
    // The same except for the length of the numbers.
    assert!(sizes[1] < sizes[0] + 200, "{sizes:?}");
}

#[tokio::test]
async fn metrics_of_a_long_invocation_are_bounded() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        0..1_000 => ScriptedTurn::tool_use("one", json!({})),
        _ => ScriptedTurn::text("hi"),
    });
    let mut agent = template(&model, [naming("one")]).trace_limit(5).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let summary = agent.metrics().summary();
    assert_eq!((summary.agent_invocations.len(), summary.agent_invocations[0].cycles.len()), (1, 5));
    assert_eq!(summary.traces.len(), 5);
}
