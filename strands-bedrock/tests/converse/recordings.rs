//! Recorded responses of Bedrock, read through the real AWS client. `STRANDS_SHARED` names the folder with the recordings.
//! Without it, the tests print a note and check nothing; `responses.rs` covers the same behavior without recordings.

use crate::loopback::{ask, builder, kind, turn};
use serde_json::Value;
use strands_core::message::ContentBlock;
use strands_core::models::{ModelError, ModelRequest, Turn};
use strands_testkit::bedrock::{Block, Expectation};
use strands_testkit::recording::Exchange;
use strands_testkit::{Server, recordings};

#[tokio::test]
async fn reads_recorded_responses() {
    let Some(recordings) = recordings("bedrock") else {
        return;
    };
    let mut responses = 0;
    for recording in &recordings {
        let server = Server::replay(recording).await;
        for (at, exchange) in recording.exchanges.iter().enumerate() {
            let name = format!("{}, exchange {at}", recording.name);
            let model = builder(&server.url())
                .model_id(model_id(exchange))
                .streaming(exchange.request.path.ends_with("converse-stream"))
                .build()
                .await
                .unwrap();
            let messages = ask("hello");
            let outcome = turn(&model, ModelRequest::new(&messages)).await;
            assert_eq!(server.requests().last().unwrap().path, exchange.request.path, "{name}");
            check(&name, outcome, &Expectation::of(exchange));
            responses += 1;
        }
    }
    assert!(responses >= recordings.len());
}

fn model_id(exchange: &Exchange) -> String {
    let id = exchange.request.path.split('/').nth(2).unwrap();
    id.replace("%3A", ":").replace("%2F", "/")
}

fn check(name: &str, outcome: Result<Turn, ModelError>, expected: &Expectation) {
    let turn = match (outcome, &expected.error) {
        (Ok(turn), None) => turn,
        (Err(error), Some(refusal)) => {
            assert_eq!(error.details().status(), refusal.status, "{name}");
            let body = error.details().body().unwrap_or_default();
            assert!(body.contains(&refusal.message), "{name}: {body}");
            assert_eq!(kind(&error), "invalid request", "{name}: {error:?}");
            return;
        }
        (outcome, expected) => panic!("{name}: {outcome:?} instead of {expected:?}"),
    };
    assert_eq!(Some(turn.stop_reason.as_str()), expected.stop_reason.as_deref(), "{name}");
    let usage = expected.usage.unwrap();
    assert_eq!(turn.usage.input_tokens, usage.input, "{name}");
    assert_eq!(turn.usage.output_tokens, usage.output, "{name}");
    assert_eq!(turn.usage.total_tokens, usage.total, "{name}");
    assert_eq!(turn.usage.cache_read_input_tokens, usage.cache_read, "{name}");
    assert_eq!(turn.usage.cache_write_input_tokens, usage.cache_write, "{name}");
    assert_eq!(Some(turn.metrics.latency_ms), expected.latency_ms, "{name}");
    let blocks: Vec<_> = expected
        .blocks
        .iter()
        // Empty text blocks are not part of the message.
        .filter(|block| !matches!(block, Block::Text(text) if text.is_empty()))
        .collect();
    assert_eq!(turn.message.content.len(), blocks.len(), "{name}: {turn:?}");
    for (actual, expected) in turn.message.content.iter().zip(blocks) {
        match (actual, expected) {
            (ContentBlock::Text(text), Block::Text(expected)) => {
                assert_eq!(&text.text, expected, "{name}");
            }
            (ContentBlock::Reasoning(actual), Block::Reasoning { text, signature }) => {
                let reasoning = actual.reasoning_text.as_ref().unwrap();
                assert_eq!((&reasoning.text, &reasoning.signature), (text, signature), "{name}");
            }
            (ContentBlock::ToolUse(call), Block::ToolUse(expected)) => {
                assert_eq!(call.name, expected.name, "{name}");
                assert_eq!(call.tool_use_id, expected.id, "{name}");
                let input = expected.input.clone().unwrap_or(Value::Null);
                assert_eq!(call.input, input, "{name}");
            }
            (actual, expected) => panic!("{name}: {actual:?} instead of {expected:?}"),
        }
    }
}
