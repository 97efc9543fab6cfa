//! Remote agents as tools of an agent.

use strands::a2a::A2aAgent;
use strands::models::StopReason;
use strands::serde_json::{self, json};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, Prompt, Snapshot, tools};

use crate::peer::{COMPLETED, INPUT_REQUIRED, Peer, WORKING, chunk, ended, status, task};

fn outer(remote: &A2aAgent) -> AgentBuilder {
    let model =
        ScriptedModel::new([ScriptedTurn::tool_use("Peer", json!({"input": "Book it."})), ScriptedTurn::text("Done.")]);
    Agent::builder().agent_id("outer").model(model).tools(tools![remote.clone()])
}

#[tokio::test]
async fn a_remote_agent_is_a_tool() {
    let peer = Peer::new(|call| call.stream(&[task(WORKING), chunk("Booked.", false), ended(COMPLETED)])).await;
    let mut agent = outer(&peer.agent().await).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "Done.");
    let result = agent.messages()[2].tool_results().next().unwrap().clone();
    assert_eq!(result.content, ["Booked.".into()]);
    assert_eq!(peer.calls()[0].json()["params"]["message"]["parts"], json!([{"text": "Book it."}]));
}

/// The question of a remote agent reaches the caller of the outer one, and is resumed after a restart.
#[tokio::test]
async fn a_question_passes_through_the_outer_agent() {
    let peer = Peer::new(|call| match call.params["message"]["taskId"].as_str() {
        None => call.stream(&[task(WORKING), status(INPUT_REQUIRED, "Which seat?")]),
        Some(_) => {
            let seat = call.params["message"]["parts"][0]["text"].as_str().unwrap().to_owned();
            call.stream(&[task(WORKING), chunk(&format!("Seat {seat}."), false), ended(COMPLETED)])
        }
    });
    let peer = peer.await;
    let mut agent = outer(&peer.agent().await).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    assert_eq!(response.interrupts[0].reason, json!("Which seat?"));
    let snapshot = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();

    let snapshot: Snapshot = serde_json::from_str(&snapshot).unwrap();
    let model = ScriptedModel::new([ScriptedTurn::text("Done.")]);
    let remote = peer.agent().await;
    let mut agent = Agent::builder().agent_id("outer").model(model).tools(tools![remote]).build().await.unwrap();
    agent.restore(snapshot).unwrap();
    let resumed = agent.prompt(Prompt::none()).resume([response.interrupts[0].respond("12A")]).await.unwrap();
    assert_eq!(resumed.text(), "Done.");
    let result = agent.messages()[2].tool_results().next().unwrap().clone();
    assert_eq!(result.content, ["Seat 12A.".into()]);
}
