//! Media that a model generates: streamed as an event, part of the response, stored, and part of a cancelled turn.

use strands_core::message::{ContentBlock, ImageBlock, ImageFormat};
use strands_core::models::{BlockDelta, ModelError, StopReason, StreamEvent};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentEvent, CancellationToken, StreamExt};

fn image() -> ContentBlock {
    ImageBlock::new(ImageFormat::Png, vec![0x89, 0x50]).into()
}

fn drawing() -> Vec<StreamEvent> {
    vec![
        StreamEvent::start_from("painter"),
        StreamEvent::text(0, "Here."),
        StreamEvent::block_stop(0),
        StreamEvent::media(1, image()),
        StreamEvent::block_stop(1),
        StreamEvent::stop(StopReason::EndTurn),
    ]
}

#[tokio::test]
async fn a_generated_image_is_streamed_persisted_and_sent_again() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::new([ScriptedTurn::events(drawing()), ScriptedTurn::text("Bigger.")]);
    let builder = || Agent::builder().session_manager(sessions.clone());
    let mut agent = builder().model(model.clone()).build().await.unwrap();
    let mut stream = agent.prompt("Draw.").stream();
    let mut media = Vec::new();
    while let Some(event) = stream.next().await {
        if let AgentEvent::Media { content } = event.unwrap() {
            media.push(*content);
        }
    }
    drop(stream);
    assert_eq!(media, [image()]);
    let expected = [ContentBlock::text("Here."), image()];
    assert_eq!(agent.messages()[1].content, expected);
    assert_eq!(sessions.messages("default")[1].content, expected);

    let mut restored = builder().model(model.clone()).build().await.unwrap();
    restored.prompt("Bigger.").await.unwrap();
    assert_eq!(model.requests()[1].messages[1].content, expected);
}

#[tokio::test]
async fn an_image_stays_when_the_response_is_cancelled() {
    let model = ScriptedModel::new([ScriptedTurn::events(drawing()).stalling_after(5)]);
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    let token = CancellationToken::new();
    let mut stream = agent.prompt("Draw.").cancel_with(token.clone()).stream();
    while let Some(event) = stream.next().await {
        if let AgentEvent::Media { .. } = event.unwrap() {
            token.cancel();
        }
    }
    drop(stream);
    assert_eq!(agent.messages()[1].content, [ContentBlock::text("Here."), image()]);
}

#[tokio::test]
async fn only_media_blocks_are_media_events_and_their_size_is_bounded() {
    let call = ContentBlock::ToolUse(strands_core::message::ToolUse::new("a", "look", serde_json::json!({})));
    let events = [StreamEvent::start(), StreamEvent::media(0, call)];
    let mut agent = Agent::builder().model(ScriptedModel::new([ScriptedTurn::events(events)])).build().await.unwrap();
    let AgentError::Model { source, .. } = agent.prompt("Draw.").await.unwrap_err() else { panic!("no error") };
    assert!(matches!(source, ModelError::Protocol { .. }), "{source:?}");

    let large = ImageBlock::new(ImageFormat::Png, vec![0; 4096]);
    let model = ScriptedModel::new([ScriptedTurn::events([StreamEvent::start(), StreamEvent::media(0, large)])]);
    let mut agent = Agent::builder().model(model).max_response_bytes(2048).build().await.unwrap();
    let AgentError::Model { source, .. } = agent.prompt("Draw.").await.unwrap_err() else { panic!("no error") };
    assert!(matches!(source, ModelError::ResponseTooLarge { .. }), "{source:?}");
}

#[test]
fn media_round_trip_through_a_recording() {
    let event = StreamEvent::media(3, image());
    let json = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<StreamEvent>(&json).unwrap(), event);
    assert!(matches!(event, StreamEvent::ContentBlockDelta { delta: BlockDelta::Media(_), .. }));
}
