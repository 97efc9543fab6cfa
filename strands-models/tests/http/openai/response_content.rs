//! Content of responses: the cases in recordings, and those that only some servers produce.

use futures_util::StreamExt;
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::models::{BlockDelta, ModelRequest, StopReason, StreamEvent, Turn};
use strands_testkit::provider::{ask, events, text, together, turn, weather_tools};
use strands_testkit::{Gate, Response, Server};

use super::{Api, sse};

/// Returns a chunk of Chat Completions.
fn chunk(delta: &Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

/// Returns the turn read from a stream of these events.
async fn read_turn(api: Api, pieces: &[Value]) -> Turn {
    let done = if api == Api::Chat { "data: [DONE]\n\n" } else { "" };
    let server = Server::repeat(Response::sse(format!(": hello\n\n{}{done}", sse(pieces)))).await;
    let messages = ask("hi");
    turn(&*api.plain(&server.url()), ModelRequest::new(&messages)).await.unwrap()
}

async fn chat(pieces: &[Value]) -> Turn {
    read_turn(Api::Chat, pieces).await
}

async fn responses(pieces: &[Value]) -> Turn {
    read_turn(Api::Responses, pieces).await
}

/// Returns name, id and arguments of each call.
fn calls(turn: &Turn) -> Vec<(&str, &str, Value)> {
    turn.message.tool_uses().map(|call| (call.name.as_str(), call.tool_use_id.as_str(), call.input.clone())).collect()
}

fn piece(index: Option<usize>, id: Option<&str>, name: Option<&str>, arguments: &Value) -> Value {
    let mut call = json!({"function": {"arguments": arguments}});
    if let Some(index) = index {
        call["index"] = json!(index);
    }
    if let Some(id) = id {
        call["id"] = json!(id);
    }
    if let Some(name) = name {
        call["function"]["name"] = json!(name);
    }
    chunk(&json!({"tool_calls": [call]}))
}

#[tokio::test]
async fn separates_calls_with_any_numbering() {
    let (a, b) = (Some("a"), Some("b"));
    let (f, g) = (Some("f"), Some("g"));
    let expected = vec![("f", "a", json!({"x": 1})), ("g", "b", json!({"y": 2}))];
    let interleaved = [
        piece(Some(0), a, f, &json!("")),
        piece(Some(1), b, g, &json!("{\"y\"")),
        piece(Some(0), None, None, &json!("{\"x\":1}")),
        piece(Some(1), None, None, &json!(":2}")),
    ];
    let without_index = [
        piece(None, a, f, &json!("{\"x\":")),
        piece(None, None, None, &json!("1}")),
        piece(None, b, g, &json!("{\"y\":2}")),
    ];
    let same_index = [piece(Some(0), a, f, &json!("{\"x\":1}")), piece(Some(0), b, g, &json!("{\"y\":2}"))];
    let repeated_ids = [
        piece(Some(0), a, f, &json!("{\"x\"")),
        piece(Some(0), a, f, &json!(":1}")),
        piece(Some(1), b, g, &json!("{\"y\":2}")),
    ];
    let late_name = [
        piece(Some(0), a, None, &json!("{\"x\":")),
        piece(Some(0), None, f, &json!("1}")),
        piece(Some(1), b, g, &json!("{\"y\":2}")),
    ];
    let objects = [piece(Some(0), a, f, &json!({"x": 1})), piece(Some(1), b, g, &json!({"y": 2}))];
    for pieces in [&interleaved[..], &without_index, &same_index, &repeated_ids, &late_name, &objects] {
        for reason in ["tool_calls", "stop"] {
            let turn = chat(&[pieces, &[finish(reason)]].concat()).await;
            assert_eq!(calls(&turn), expected, "{pieces:?}");
            assert_eq!(turn.stop_reason, StopReason::ToolUse);
        }
    }
    let nameless = chat(&[piece(Some(0), a, None, &json!("{}")), finish("tool_calls")]).await;
    assert_eq!(calls(&nameless), [("", "a", json!({}))], "the agent's loop reports the unknown tool to the model");
}

#[tokio::test]
async fn streams_arguments_as_they_arrive() {
    let chat = sse([
        &piece(Some(0), Some("a"), Some("get_weather"), &json!("")),
        &piece(Some(0), None, None, &json!("{\"city\":")),
        &piece(Some(0), None, None, &json!("\"Oslo\"}")),
        &finish("tool_calls"),
    ]);
    let item = json!({"type": "function_call", "call_id": "a", "name": "get_weather", "arguments": ""});
    let delta = |delta| json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": delta});
    let responses = sse([
        &json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        &delta("{\"city\":"),
        &delta("\"Oslo\"}"),
        &json!({"type": "response.completed", "response": {"status": "completed"}}),
    ]);
    for (api, stream) in [(Api::Chat, chat), (Api::Responses, responses)] {
        let gate = Gate::new();
        let held = stream.find("Oslo").unwrap();
        let server = Server::repeat(Response::sse(stream).hold_at(held, &gate)).await;
        let (messages, tools) = (ask("hi"), weather_tools());
        let model = api.plain(&server.url());
        let mut stream = model.stream(ModelRequest::new(&messages).with_tools(&tools)).await.unwrap();
        // The first half arrives before the second is sent.
        loop {
            let event = stream.next().await.unwrap().unwrap();
            if let StreamEvent::ContentBlockDelta { delta: BlockDelta::ToolUse(piece), .. } = event {
                assert_eq!(piece.input, "{\"city\":");
                break;
            }
        }
        gate.open();
        let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert!(rest.contains(&StreamEvent::stop(StopReason::ToolUse)), "{rest:?}");
    }
}

#[tokio::test]
async fn reads_reasoning_before_text_in_every_form() {
    for name in ["reasoning_content", "reasoning"] {
        let turn = chat(&[
            chunk(&json!({"role": "assistant", "content": "", (name): "let me "})),
            chunk(&json!({"content": null, (name): "see"})),
            chunk(&json!({"content": "42", (name): null})),
            finish("stop"),
        ])
        .await;
        let thought = ContentBlock::Reasoning(ReasoningContent::text("let me see", None));
        assert_eq!(turn.message.content, [thought, ContentBlock::text("42")]);
    }
    let detail = |detail: Value| chunk(&json!({"content": "", "reasoning_details": [detail]}));
    let turn = chat(&[
        detail(json!({"type": "reasoning.encrypted", "index": 0, "data": "xyz"})),
        chunk(&json!({"content": "42"})),
        piece(Some(0), Some("a"), Some("f"), &json!("{}")),
        detail(json!({"type": "reasoning.text", "index": 1, "signature": "sig"})),
        finish("tool_calls"),
    ])
    .await;
    let ContentBlock::Reasoning(reasoning) = &turn.message.content[0] else {
        panic!("{:?}", turn.message);
    };
    let signature = reasoning.reasoning_text.as_ref().unwrap().signature.as_deref().unwrap();
    assert!(signature.contains("xyz") && signature.contains("sig"), "{signature}");
    assert_eq!(turn.message.content.len(), 3);
}

#[tokio::test]
async fn reads_finish_reasons() {
    for (reason, expected) in [
        ("stop", StopReason::EndTurn),
        ("length", StopReason::MaxTokens),
        ("content_filter", StopReason::ContentFiltered),
        ("something_new", StopReason::EndTurn),
    ] {
        let turn = chat(&[chunk(&json!({"content": "well"})), finish(reason)]).await;
        assert_eq!(turn.stop_reason, expected, "{reason}");
        assert_eq!(turn.message.text(), "well");
    }
    let said = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "well"});
    for (reason, expected) in
        [("max_output_tokens", StopReason::MaxTokens), ("content_filter", StopReason::ContentFiltered)]
    {
        let response = json!({"status": "incomplete", "incomplete_details": {"reason": reason}});
        let turn = responses(&[said.clone(), json!({"type": "response.incomplete", "response": response})]).await;
        assert_eq!(turn.stop_reason, expected, "{reason}");
        assert_eq!(turn.message.text(), "well");
    }
}

