//! Responses beyond the recordings: paused ones, and the provider's token count.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strands_core::message::ContentBlock;
use strands_core::models::{Model, ModelError, ModelRequest, StopReason, StreamEvent};
use strands_models::AnthropicModel;
use strands_testkit::provider::{Provider, ask, events, text as text_of, together, turn};
use strands_testkit::{Response, Server};

use super::{Anthropic, block, end, message_start, model, sse, stream, text};

fn searching(server: &str) -> AnthropicModel {
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    model(server).server_tool(search).build().unwrap()
}

fn call(index: usize, id: &str) -> Vec<Value> {
    let begin = json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {}});
    let pieces = ["{\"query\":", "\"x\"}"].map(|json| json!({"type": "input_json_delta", "partial_json": json}));
    block(index, begin, pieces)
}

fn thought() -> Vec<Value> {
    let pieces =
        [json!({"type": "thinking_delta", "thinking": "hm"}), json!({"type": "signature_delta", "signature": "s"})];
    block(0, json!({"type": "thinking", "thinking": "", "signature": ""}), pieces)
}

#[tokio::test]
async fn joins_a_paused_response() {
    let mut first = vec![message_start()];
    first.extend([thought(), text(1, "Looking."), call(2, "srvtoolu_1")].into_iter().flatten());
    let delta = json!({"stop_reason": "pause_turn", "container": {"id": "c-1", "expires_at": "2026-01-01T00:00:00Z"}});
    let raw = json!({"output_tokens": 5, "server_tool_use": {"web_search_requests": 1}});
    first.extend([json!({"type": "message_delta", "delta": delta, "usage": raw}), json!({"type": "message_stop"})]);
    let second = stream([call(0, "srvtoolu_2")], "pause_turn");
    let third = stream([text(0, "It is so.")], "end_turn");
    let server = Server::sequence([sse(&first), second, third].map(Response::sse)).await;
    let messages = ask("Is it so?");
    let (events, error) = events(&searching(&server.url()), ModelRequest::new(&messages)).await;
    assert!(error.is_none(), "{error:?}");

    // One beginning, one end, and the blocks one after the other.
    let starts = events.iter().filter(|event| matches!(event, StreamEvent::MessageStart { .. })).count();
    let stops: Vec<_> = events.iter().filter(|event| matches!(event, StreamEvent::MessageStop { .. })).collect();
    assert_eq!((starts, stops.len()), (1, 1));
    let ended = events.iter().filter_map(|event| match event {
        StreamEvent::ContentBlockStop { content_block_index: at } => Some(*at),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(text_of(&events), "Looking.It is so.");
    let turn = together(&events).unwrap();
    assert_eq!(turn.stop_reason, StopReason::EndTurn);
    assert_eq!((turn.usage.input_tokens, turn.usage.output_tokens, turn.usage.total_tokens), (30, 15, 45));
    let raw = turn.message.metadata.unwrap().provider_usage.unwrap();
    assert_eq!(raw, json!({"input_tokens": 30, "output_tokens": 15, "server_tool_use": {"web_search_requests": 1}}));

    // Each request is the previous one with the new content.
    let sent: Vec<_> = server.requests().iter().map(strands_testkit::Request::json).collect();
    let own = |id: &str| json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "x"}});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let said = json!({"type": "text", "text": "Looking."});
    assert_eq!(sent[1]["messages"][1], json!({"role": "assistant", "content": [thought, said, own("srvtoolu_1")]}));
    assert_eq!(sent[1]["container"], "c-1");
    let both = json!([thought, said, own("srvtoolu_1"), own("srvtoolu_2")]);
    assert_eq!(sent[2]["messages"][1]["content"], both);
    for request in &sent[1..] {
        assert_eq!(request["messages"][0], sent[0]["messages"][0]);
        assert_eq!(request["tools"], sent[0]["tools"]);
    }
}

#[tokio::test]
async fn stops_after_ten_continuations() {
    let server = Server::repeat(Response::sse(stream([call(0, "srvtoolu_1")], "pause_turn"))).await;
    let messages = ask("Is it so?");
    let turn = turn(&searching(&server.url()), ModelRequest::new(&messages)).await.unwrap();
    assert_eq!(turn.stop_reason.as_str(), "pause_turn");
    assert_eq!(turn.message.content.len(), 11);
    assert!(turn.message.content.iter().all(|block| matches!(block, ContentBlock::Provider(_))));
    assert_eq!(server.requests().len(), 11);
    assert_eq!(turn.usage.output_tokens, 55);
}

