//! Documents as Strands writes them, and round trips of own ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::message::{ImageBlock, ImageFormat, Message};
use strands_core::metrics::Usage;
use strands_core::models::StopReason;
use strands_core::multiagent::{MultiAgentKind, NodeResult, NodeStatus};
use strands_core::{Continuation, Interrupt, Prompt};
use strands_testkit::recording::shared_path;

use super::{DocumentError, InterruptedNode, KindFields, RunDocument};

fn ids(ids: &[&str]) -> Vec<Arc<str>> {
    ids.iter().copied().map(Arc::from).collect()
}

fn completed(text: &str) -> NodeResult {
    let mut result = NodeResult::new(NodeStatus::Completed);
    result.message = Arc::new(Message::assistant(text));
    result.stop_reason = Some(StopReason::EndTurn);
    result.output = Some(json!({"words": 2}));
    result.usage = Usage::new(3, 4);
    result.turns = 1;
    result.attempts = 2;
    result.duration = Duration::from_millis(5);
    result
}

fn failed(error: &str) -> NodeResult {
    let mut result = NodeResult::new(NodeStatus::Failed);
    result.error = Some(error.to_owned());
    result
}

fn graph() -> RunDocument {
    RunDocument {
        id: "news".into(),
        status: NodeStatus::Interrupted,
        task: Prompt::from("bees"),
        results: [("a".into(), completed("A out")), ("b".into(), failed("disk full"))].into_iter().collect(),
        next: ids(&["c", "d"]),
        order: ids(&["a", "b"]),
        interrupted: vec![InterruptedNode {
            node: "c".into(),
            interrupts: vec![Interrupt::new("v1:tool_call:t1:x", "approval", json!("pay?"))],
            from_hook: false,
            continuation: Some(Continuation::new(agent_snapshot())),
        }],
        usage: Usage::new(3, 4),
        elapsed: Duration::from_millis(6),
        kind: KindFields::Graph { completed: ids(&["a"]), failed: ids(&["b"]) },
        own: Some(json!({"state": {"facts": 1}})),
    }
}

fn swarm() -> RunDocument {
    RunDocument {
        kind: KindFields::Swarm {
            shared: json!({"a": {"k": "v"}}).as_object().cloned().unwrap(),
            handoff: Some("d".into()),
            message: Some("go on".to_owned()),
        },
        ..graph()
    }
}

/// The continuation of an agent that is not a tool of another one.
fn agent_snapshot() -> Value {
    json!({
        "scope": "agent", "schema_version": "1.0", "created_at": "2026-11-30T00:00:00Z",
        "data": {
            "conversation_manager_state": {"__name__": "SlidingWindowConversationManager"},
            "run": {"version": 1},
            "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "state": {"n": 1},
            "interrupt_state": {"interrupts": {}, "context": {}, "activated": true},
        },
        "app_data": {},
    })
}

fn shared_document(case: &str, id: &str) -> Option<(Value, Value)> {
    let folder = shared_path(&format!("sessions/{case}"))?;
    let read = |path: std::path::PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let path = format!("session_{case}/multi_agents/multi_agent_{id}/multi_agent.json");
    Some((read(folder.join(path)), read(folder.join("expected.json"))))
}

#[test]
fn reads_a_completed_graph_of_strands() {
    let Some((document, expected)) = shared_document("22_graph_done", "g1") else { return };
    let run = RunDocument::read(&document, MultiAgentKind::Graph, "g1").unwrap();
    assert_eq!(run.status, NodeStatus::Completed);
    assert_eq!(json!(run.order), expected["execution_order"]);
    assert_eq!(run.task, Prompt::from("go"));
    assert_eq!(run.next, ids(&[]));
    assert_eq!(run.usage, Usage::new(33, 21));
    assert_eq!(run.elapsed, Duration::from_millis(6));
    let texts: Vec<String> = run.results.values().map(NodeResult::text).collect();
    assert_eq!(texts, ["A out", "B out", "C out"]);
    assert_eq!(run.own, None);
    // What Strands wrote is written back unchanged, beside fields that Strands ignores.
    let mut written = run.write(Some(&document)).unwrap();
    for (_, result) in written["node_results"].as_object_mut().unwrap() {
        assert_eq!(result.as_object_mut().unwrap().remove("turns"), Some(json!(0)));
    }
    written["accumulated_metrics"] = document["accumulated_metrics"].clone();
    for node in ["a", "b", "c"] {
        let metrics = &mut written["node_results"][node]["accumulated_metrics"];
        *metrics = document["node_results"][node]["accumulated_metrics"].clone();
    }
    assert_eq!(written, expected["state"]);
}

