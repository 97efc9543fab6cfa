//! Limits of turns: for a session, a user, and the process.

use std::time::Duration;

use serde_json::json;
use strands_serve::{BusySession, ServiceLimits};

use crate::support::{Reply, Rig, limited, post};

/// Starts a prompt that waits at the gate, in a new session.
async fn waiting(rig: &Rig, user: &'static str) -> tokio::task::JoinHandle<Reply> {
    let other = rig.clone();
    let body = json!({"prompt": "call wait", "new_session": true});
    let task = tokio::spawn(async move { other.send(post("/prompt", body).user(user)).await });
    rig.gate.arrived().await;
    task
}

async fn new_session(rig: &Rig, user: &str) -> Reply {
    rig.send(post("/prompt", json!({"prompt": "hi", "new_session": true})).user(user)).await
}

#[tokio::test]
async fn a_busy_session_refuses_a_second_prompt() {
    let rig = limited(ServiceLimits::new().retry_after(Duration::from_secs(7)));
    let first = {
        let rig = rig.clone();
        tokio::spawn(async move { rig.prompt("alice", "call wait").await })
    };
    rig.gate.arrived().await;
    let refused = rig.prompt("alice", "hi").await;
    assert_eq!(refused.problem(), (409, "session_busy".into()));
    assert_eq!(refused.header("retry-after"), "7");
    assert_eq!(refused.json()["retry_after"], 7);
    let refused = rig.send(post("/prompt/stream", json!({"prompt": "hi"})).user("alice")).await;
    assert_eq!(refused.problem(), (409, "session_busy".into()));
    // Other sessions and users are free.
    new_session(&rig, "alice").await.ok();
    rig.prompt("bob", "hi").await.ok();
    rig.gate.open();
    first.await.unwrap().ok();
    // The session is free once a client knows of the end.
    rig.prompt("alice", "hi").await.ok();
}

#[tokio::test(start_paused = true)]
async fn prompts_may_wait_for_a_busy_session() {
    let queue = BusySession::Queue { waiting: 2, timeout: Duration::from_secs(30) };
    let rig = limited(ServiceLimits::new().busy_session(queue));
    let prompt = |text: &'static str| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.prompt("alice", text).await })
    };
    let first = prompt("call wait");
    rig.gate.arrived().await;
    let (second, third) = (prompt("second"), prompt("third"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.prompt("alice", "fourth").await.problem(), (409, "session_busy".into()));
    rig.gate.open();
    for (task, text) in [(first, "waited"), (second, "second"), (third, "third")] {
        assert_eq!(task.await.unwrap().ok()["text"], text);
    }
    let session = rig.service.transcript(&strands_identity::Identity::new("alice"), "session_for_user_alice").await;
    assert_eq!(session.unwrap().messages.len(), 4 + 2 + 2);

    let first = prompt("call wait");
    rig.gate.arrived().await;
    let late = prompt("late");
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(late.await.unwrap().problem(), (409, "session_busy".into()));
    // A client that stops waiting leaves its place.
    assert!(tokio::time::timeout(Duration::from_secs(1), rig.prompt("alice", "impatient")).await.is_err());
    let (second, third) = (prompt("second"), prompt("third"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.gate.open();
    for task in [first, second, third] {
        task.await.unwrap().ok();
    }
}

#[tokio::test]
async fn a_user_has_a_limited_number_of_turns() {
    let rig = limited(ServiceLimits::new().turns_per_user(2));
    let tasks = [waiting(&rig, "alice").await, waiting(&rig, "alice").await];
    let refused = new_session(&rig, "alice").await;
    assert_eq!(refused.problem(), (429, "user_busy".into()));
    assert!(!refused.header("retry-after").is_empty());
    new_session(&rig, "bob").await.ok();
    for task in tasks {
        rig.gate.open();
        drop(task);
    }
    let one = waiting(&rig, "carol").await;
    rig.gate.open();
    one.await.unwrap().ok();
    // All permits are back, also after refusals and failures.
    for _ in 0..5 {
        assert_eq!(
            rig.send(post("/prompt", json!({"prompt": "fail", "new_session": true})).user("bob")).await.status,
            502
        );
        let other = post("/prompt", json!({"prompt": "hi", "session_id": "session_for_user_carol"})).user("bob");
        assert_eq!(rig.send(other).await.status, 404);
    }
    new_session(&rig, "bob").await.ok();
}

#[tokio::test]
async fn the_process_has_a_limited_number_of_turns() {
    let rig = limited(ServiceLimits::new().turns(2));
    let tasks = [waiting(&rig, "alice").await, waiting(&rig, "bob").await];
    let refused = new_session(&rig, "carol").await;
    assert_eq!(refused.problem(), (503, "overloaded".into()));
    assert!(!refused.header("retry-after").is_empty());
    for task in tasks {
        rig.gate.open();
        rig.gate.open();
        task.await.unwrap().ok();
    }
    new_session(&rig, "carol").await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_turn_has_a_limited_time() {
    let rig = limited(ServiceLimits::new().turn_time(Duration::from_secs(5)));
    assert_eq!(rig.prompt("alice", "stall").await.ok()["stop_reason"], "limit_duration");
    rig.prompt("alice", "again").await.ok();
}
