//! Real answers of OpenAI, OpenRouter, Groq, DeepSeek and xAI, over loopback and in random pieces. `STRANDS_SHARED` names
//! the folder with the recordings; without it nothing is checked here: `answers.rs` covers the same ground with answers of
//! our own making.
#![cfg(feature = "openai")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "what fails here fails the test"
)]

mod loopback;

use std::sync::Arc;

use loopback::{ask, events, kind, text, thoughts, together};
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus};
use strands_core::model::{BlockDelta, Model, ModelRequest, StreamEvent};
use strands_models::{OpenAiModel, OpenAiResponsesModel, ReasoningReplay};
use strands_testkit::openai::{Call, Expectation};
use strands_testkit::recording::Exchange;
use strands_testkit::{Response, Server, Splits, recordings};

#[tokio::test]
async fn openai_means_what_it_says() {
    replay("openai", 190).await;
}

#[tokio::test]
async fn openrouter_means_what_it_says() {
    replay("openrouter", 140).await;
}

#[tokio::test]
async fn groq_means_what_it_says() {
    replay("groq", 20).await;
}

#[tokio::test]
async fn deepseek_means_what_it_says() {
    replay("deepseek", 90).await;
}

#[tokio::test]
async fn xai_means_what_it_says() {
    replay("xai", 40).await;
}

async fn replay(provider: &str, at_least: usize) {
    let Some(recordings) = recordings(provider) else {
        return;
    };
    let mut answers = 0;
    for (seed, recording) in recordings.iter().enumerate() {
        let splits = Splits::Random { seed: seed as u64, max: 97 };
        let pieces = recording.exchanges.iter().map(|exchange| Response::from(exchange).splits(splits.clone()));
        let server = Server::sequence(pieces).await;
        for (at, exchange) in recording.exchanges.iter().enumerate() {
            let name = format!("{}, exchange {at}", recording.name);
            let model = model(provider, exchange, &server.url());
            let messages = ask("hello");
            let (events, error) = events(&*model, ModelRequest::new(&messages)).await;
            assert_eq!(server.requests().last().unwrap().path, exchange.request.path, "{name}");
            let expected = Expectation::of(exchange);
            match (error, &expected.error) {
                (None, None) => {
                    check(&name, &events, &expected);
                    follow_up(&name, provider, exchange, &events, &expected).await;
                }
                (Some(error), Some(refusal)) => {
                    assert_eq!(error.details().status(), Some(refusal.status), "{name}");
                    assert_eq!(error.details().code(), Some(refusal.code.as_str()), "{name}");
                    assert!(error.details().body().unwrap().contains(&refusal.message), "{name}");
                    let expected = if refusal.status == 401 { "authentication" } else { "invalid request" };
                    assert_eq!(kind(&error), expected, "{name}: {error:?}");
                }
                (error, expected) => panic!("{name}: {error:?} instead of {expected:?}"),
            }
            answers += 1;
        }
    }
    assert!(answers >= at_least, "{provider}: only {answers}");
}

fn model(provider: &str, exchange: &Exchange, url: &str) -> Arc<dyn Model> {
    let path = &exchange.request.path;
    let streaming = exchange.request.body["stream"] == true;
    let id = exchange.request.body["model"].as_str().unwrap_or("gpt-4o");
    if let Some(base) = path.strip_suffix("/responses") {
        let builder = OpenAiResponsesModel::builder().base_url(format!("{url}{base}")).api_key("test-key");
        return Arc::new(builder.model_id(id).streaming(streaming).build().unwrap());
    }
    let base = path.strip_suffix("/chat/completions").unwrap();
    let replay = match provider {
        "deepseek" => ReasoningReplay::Content,
        "openrouter" => ReasoningReplay::Details,
        _ => ReasoningReplay::Never,
    };
    let builder = OpenAiModel::builder().base_url(format!("{url}{base}")).api_key("test-key").reasoning_replay(replay);
    Arc::new(builder.model_id(id).streaming(streaming).build().unwrap())
}

fn check(name: &str, events: &[StreamEvent], expected: &Expectation) {
    assert_eq!(text(events), expected.text, "{name}");
    assert_eq!(thoughts(events), expected.thoughts, "{name}");
    assert_eq!(calls(events), expected.calls, "{name}");
    let turn = together(events).unwrap();
    assert_eq!(Some(turn.stop_reason.as_str()), expected.stop_reason, "{name}");
    if turn.stop_reason.as_str() == "tool_use" {
        let inputs: Vec<_> = turn.message.tool_uses().map(|call| call.input.clone()).collect();
        assert_eq!(inputs, expected.calls.iter().map(Call::input).collect::<Vec<_>>(), "{name}");
    }
    let raw = expected.usage.clone().unwrap_or_default();
    assert_eq!(turn.response_fields.unwrap_or_default()["usage"], raw, "{name}");
    let count = |names: [&str; 2]| names.iter().find_map(|name| raw[*name].as_u64()).unwrap();
    let usage = turn.usage;
    let cached = usage.cache_read_input_tokens.unwrap_or_default() + usage.cache_write_input_tokens.unwrap_or_default();
    assert_eq!(usage.input_tokens + cached, count(["prompt_tokens", "input_tokens"]), "{name}");
    assert_eq!(usage.output_tokens, count(["completion_tokens", "output_tokens"]), "{name}");
    assert_eq!(Some(usage.total_tokens), raw["total_tokens"].as_u64(), "{name}");
    let details = ["prompt_tokens_details", "input_tokens_details"].map(|name| raw[name]["cached_tokens"].as_u64());
    let read = details[0].or(details[1]);
    assert_eq!(usage.cache_read_input_tokens.unwrap_or_default(), read.unwrap_or_default(), "{name}");
}

