//! Runs that Strands has stored: this library continues with the nodes with which Strands would.

use serde_json::{Value, json};
use strands::Prompt;
use strands::testing::InMemorySessionManager;
use strands_testkit::recording::shared_path;

use super::{DIAMOND, DIAMOND_EDGES, Ledger, graph};

/// Returns a document as Strands writes it after each node.
fn document(order: &[&str], next: &[&str]) -> Value {
    let result = |node: &&str| {
        let message = json!({"role": "assistant", "content": [{"text": format!("{node} in Python")}]});
        let entry = json!({
            "result": {"type": "agent_result", "message": message, "stop_reason": "end_turn", "checkpoint": null},
            "execution_time": 1, "status": "completed", "execution_count": 1, "interrupts": [],
            "accumulated_usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
            "accumulated_metrics": {"latencyMs": 5},
        });
        ((*node).to_owned(), entry)
    };
    json!({
        "type": "graph", "id": "news", "status": "executing",
        "completed_nodes": order, "failed_nodes": [], "interrupted_nodes": [],
        "node_results": order.iter().map(result).collect::<serde_json::Map<_, _>>(),
        "next_nodes_to_execute": next, "current_task": "bees", "execution_order": order,
        "accumulated_usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
        "accumulated_metrics": {"latencyMs": 5}, "execution_count": order.len(), "execution_time": 3,
        "_internal_state": {"interrupt_state": {"interrupts": {}, "context": {}, "activated": false}},
    })
}

#[tokio::test(start_paused = true)]
async fn continues_with_the_nodes_that_strands_would_run_next() {
    for (order, next, expected) in [
        (&[][..], &["a"][..], &["a", "b", "c", "d"][..]),
        (&["a"], &["b", "c"], &["b", "c", "d"]),
        (&["a", "c"], &["b"], &["b", "d"]),
        (&["a", "c", "b"], &["d"], &["d"]),
        // Of a run of Strands that has gone back to a node.
        (&["a", "b", "c", "d"], &["d"], &["d"]),
    ] {
        let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
        session.set_multi_agent("news", document(order, next));
        let graph = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
        let response = graph.run(Prompt::none()).await.unwrap();
        assert_eq!(ledger.take(), expected, "after {order:?}");
        assert_eq!(response.text(), "d of 2");
        if order.contains(&"c") {
            assert_eq!(response.results["c"].text(), "c in Python");
        }
        let stored = session.multi_agent("news").unwrap();
        assert_eq!(stored["status"], "completed");
        assert_eq!(stored["current_task"], "bees");
    }
}

#[tokio::test(start_paused = true)]
async fn fields_that_strands_changed_after_this_library_win() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let build = || graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    session.fail_after(Some(2));
    build().run("bees").await.unwrap_err();
    session.fail_after(None);
    ledger.take();
    let mut stored = session.multi_agent("news").unwrap();
    assert_eq!(stored["next_nodes_to_execute"], json!(["b", "c"]));
    let of_strands = document(&["a", "c"], &["b"]);
    for field in ["completed_nodes", "node_results", "next_nodes_to_execute", "execution_order"] {
        stored[field] = of_strands[field].clone();
    }
    session.set_multi_agent("news", stored);
    let response = build().run(Prompt::none()).await.unwrap();
    assert_eq!(ledger.take(), ["b", "d"]);
    assert_eq!(response.results["c"].text(), "c in Python");
}

#[tokio::test(start_paused = true)]
async fn a_failed_node_of_strands_runs_again() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let mut stored = document(&["a", "b"], &["c"]);
    stored["status"] = json!("failed");
    stored["failed_nodes"] = json!(["c"]);
    stored["node_results"]["c"] = json!({"result": {"type": "exception", "message": "no"}, "status": "failed"});
    session.set_multi_agent("news", stored);
    let graph = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    graph.run(Prompt::none()).await.unwrap();
    assert_eq!(ledger.take(), ["c", "d"]);
}

/// Returns the document of a completed run that Strands wrote, and what its readers have to restore.
pub(super) fn completed(case: &str, id: &str) -> Option<(Value, Value)> {
    let folder = shared_path(&format!("sessions/{case}"))?;
    let read = |path: std::path::PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let document = folder.join(format!("session_{case}/multi_agents/multi_agent_{id}/multi_agent.json"));
    Some((read(document), read(folder.join("expected.json"))))
}

#[tokio::test(start_paused = true)]
async fn restores_a_completed_run_of_strands_and_starts_a_new_one_after_it() {
    let Some((stored, expected)) = completed("22_graph_done", "g1") else { return };
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    session.set_multi_agent("g1", stored.clone());
    let build = || graph(&ledger, &["a", "b", "c"], &[("a", "b"), ("b", "c")], &session).id("g1").build().unwrap();
    let response = build().run(Prompt::none()).await.unwrap();
    assert_eq!(ledger.take(), [""; 0]);
    assert_eq!(json!(response.order), expected["execution_order"]);
    for (node, result) in &response.results {
        let state = &expected["state"]["node_results"][&**node];
        assert_eq!(json!(result.message), state["result"]["message"]);
        assert_eq!(json!(result.usage), state["accumulated_usage"]);
    }
    assert_eq!(json!(response.response.usage), expected["state"]["accumulated_usage"]);
    build().run("wasps").await.unwrap();
    assert_eq!(ledger.take(), ["a", "b", "c"]);
    assert_eq!(session.multi_agent("g1").unwrap()["current_task"], "wasps");
}

#[tokio::test(start_paused = true)]
async fn names_a_node_that_does_not_exist() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let stored = document(&["a"], &["x"]);
    session.set_multi_agent("news", stored.clone());
    let graph = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    let error = graph.run(Prompt::none()).await.unwrap_err();
    assert!(error.to_string().contains("node `x`"), "{error}");
    assert_eq!(session.multi_agent("news").unwrap(), stored);
}
