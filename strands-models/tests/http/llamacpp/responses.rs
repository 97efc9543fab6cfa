//! Responses of llama.cpp's server that differ from those of other servers.

use futures_util::StreamExt as _;
use serde_json::json;
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::models::{BlockDelta, ModelRequest, StreamEvent};
use strands_testkit::provider::ask;
use strands_testkit::{Gate, Response, Server};

use super::{counted, plain};
use crate::chat_completions::{delta, finish, read_turn, stream};

#[tokio::test]
async fn reads_reasoning_and_timings() {
    let turn = read_turn(
        plain,
        &[delta(&json!({"reasoning_content": "hm"})), delta(&json!({"content": "42"})), finish("stop"), counted()],
    )
    .await;
    let thought = ContentBlock::Reasoning(ReasoningContent::text("hm", None));
    assert_eq!(turn.message.content, [thought, ContentBlock::text("42")]);
    assert_eq!(turn.usage, Usage::new(10, 5));
    let metadata = turn.message.metadata.unwrap();
    assert_eq!(metadata.provider.as_deref(), Some("llamacpp"));
    assert_eq!(metadata.provider_usage.unwrap()["timings"]["cache_n"], 3);
}

#[tokio::test]
async fn streams_text_before_the_response_ends() {
    let gate = Gate::new();
    let body = stream(&[delta(&json!({"content": "first"})), delta(&json!({"content": "second"})), finish("stop")]);
    let held = body.windows(6).position(|window| window == b"second").unwrap();
    let server = Server::repeat(Response::sse(body).hold_at(held, &gate)).await;
    let messages = ask("hi");
    let model = plain(&server.url());
    let mut events = model.stream(ModelRequest::new(&messages)).await.unwrap();
    loop {
        let event = events.next().await.unwrap().unwrap();
        if let StreamEvent::ContentBlockDelta { delta: BlockDelta::Text(text), .. } = event {
            assert_eq!(text, "first");
            break;
        }
    }
    gate.open();
    assert!(events.all(|event| async move { event.is_ok() }).await);
}