#[tokio::test]
async fn does_not_continue_an_empty_part() {
    let server = Server::repeat(Response::sse(stream([], "pause_turn"))).await;
    let messages = ask("Is it so?");
    let turn = turn(&searching(&server.url()), ModelRequest::new(&messages)).await.unwrap();
    assert_eq!((turn.stop_reason.as_str(), server.requests().len()), ("pause_turn", 1));
}

#[tokio::test]
async fn reports_failed_continuations_and_stops_dropped_ones() {
    let paused = || Response::sse(stream([text(0, "Looking.")], "pause_turn"));
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let server = Server::sequence([paused(), Response::json(529, &overloaded)]).await;
    let messages = ask("Is it so?");
    let (heard, error) = events(&searching(&server.url()), ModelRequest::new(&messages)).await;
    assert_eq!(text_of(&heard), "Looking.");
    assert!(matches!(error, Some(ModelError::Overloaded { .. })), "{error:?}");

    let server = Server::sequence([paused(), Response::new(200).stall_head()]).await;
    let mut events = searching(&server.url()).stream(ModelRequest::new(&messages)).await.unwrap();
    tokio::select! {
        () = async { while events.next().await.is_some() {} } => panic!("it ended"),
        () = server.stalled() => {}
    }
    drop(events);
    server.client_gone().await;
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn does_not_continue_without_server_tools() {
    let server = Server::repeat(Response::sse(stream([text(0, "Looking.")], "pause_turn"))).await;
    let messages = ask("Is it so?");
    let turn = turn(&model(&server.url()).build().unwrap(), ModelRequest::new(&messages)).await.unwrap();
    assert_eq!((turn.stop_reason.as_str(), server.requests().len()), ("pause_turn", 1));
}

#[tokio::test]
async fn continues_responses_without_streaming() {
    let paused = json!({"content": [{"type": "text", "text": "Looking."}], "stop_reason": "pause_turn", "usage": {"output_tokens": 2}});
    let fine = json!({"content": [{"type": "text", "text": " Found."}], "stop_reason": "end_turn", "usage": {"output_tokens": 3}});
    let server = Server::sequence([Response::json(200, &paused), Response::json(200, &fine)]).await;
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let model = model(&server.url()).streaming(false).server_tool(search).build().unwrap();
    let messages = ask("Is it so?");
    let turn = turn(&model, ModelRequest::new(&messages)).await.unwrap();
    assert_eq!(turn.message.text(), "Looking.\n Found.");
    assert_eq!(turn.usage.output_tokens, 5);
}

#[tokio::test]
async fn counts_tokens_with_the_provider_if_enabled() {
    let server = Server::repeat(Response::json(200, &json!({"input_tokens": 2095}))).await;
    let builder = model(&server.url()).temperature(0.5).extra("service_tier", "auto").max_tokens(9);
    let (estimating, counting) = (builder.clone().build().unwrap(), builder.native_token_count(true).build().unwrap());
    let messages = ask("How long is this?");
    assert_ne!(estimating.count_tokens(ModelRequest::new(&messages)).await.unwrap(), 2095);
    assert!(server.requests().is_empty());
    assert_eq!(counting.count_tokens(ModelRequest::new(&messages)).await.unwrap(), 2095);
    let sent = server.requests().remove(0);
    assert_eq!(sent.path, "/v1/messages/count_tokens");
    let fields: Vec<_> = sent.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["model", "messages"], "others are refused");

    let server = Server::repeat(Anthropic.refusals()[5].response()).await;
    let counting = model(&server.url()).native_token_count(true).build().unwrap();
    let error = counting.count_tokens(ModelRequest::new(&messages)).await.unwrap_err();
    assert!(matches!(error, ModelError::Authentication { .. }), "{error:?}");
}

#[tokio::test]
async fn reports_the_stop_sequence() {
    let delta = json!({"stop_reason": "stop_sequence", "stop_sequence": "END"});
    let [_, stop] = end("stop_sequence");
    let events = [message_start(), json!({"type": "message_delta", "delta": delta, "usage": {}}), stop];
    let server = Server::repeat(Response::sse(sse(&events))).await;
    let messages = ask("Count.");
    let turn = turn(&model(&server.url()).build().unwrap(), ModelRequest::new(&messages)).await.unwrap();
    assert_eq!(turn.stop_reason, StopReason::StopSequence);
    assert_eq!(turn.response_fields, Some(json!({"stop_sequence": "END"})));
}