/// The calls in these events, also those that are not run because the answer was cut.
fn calls(events: &[StreamEvent]) -> Vec<Call> {
    let mut calls: Vec<(usize, Call)> = Vec::new();
    for event in events {
        match event {
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                let start = start.tool_use.as_ref().unwrap();
                let (name, id) = (start.name.clone(), start.tool_use_id.clone());
                calls.push((*content_block_index, Call { name, id, arguments: String::new() }));
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta: BlockDelta::ToolUse(piece) } => {
                let (_, call) = calls.iter_mut().find(|(index, _)| index == content_block_index).unwrap();
                call.arguments += &piece.input;
            }
            _ => {}
        }
    }
    calls.into_iter().map(|(_, call)| call).collect()
}

/// The next request carries what the provider needs: the calls as it made them, their results in order, its thoughts.
async fn follow_up(name: &str, provider: &str, exchange: &Exchange, events: &[StreamEvent], expected: &Expectation) {
    let turn = together(events).unwrap();
    if turn.stop_reason.as_str() != "tool_use" {
        return;
    }
    let results: Vec<ContentBlock> = turn
        .message
        .tool_uses()
        .map(|call| ToolResult::new(&call.tool_use_id, ToolResultStatus::Success, ["done"]).into())
        .collect();
    let history = [Message::user("hello"), turn.message, Message::new(Role::User, results)].map(Arc::new);
    let server = Server::repeat(Response::new(500)).await;
    let model = model(provider, exchange, &server.url());
    assert!(model.stream(ModelRequest::new(&history)).await.is_err());
    let sent = server.requests()[0].json();
    let ids: Vec<_> = expected.calls.iter().map(|call| call.id.as_str()).collect();
    let called = |call: &Value, function: &Value| {
        let arguments = serde_json::from_str::<Value>(function["arguments"].as_str().unwrap()).unwrap();
        (call.as_str().unwrap().to_owned(), function["name"].as_str().unwrap().to_owned(), arguments)
    };
    // Arguments that were cut off are no JSON, and no server takes them back.
    let input = |call: &Call| if call.input().is_object() { call.input() } else { json!({}) };
    let expected_calls: Vec<_> =
        expected.calls.iter().map(|call| (call.id.clone(), call.name.clone(), input(call))).collect();
    if let Some(input) = sent["input"].as_array() {
        let items: Vec<_> = input.iter().filter(|item| item["type"] == "function_call").collect();
        let sent_calls: Vec<_> = items.iter().map(|item| called(&item["call_id"], item)).collect();
        assert_eq!(sent_calls, expected_calls, "{name}");
        let outputs: Vec<_> = input.iter().filter(|item| item["type"] == "function_call_output").collect();
        assert_eq!(outputs.iter().map(|item| item["call_id"].as_str().unwrap()).collect::<Vec<_>>(), ids, "{name}");
        let kept: Vec<_> = input.iter().filter(|item| item["type"] == "reasoning").collect();
        assert_eq!(kept.len(), expected.kept.len(), "{name}");
        for (sent, kept) in kept.iter().zip(&expected.kept) {
            for field in ["id", "encrypted_content", "summary"] {
                assert_eq!(sent[field], kept[field], "{name}");
            }
        }
        return;
    }
    let messages = sent["messages"].as_array().unwrap();
    let said = &messages[1];
    let sent_calls: Vec<_> =
        said["tool_calls"].as_array().unwrap().iter().map(|call| called(&call["id"], &call["function"])).collect();
    assert_eq!(sent_calls, expected_calls, "{name}");
    let answered: Vec<_> = messages[2..].iter().map(|said| said["tool_call_id"].as_str().unwrap()).collect();
    assert_eq!(answered, ids, "{name}");
    match provider {
        "deepseek" => assert_eq!(said["reasoning_content"].as_str().unwrap_or_default(), expected.thoughts, "{name}"),
        "openrouter" => {
            let details = said["reasoning_details"].as_array().cloned().unwrap_or_default();
            assert_eq!(details, expected.kept, "{name}");
        }
        _ => assert!(said.get("reasoning_content").is_none(), "{name}"),
    }
}