#[test]
fn reads_a_completed_swarm_of_strands() {
    let Some((document, expected)) = shared_document("20_swarm_done", "sw1") else { return };
    let run = RunDocument::read(&document, MultiAgentKind::Swarm, "sw1").unwrap();
    assert_eq!(run.status, NodeStatus::Completed);
    assert_eq!(json!(run.order), expected["node_history"]);
    assert_eq!(run.results[&Arc::from("writer") as &Arc<str>].text(), "final text");
    let KindFields::Swarm { shared, handoff: None, message: None } = &run.kind else { panic!("{run:?}") };
    assert_eq!(shared["researcher"], json!({"k": "v"}));
    let written = run.write(Some(&document)).unwrap();
    let (written, state) = (written.as_object().unwrap(), expected["state"].as_object().unwrap());
    let differing: Vec<_> =
        state.iter().filter(|(name, value)| written.get(*name) != Some(value)).map(|(name, _)| name).collect();
    assert_eq!(differing, ["node_results", "accumulated_metrics"], "fields with latencies and with fields of ours");
}

#[test]
fn reads_what_it_wrote() {
    for (run, kind) in [(graph(), MultiAgentKind::Graph), (swarm(), MultiAgentKind::Swarm)] {
        let document = run.clone().write(None).unwrap();
        assert_eq!(RunDocument::read(&document, kind, "news").unwrap(), run);
        let text = document.to_string();
        let again: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(RunDocument::read(&again, kind, "news").unwrap().write(Some(&again)).unwrap(), again);
    }
}

#[test]
fn stores_interrupted_agents_where_strands_does() {
    let document = graph().write(None).unwrap();
    let state = &document["_internal_state"]["interrupt_state"];
    assert_eq!(state["activated"], true);
    let interrupt = json!({"id": "v1:tool_call:t1:x", "name": "approval", "reason": "pay?", "response": null});
    assert_eq!(state["interrupts"], json!({"v1:tool_call:t1:x": interrupt}));
    assert_eq!(state["context"]["completed_nodes"], json!([]));
    let of_node = &state["context"]["c"];
    assert_eq!(of_node["from_hook"], false);
    assert_eq!(of_node["interrupt_ids"], json!(["v1:tool_call:t1:x"]));
    assert_eq!(of_node["messages"], json!([{"role": "user", "content": [{"text": "hi"}]}]));
    assert_eq!(of_node["state"], json!({"n": 1}));
    assert_eq!(of_node["interrupt_state"]["activated"], true);
    assert_eq!(document["interrupted_nodes"], json!(["c"]));
}

#[test]
fn reads_an_agent_that_strands_interrupted() {
    let mut document = graph().write(None).unwrap();
    let context = document["_internal_state"]["interrupt_state"]["context"]["c"].as_object_mut().unwrap();
    context.remove("snapshot");
    context.insert("model_state".to_owned(), json!({"id": "r1"}));
    let run = RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap();
    let continuation = run.interrupted[0].continuation.as_ref().unwrap();
    let snapshot: strands_core::Snapshot = continuation.read().unwrap();
    assert_eq!(snapshot.data.messages.unwrap()[0].text(), "hi");
    assert_eq!(snapshot.data.unknown.get("model_state"), Some(&json!({"id": "r1"})));
}

#[test]
fn stores_other_continuations_as_text() {
    let mut run = graph();
    let deep = (0..100).fold(json!(1), |value, _| json!([value]));
    for continuation in [deep, json!("text"), json!({"scope": "agent"})] {
        run.interrupted[0].continuation = Some(Continuation::new(continuation));
        let document = run.clone().write(None).unwrap().to_string();
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap(), run);
    }
}

