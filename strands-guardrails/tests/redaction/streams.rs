//! Hold-back of streamed text.

use std::future::IntoFuture;
use std::time::Duration;

use strands_core::guardrails::GuardrailHook;
use strands_core::models::{StopReason, StreamEvent};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, CancellationToken, StreamExt};
use strands_guardrails::PiiRedactor;

use crate::properties::run;

async fn agent(turn: ScriptedTurn) -> Agent {
    let model = ScriptedModel::new([turn, ScriptedTurn::text("second")]);
    Agent::builder().model(model).hook(GuardrailHook::new(PiiRedactor::new())).build().await.unwrap()
}

fn events(chunks: &[&str]) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::start()];
    events.extend(chunks.iter().map(|chunk| StreamEvent::text(0, *chunk)));
    events.extend([StreamEvent::block_stop(0), StreamEvent::stop(StopReason::EndTurn)]);
    events
}

#[test]
fn prose_is_held_back_by_one_word() {
    run(async {
        // The response stalls before its end.
        let turn = ScriptedTurn::events(events(&["It is sun", "ny in Os", "lo today"])).stalling_after(4);
        let mut agent = agent(turn).await;
        let mut stream = agent.prompt("go").stream();
        let mut text = String::new();
        let reading = async {
            while let Some(event) = stream.next().await {
                if let AgentEvent::TextDelta { text: delta } = event.unwrap() {
                    text.push_str(&delta);
                }
            }
        };
        _ = tokio::time::timeout(Duration::from_millis(50), reading).await;
        assert_eq!(text, "It is sunny in Oslo ");
    });
}

#[test]
fn a_run_without_an_end_is_held_back_by_the_window() {
    run(async {
        let long = "a".repeat(10_000);
        let turn = ScriptedTurn::events(events(&[&long])).stalling_after(2);
        let mut agent = agent(turn).await;
        let mut stream = agent.prompt("go").stream();
        let mut released = 0;
        let reading = async {
            while let Some(event) = stream.next().await {
                if let AgentEvent::TextDelta { text } = event.unwrap() {
                    released += text.len();
                }
            }
        };
        _ = tokio::time::timeout(Duration::from_millis(50), reading).await;
        assert!((9_000..10_000).contains(&released), "{released}");
    });
}

#[test]
fn cancelling_drops_the_text_that_is_held_back() {
    run(async {
        let turn = ScriptedTurn::events(events(&["It is for ada@exam", "ple.org"])).stalling_after(3);
        let mut agent = agent(turn).await;
        let token = CancellationToken::new();
        let cancel = token.clone();
        let (response, ()) = tokio::join!(agent.prompt("go").cancel_with(token).into_future(), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            cancel.cancel();
        });
        let response = response.unwrap();
        assert_eq!(response.stop_reason, StopReason::Cancelled);
        assert_eq!(response.text(), "It is for ");
        assert_eq!(agent.prompt("again").await.unwrap().text(), "second");
    });
}

#[test]
fn dropping_the_stream_drops_the_text_that_is_held_back() {
    run(async {
        let turn = ScriptedTurn::events(events(&["For ada@exam", "ple.org"])).stalling_after(3);
        let mut agent = agent(turn).await;
        let mut stream = agent.prompt("go").stream();
        let reading = async { while stream.next().await.is_some() {} };
        _ = tokio::time::timeout(Duration::from_millis(20), reading).await;
        drop(stream);
        let stored = serde_json::to_string(agent.messages()).unwrap();
        assert!(!stored.contains("ada@"), "{stored}");
        assert_eq!(agent.prompt("again").await.unwrap().text(), "second");
    });
}