#[tokio::test]
async fn a_refusal_is_text_and_a_stop_reason() {
    let turns = [
        chat(&[chunk(&json!({"refusal": "I can't"})), chunk(&json!({"refusal": " do that."})), finish("stop")]).await,
        responses(&[
            json!({"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "I can't do that."}),
            json!({"type": "response.completed", "response": {"status": "completed"}}),
        ])
        .await,
    ];
    for turn in turns {
        assert_eq!(turn.message.text(), "I can't do that.");
        assert_eq!(turn.stop_reason, StopReason::ContentFiltered);
    }
}

#[tokio::test]
async fn reads_usage_and_keeps_the_raw_counts() {
    let raw = json!({"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109,
        "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 5}});
    let turn = chat(&[chunk(&json!({"content": "x"})), finish("stop"), json!({"choices": [], "usage": raw})]).await;
    assert_eq!(turn.usage, Usage::new(36, 9).with_cache(Some(64), None).with_total(109));
    assert_eq!(turn.message.metadata.unwrap().provider_usage.as_deref(), Some(&raw));

    let raw = json!({"input_tokens": 100, "output_tokens": 9, "total_tokens": 109,
        "input_tokens_details": {"cached_tokens": 64}, "output_tokens_details": {"reasoning_tokens": 5}});
    let turn = responses(&[
        json!({"type": "response.output_text.delta", "delta": "x"}),
        json!({"type": "response.completed", "response": {"status": "completed", "usage": raw}}),
    ])
    .await;
    assert_eq!(turn.usage, Usage::new(36, 9).with_cache(Some(64), None).with_total(109));
    assert_eq!(turn.message.metadata.unwrap().provider_usage.as_deref(), Some(&raw));
}

#[tokio::test]
async fn citations_keep_their_urls() {
    let cited = json!({"url": "https://example.org/a", "title": "A", "start_index": 0, "end_index": 2});
    let mut typed = cited.clone();
    typed["type"] = json!("url_citation");
    let turns = [
        chat(&[
            chunk(&json!({"content": "So it is."})),
            chunk(&json!({"annotations": [{"type": "url_citation", "url_citation": cited}]})),
            finish("stop"),
        ])
        .await,
        responses(&[
            json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "So it is."}),
            json!({"type": "response.output_text.annotation.added", "output_index": 1, "content_index": 0, "annotation": typed}),
            json!({"type": "response.completed", "response": {"status": "completed"}}),
        ])
        .await,
    ];
    for turn in turns {
        let [ContentBlock::Citations(said)] = &turn.message.content[..] else {
            panic!("{:?}", turn.message);
        };
        assert_eq!(said.content[0].text, "So it is.");
        assert_eq!(said.citations[0].title.as_deref(), Some("A"));
        assert_eq!(said.citations[0].location, Some(json!({"web": {"url": "https://example.org/a"}})));
    }
}

/// Returns the items of a response of Responses.
fn items() -> Vec<Value> {
    vec![
        json!({"type": "reasoning", "id": "rs", "encrypted_content": "xyz",
            "summary": [{"type": "summary_text", "text": "first"}, {"type": "summary_text", "text": "second"}]}),
        json!({"type": "web_search_call", "id": "ws", "status": "completed"}),
        json!({"type": "message", "content": [{"type": "output_text", "text": "It is sunny.", "annotations": []}]}),
        json!({"type": "function_call", "id": "fc", "call_id": "a", "name": "f", "arguments": "{\"x\":1}"}),
    ]
}

fn check_items(turn: &Turn) {
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
    let [
        ContentBlock::Reasoning(reasoning),
        ContentBlock::Provider(search),
        ContentBlock::Text(said),
        ContentBlock::ToolUse(_),
    ] = &turn.message.content[..]
    else {
        panic!("{:?}", turn.message);
    };
    let reasoning_text = reasoning.reasoning_text.as_ref().unwrap();
    assert_eq!(reasoning_text.text, "first\n\nsecond");
    assert!(reasoning_text.signature.as_deref().unwrap().contains("xyz"));
    assert_eq!((&search.provider[..], &search.content), ("127.0.0.1/responses", &items()[1]));
    assert_eq!(said.text, "It is sunny.");
    assert_eq!(calls(turn), [("f", "a", json!({"x": 1}))]);
}

#[tokio::test]
async fn reads_items_from_deltas_final_events_and_documents() {
    let end = json!({"type": "response.completed", "response": {"status": "completed", "output": items()}});
    let event = |kind: &str, at: usize, fields: Value| {
        let mut event = json!({"type": kind, "output_index": at});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event
    };
    let thought = |part: usize, delta: &str| {
        event("response.reasoning_summary_text.delta", 0, json!({"summary_index": part, "delta": delta}))
    };
    let mut begun = items();
    begun[3]["arguments"] = json!("");
    let added = |at: usize| event("response.output_item.added", at, json!({"item": begun[at]}));
    let done = |at: usize| event("response.output_item.done", at, json!({"item": items()[at]}));
    let in_pieces = [
        json!({"type": "response.created", "response": {"status": "in_progress"}}),
        added(0),
        thought(0, "fir"),
        thought(0, "st"),
        thought(1, "second"),
        done(0),
        added(1),
        event("response.web_search_call.searching", 1, json!({"delta": {"of": "another kind"}})),
        done(1),
        added(2),
        event("response.output_text.delta", 2, json!({"content_index": 0, "delta": "It is "})),
        event("response.output_text.delta", 2, json!({"content_index": 0, "delta": "sunny."})),
        done(2),
        added(3),
        event("response.function_call_arguments.delta", 3, json!({"delta": "{\"x\":"})),
        event("response.function_call_arguments.delta", 3, json!({"delta": "1}"})),
        event("response.function_call_arguments.done", 3, json!({"arguments": "{\"x\":1}"})),
        done(3),
        end.clone(),
    ];
    check_items(&responses(&in_pieces).await);
    check_items(&responses(&[done(0), done(1), done(2), done(3), end]).await);
    // A server that never streams.
    let whole = json!({"object": "response", "status": "completed", "output": items(), "error": null});
    let server = Server::repeat(Response::json(200, &whole)).await;
    let messages = ask("hi");
    check_items(&turn(&*Api::Responses.plain(&server.url()), ModelRequest::new(&messages)).await.unwrap());
}

#[tokio::test]
async fn reads_events_without_names() {
    let stream = concat!(
        "data: {\"type\": \"response.output_text.delta\", \"delta\": \"fine.\"}\n\n",
        "data: {\"type\": \"response.completed\", \"response\": {\"status\": \"completed\"}}\n\n",
        "data: [DONE]\n\n",
    );
    let server = Server::repeat(Response::sse(stream)).await;
    let messages = ask("hi");
    let (events, error) = events(&*Api::Responses.plain(&server.url()), ModelRequest::new(&messages)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text(&events), "fine.");
    assert_eq!(together(&events).unwrap().stop_reason, StopReason::EndTurn);
}

#[tokio::test]
async fn reads_documents_and_streams_without_an_end_mark() {
    let whole = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine.",
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g", "arguments": "{}"}}]},
        "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let server = Server::repeat(Response::json(200, &whole)).await;
    let messages = ask("hi");
    let answer = turn(&*Api::Chat.plain(&server.url()), ModelRequest::new(&messages)).await.unwrap();
    assert_eq!(answer.message.text(), "fine.");
    assert_eq!(calls(&answer), [("f", "a", json!({})), ("g", "b", json!({}))]);
    assert_eq!(answer.usage, Usage::new(1, 2));

    let server = Server::repeat(Response::sse(sse([&chunk(&json!({"content": "fine."})), &finish("stop")]))).await;
    let answer = turn(&*Api::Chat.plain(&server.url()), ModelRequest::new(&messages)).await.unwrap();
    assert_eq!(answer.message.text(), "fine.");
}
