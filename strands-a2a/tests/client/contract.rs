//! The contract of promptables.

use strands::PromptRequest;
use strands::testing::contract::check_promptable;

use crate::peer::{COMPLETED, INPUT_REQUIRED, Peer, WORKING, chunk, ended, status, task, whole_task};

#[tokio::test]
async fn keeps_the_contract() {
    let peer = Peer::new(|call| match call.method.as_str() {
        "SendStreamingMessage" => call.stream(&[
            task("TASK_STATE_SUBMITTED"),
            status(WORKING, "on it"),
            chunk("Hel", false),
            chunk("lo", true),
            ended(COMPLETED),
        ]),
        _ => call.result(whole_task("TASK_STATE_CANCELED", &[])),
    });
    let peer = peer.await;
    check_promptable(&peer.agent().await, || PromptRequest::new("hi")).await.unwrap();
}

#[tokio::test]
async fn keeps_the_contract_with_questions() {
    let peer = Peer::new(|call| call.stream(&[task(WORKING), status(INPUT_REQUIRED, "which?")])).await;
    check_promptable(&peer.agent().await, || PromptRequest::new("hi")).await.unwrap();
}