#[test]
fn preserves_fields_of_others_and_drops_its_own_outdated_state() {
    let mut stored = graph().write(None).unwrap();
    stored["tomorrow"] = json!(1);
    stored["_internal_state"]["tomorrow"] = json!(2);
    let written = RunDocument { own: None, ..graph() }.write(Some(&stored)).unwrap();
    assert_eq!(written["tomorrow"], 1);
    assert_eq!(written["_internal_state"]["tomorrow"], 2);
    assert_eq!(written["_internal_state"].get("run"), None);
}

#[test]
fn fields_that_another_program_changed_win() {
    for (name, value) in [
        ("status", json!("executing")),
        ("completed_nodes", json!(["a", "c"])),
        ("next_nodes_to_execute", json!(["d"])),
        ("execution_order", json!(["a", "c"])),
        ("current_task", json!("wasps")),
    ] {
        let mut document = graph().write(None).unwrap();
        document[name] = value;
        let run = RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap();
        assert_eq!(run.own, None, "{name}");
    }
    let mut document = graph().write(None).unwrap();
    document["node_results"]["c"] = document["node_results"]["a"].clone();
    assert_eq!(RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap().own, None);
}

#[test]
fn reads_state_that_nests_deep_and_refuses_deeper_one() {
    let nested = |levels| (0..levels).fold(json!({}), |value, _| json!({ "in": value }));
    for levels in [60, 64, 118] {
        let run = RunDocument { own: Some(nested(levels)), ..graph() };
        let document: Value = serde_json::from_str(&run.clone().write(None).unwrap().to_string()).unwrap();
        assert_eq!(RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap(), run, "{levels}");
    }
    let run = RunDocument { own: Some(nested(120)), ..graph() };
    assert!(matches!(run.write(None), Err(DocumentError::TooDeep { .. })));
}

#[test]
fn names_the_reason_of_an_unreadable_document() {
    let read = |change: &dyn Fn(&mut Value)| {
        let mut document = graph().write(None).unwrap();
        change(&mut document);
        RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap_err().to_string()
    };
    assert_eq!(
        read(&|document| document["type"] = json!("swarm")),
        "the document is of type `swarm`, and not of a graph; give each graph and swarm of a session its own id"
    );
    assert_eq!(read(&|document| document["id"] = json!("a\nb")), "the document is of `a\\nb`, and not of `news`");
    assert_eq!(
        read(&|document| document["_internal_state"]["run"]["version"] = json!(7)),
        "the document has version 7 of a run, and this release reads version 1; update it to continue the run"
    );
    assert_eq!(
        read(&|document| document["node_results"]["a"]["result"] = json!({"type": "other"})),
        "field `node_results.a` of the document can't be read: it is missing, or of another form"
    );
    assert_eq!(
        read(&|document| document["next_nodes_to_execute"] = json!("c")),
        "field `next_nodes_to_execute` of the document can't be read: it is missing, or of another form"
    );
    assert_eq!(
        read(&|document| *document = json!([])),
        "field `type` of the document can't be read: it is missing, or of another form"
    );
}

#[test]
fn reads_results_of_nested_graphs_of_strands() {
    let mut document = graph().write(None).unwrap();
    let inner = |text: &str| {
        json!({
            "result": {"type": "agent_result", "message": {"role": "assistant", "content": [{"text": text}]}, "stop_reason": "end_turn"},
            "status": "completed",
        })
    };
    let failed = json!({"result": {"type": "exception", "message": "no"}, "status": "failed"});
    let results = json!({"x": inner("one"), "y": failed, "z": inner("two")});
    document["node_results"]["a"]["result"] =
        json!({"type": "multiagent_result", "status": "completed", "results": results});
    let run = RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap();
    assert_eq!(run.results[&Arc::from("a") as &Arc<str>].text(), "one\ntwo");
}

#[test]
fn preserves_all_content_of_a_task() {
    let image = ImageBlock::new(ImageFormat::Png, vec![0, 255]);
    let task = Prompt::from(["look".into(), image.into()]);
    let run = RunDocument { task: task.clone(), ..graph() };
    let document = run.write(None).unwrap();
    assert_eq!(document["current_task"][1]["image"]["source"]["bytes"]["data"], "AP8=");
    assert_eq!(RunDocument::read(&document, MultiAgentKind::Graph, "news").unwrap().task, task);
}
