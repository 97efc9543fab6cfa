//! Graceful shutdown: no new turns; running ones end, or are cancelled with their history whole.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::AgentBuilder;
use strands_identity::Identity;
use strands_serve::{AgentTemplate, BusySession, ServiceLimits};

use crate::support::{Gate, Rig, agent, get, limited, memory, post, request, rig};

#[tokio::test(start_paused = true)]
async fn running_turns_finish() {
    let rig = rig();
    let running = {
        let rig = rig.clone();
        tokio::spawn(async move { rig.prompt("alice", "call wait").await })
    };
    rig.gate.arrived().await;
    let shutdown = {
        let service = rig.service.clone();
        tokio::spawn(async move { service.shutdown(Duration::from_secs(30)).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.send(get("/readyz")).await.status, 503);
    assert_eq!(rig.send(get("/healthz")).await.status, 200);
    let refused = rig.prompt("bob", "hi").await;
    assert_eq!(refused.problem(), (503, "shutting_down".into()));
    assert!(!refused.header("retry-after").is_empty());
    let session = "/sessions/session_for_user_bob";
    for change in [request("DELETE", session), request("PATCH", session).json(json!({"title": "x"}))] {
        assert_eq!(rig.send(change.user("bob")).await.problem(), (503, "shutting_down".into()));
    }
    assert!(!shutdown.is_finished());
    rig.gate.open();
    assert_eq!(running.await.unwrap().ok()["stop_reason"], "end_turn");
    let drained = shutdown.await.unwrap();
    assert_eq!((drained.cancelled, drained.aborted), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn turns_that_take_too_long_are_cancelled_with_their_history_whole() {
    let rig = rig();
    let running = {
        let rig = rig.clone();
        tokio::spawn(async move { rig.prompt("alice", "call wait").await })
    };
    rig.gate.arrived().await;
    let drained = rig.service.shutdown(Duration::from_secs(30)).await;
    assert_eq!((drained.cancelled, drained.aborted), (1, 0));
    assert_eq!(running.await.unwrap().ok()["stop_reason"], "cancelled");
    // In the next process, the conversation goes on.
    let next = rig.restarted();
    let session = next.send(get("/sessions/session_for_user_alice").user("alice")).await.ok();
    let messages = session["messages"].as_array().unwrap();
    let result = &messages.iter().find(|message| !message["content"][0]["toolResult"].is_null()).unwrap()["content"][0];
    assert_eq!(result["toolResult"]["status"], "error");
    next.prompt("alice", "again").await.ok();
}

/// Takes 3 seconds to make an agent.
struct SlowTemplate(Gate);

#[async_trait]
impl AgentTemplate for SlowTemplate {
    async fn agent(&self, _: &Identity) -> Result<AgentBuilder, Box<dyn std::error::Error + Send + Sync>> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(agent(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn turns_that_begin_after_the_deadline_are_cancelled_too() {
    let gate = Gate::new();
    let rig = Rig::new(SlowTemplate(gate.clone()), memory(), ServiceLimits::new(), gate);
    let starting = {
        let rig = rig.clone();
        tokio::spawn(async move { rig.prompt("alice", "stall").await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let drained = rig.service.shutdown(Duration::from_secs(1)).await;
    assert_eq!((drained.cancelled, drained.aborted), (1, 0));
    assert_eq!(starting.await.unwrap().ok()["stop_reason"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn turns_that_wait_for_a_session_do_not_start() {
    let queue = BusySession::Queue { waiting: 4, timeout: Duration::from_secs(600) };
    let rig = limited(ServiceLimits::new().busy_session(queue));
    let prompt = |text: &'static str| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.send(post("/prompt", json!({"prompt": text})).user("alice")).await })
    };
    let running = prompt("call wait");
    rig.gate.arrived().await;
    let waiting = prompt("stall");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let drained = rig.service.shutdown(Duration::from_secs(5)).await;
    assert_eq!((drained.cancelled, drained.aborted), (1, 0));
    assert_eq!(running.await.unwrap().ok()["stop_reason"], "cancelled");
    assert_eq!(waiting.await.unwrap().problem(), (503, "shutting_down".into()));
}
