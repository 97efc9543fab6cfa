//! `GET /ping`, tasks, and debug actions.

use std::convert::Infallible;

use http::StatusCode;
use serde_json::json;
use strands_core::Agent;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_serve::Disconnect;
use strands_serve::agentcore::{AgentCoreHost, AsyncTasks, ForcedPing, PingStatus};
use strands_serve::axum::Router;

use crate::rig::{echo, get, post, send, service, until, verifier};

fn host() -> AgentCoreHost {
    AgentCoreHost::new(service(echo()), verifier())
}

async fn status(router: &Router) -> String {
    let json = send(router, get("/ping")).await.json();
    assert!(json["time_of_last_update"].as_u64().is_some_and(|seconds| seconds > 1_700_000_000), "{json}");
    json["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tasks_are_busy_until_their_guards_are_dropped() {
    let tasks = AsyncTasks::new();
    let router = host().async_tasks(tasks.clone()).into_router();
    assert_eq!(status(&router).await, "Healthy");
    let (first, second) = (tasks.add("report"), tasks.add("index"));
    assert_eq!(status(&router).await, "HealthyBusy");
    assert!(tasks.complete(first.id()));
    assert!(!tasks.complete(first.id()));
    drop(first);
    assert_eq!(tasks.running().len(), 1);
    assert_eq!(status(&router).await, "HealthyBusy");
    let panicking = tokio::spawn(async move {
        let _task = second;
        panic!("expected");
    });
    panicking.await.unwrap_err();
    assert_eq!(status(&router).await, "Healthy");
}

#[tokio::test]
async fn a_forced_status_precedes_a_handler_which_precedes_tasks() {
    let (tasks, forced) = (AsyncTasks::new(), ForcedPing::new());
    let handler = async || Ok::<_, Infallible>(PingStatus::Healthy);
    let router = host().async_tasks(tasks.clone()).forced_ping(forced.clone()).ping(handler).into_router();
    let _task = tasks.add("report");
    assert_eq!(status(&router).await, "Healthy");
    forced.set(PingStatus::HealthyBusy);
    assert_eq!(status(&router).await, "HealthyBusy");
    forced.clear();
    assert_eq!(status(&router).await, "Healthy");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_is_not_healthy() {
    let forced = ForcedPing::new();
    for router in [
        host().ping(async || Err::<PingStatus, _>("the database is gone")).forced_ping(forced.clone()).into_router(),
        host().ping(async || -> Result<PingStatus, Infallible> { panic!("expected") }).into_router(),
        host().ping(std::future::pending::<Result<PingStatus, Infallible>>).into_router(),
    ] {
        let answer = send(&router, get("/ping")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.json(), json!({"error": "the ping handler failed"}));
    }
    forced.set(PingStatus::Healthy);
    let router = host().ping(async || Err::<PingStatus, _>("gone")).forced_ping(forced).into_router();
    assert_eq!(status(&router).await, "Healthy");
}

#[tokio::test]
async fn the_time_of_the_last_update_is_that_of_the_change() {
    let tasks = AsyncTasks::new();
    let router = host().async_tasks(tasks.clone()).into_router();
    let time = async || send(&router, get("/ping")).await.json()["time_of_last_update"].as_u64().unwrap();
    let first = time().await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(time().await, first);
    let _task = tasks.add("report");
    assert!(time().await > first);
}

#[tokio::test]
async fn turns_that_outlive_their_clients_are_busy() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("never complete").stalling_after(2));
    let service = service(Agent::builder().model(model));
    let router = AgentCoreHost::new(service.clone(), verifier()).disconnect(Disconnect::Finish).into_router();
    let client = tokio::spawn({
        let router = router.clone();
        async move { send(&router, post("/invocations", "alice", r#"{"prompt": "Hi"}"#)).await.status }
    });
    until(|| service.running_turns() == 1).await;
    client.abort();
    client.await.unwrap_err();
    assert_eq!(status(&router).await, "HealthyBusy");
    service.shutdown(std::time::Duration::ZERO).await;
    assert_eq!(status(&router).await, "Healthy");
}

#[tokio::test]
async fn debug_actions_are_executed_only_if_they_are_enabled() {
    let tasks = AsyncTasks::new();
    let _task = tasks.add("report");
    let router = host().async_tasks(tasks).debug_actions(true).into_router();
    let act = async |router: &Router, action: &str| {
        let body = json!({"_agent_core_app_action": action, "prompt": "Hi"}).to_string();
        send(router, post("/invocations", "alice", body)).await
    };
    assert_eq!(act(&router, "ping_status").await.json()["status"], "HealthyBusy");
    let jobs = act(&router, "job_status").await.json();
    assert_eq!((&jobs["active_count"], &jobs["running_jobs"][0]["name"]), (&json!(1), &json!("report")));
    assert!(jobs["running_jobs"][0]["duration"].is_f64(), "{jobs}");
    assert_eq!(act(&router, "force_healthy").await.json(), json!({"forced_status": "Healthy"}));
    assert_eq!(status(&router).await, "Healthy");
    assert_eq!(act(&router, "force_busy").await.json(), json!({"forced_status": "HealthyBusy"}));
    assert_eq!(act(&router, "clear_forced_status").await.json(), json!({"forced_status": "Cleared"}));
    let unknown = act(&router, "stop").await;
    assert_eq!((unknown.status, unknown.json()), (StatusCode::BAD_REQUEST, json!({"error": "Unknown action: stop"})));

    let router = host().into_router();
    assert_eq!(act(&router, "force_busy").await.json()["result"], "Hi");
    assert_eq!(status(&router).await, "Healthy");
}
