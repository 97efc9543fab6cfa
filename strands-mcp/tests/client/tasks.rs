//! Long-running tasks: polled, cancelled, and continued by their id.

use std::time::Duration;

use strands_core::serde_json::json;
use strands_mcp::{McpClient, McpError, SubmittedCall, TaskState};

use crate::server::{Age, Server};
use crate::{agent, calling, client, soon, text};

#[tokio::test]
async fn an_agent_waits_for_a_task() {
    let server = Server::start(Age::Stateless).await;
    let mut agent = agent(&client(&server), &calling(&["work"])).build().await.unwrap();
    server.state.release.notify_one();
    agent.prompt("go").await.unwrap();
    let result = agent.messages().iter().flat_map(|message| message.tool_results()).next().cloned().unwrap();
    assert!(format!("{:?}", result.content).contains("task done"), "{result:?}");
}

#[tokio::test]
async fn a_submitted_task_is_continued_by_another_client() {
    let server = Server::start(Age::Stateless).await;
    let SubmittedCall::Task(task) = client(&server).submit("work", json!({})).await.unwrap() else { panic!() };
    let task = client(&server).task(task.id());
    assert!(matches!(task.state().await.unwrap(), TaskState::Working(_)));
    server.state.release.notify_one();
    assert_eq!(text(&task.wait().await.unwrap()), "task done");
    assert!(matches!(task.state().await.unwrap(), TaskState::Completed(_)));
}

#[tokio::test]
async fn a_program_cancels_a_task() {
    let server = Server::start(Age::Stateless).await;
    let SubmittedCall::Task(task) = client(&server).submit("work", json!({})).await.unwrap() else { panic!() };
    server.state.started.notified().await;
    task.cancel().await.unwrap();
    soon(server.state.cancelled.notified()).await;
}

#[tokio::test]
async fn a_task_is_cancelled_after_its_timeout() {
    let server = Server::start(Age::Stateless).await;
    let patient = McpClient::http(server.url()).task_timeout(Duration::from_millis(200)).build().unwrap();
    let error = patient.call_tool("work", json!({})).await.unwrap_err();
    assert!(matches!(error, McpError::Timeout { .. }), "{error:?}");
    soon(server.state.cancelled.notified()).await;
}

#[tokio::test]
async fn the_task_of_an_abandoned_call_is_cancelled() {
    let server = Server::start(Age::Stateless).await;
    let waiting = tokio::spawn({
        let client = client(&server);
        async move { client.call_tool("work", json!({})).await }
    });
    server.state.started.notified().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    waiting.abort();
    soon(server.state.cancelled.notified()).await;
}

#[tokio::test]
async fn the_task_of_an_abandoned_call_is_cancelled_after_a_restart() {
    let mut server = Server::start(Age::Stateless).await;
    let waiting = tokio::spawn({
        let client = client(&server);
        async move { client.call_tool("work", json!({})).await }
    });
    server.state.started.notified().await;
    server.restart().await;
    // It is polled each second at most.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    waiting.abort();
    soon(server.state.cancelled.notified()).await;
}
