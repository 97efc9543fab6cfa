//! Tests of the response reader.

use proptest::prelude::*;
use serde_json::json;
use strands_core::message::ContentBlock;
use strands_core::models::{Turn, TurnBuilder};

use super::*;
use crate::http::complete_response;

fn read(events: &[Value]) -> Result<VecDeque<StreamEvent>, ReadError> {
    let mut reader = MessagesReader::new(1 << 20);
    let mut out = VecDeque::new();
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        reader.read(Event { name: Some(kind), data: &event.to_string() }, &mut out)?;
    }
    reader.end(&mut out)?;
    Ok(out)
}

fn turn(events: &[Value]) -> Turn {
    let mut turn = TurnBuilder::new(usize::MAX);
    for event in read(events).unwrap() {
        turn.push(&event).unwrap();
    }
    turn.finish().unwrap()
}

fn start(index: usize, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: usize, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn ended(index: usize) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn stop(reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}})
}

#[test]
fn reads_signed_and_encrypted_reasoning() {
    let turn = turn(&[
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        start(1, json!({"type": "redacted_thinking", "data": "AAEC"})),
        // Not strict base64: the unused bits of the last letter would be lost.
        start(2, json!({"type": "redacted_thinking", "data": "AB=="})),
        start(3, json!({"type": "text", "text": ""})),
        delta(3, json!({"type": "text_delta", "text": "so"})),
        stop("end_turn"),
        json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}),
    ]);
    let content = serde_json::to_value(&turn.message.content).unwrap();
    assert_eq!(content[0], json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}));
    assert_eq!(content[1]["reasoningContent"]["redactedContent"]["data"], "AAEC");
    assert_eq!(
        turn.message.content[2],
        ContentBlock::provider(PROVIDER, json!({"type": "redacted_thinking", "data": "AB=="}))
    );
    assert_eq!(content[3], json!({"text": "so"}));
    assert_eq!((turn.usage.input_tokens, turn.usage.output_tokens, turn.usage.total_tokens), (3, 7, 10));
}

#[test]
fn reads_arguments_of_the_start_event() {
    let call = |input: Value| start(0, json!({"type": "tool_use", "id": "t", "name": "f", "input": input}));
    let input = |events: &[Value]| turn(events).message.tool_uses().next().unwrap().input.clone();
    assert_eq!(input(&[call(json!({"a": 1})), stop("tool_use")]), json!({"a": 1}));
    assert_eq!(input(&[call(json!({})), stop("tool_use")]), json!({}));
    let chunks = ["{\"a\"", ": 2}"].map(|text| delta(0, json!({"type": "input_json_delta", "partial_json": text})));
    assert_eq!(input(&[&[call(json!({}))], &chunks[..], &[stop("tool_use")]].concat()), json!({"a": 2}));
}

#[test]
fn ignores_unknown_events_and_keeps_unknown_blocks() {
    let turn = turn(&[
        json!({"type": "newer_event", "x": 1}),
        start(0, json!({"type": "newer_block", "text": {"not": "text"}})),
        delta(0, json!({"type": "newer_delta", "text": ["neither"]})),
        ended(0),
        delta(9, json!({"type": "newer_delta", "text": 1})),
        start(1, json!({"type": "text", "text": "hi"})),
        delta(1, json!({"type": "newer_delta", "text": 1})),
        stop("newer_reason"),
    ]);
    assert_eq!(turn.stop_reason.as_str(), "newer_reason");
    assert_eq!(
        turn.message.content[0],
        ContentBlock::provider(PROVIDER, json!({"type": "newer_block", "text": ["neither"]}))
    );
    assert_eq!(turn.message.text(), "hi");
}

#[test]
fn reports_details_of_a_refusal() {
    let details = json!({"type": "refusal", "category": "bio"});
    let turn = turn(&[
        json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details, "stop_sequence": null}}),
    ]);
    assert_eq!(turn.stop_reason, StopReason::ContentFiltered);
    assert_eq!(turn.response_fields, Some(json!({"stop_details": details})));
}

#[test]
fn reads_errors_in_the_stream() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let Err(ReadError::ErrorResponse(refused)) =
        read(&[start(0, json!({"type": "text", "text": "hi"})), error.clone()])
    else {
        panic!("no error");
    };
    assert_eq!(refused.1, ModelErrorKind::Overloaded);
    let whole = MessagesReader::new(64).whole(error.to_string().as_bytes(), &mut VecDeque::new());
    assert!(matches!(whole, Err(ReadError::ErrorResponse(_))), "{whole:?}");
}

#[test]
fn rejects_a_response_without_a_stop_reason() {
    assert!(matches!(
        read(&[start(0, json!({"type": "text", "text": "hi"}))]),
        Err(ReadError::Failed(ModelError::Transport { .. }))
    ));
}

fn event() -> impl Strategy<Value = Value> {
    let words = "[a-z ü]{0,4}";
    let block = prop_oneof![
        words.prop_map(|text| json!({"type": "text", "text": text})),
        words.prop_map(|text| json!({"type": "thinking", "thinking": text, "signature": ""})),
        words.prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
        words.prop_map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}})),
        words.prop_map(|id| json!({"type": "server_tool_use", "id": id, "input": {}})),
    ];
    let change = prop_oneof![
        words.prop_map(|text| json!({"type": "text_delta", "text": text})),
        words.prop_map(|text| json!({"type": "thinking_delta", "thinking": text})),
        words.prop_map(|text| json!({"type": "signature_delta", "signature": text})),
        words.prop_map(|text| json!({"type": "input_json_delta", "partial_json": text})),
        words.prop_map(|text| json!({"type": "citations_delta", "citation": {"cited_text": text}})),
        Just(json!({"type": "newer_delta"})),
    ];
    prop_oneof![
        (0..3_usize, block).prop_map(|(at, block)| start(at, block)),
        (0..3_usize, change).prop_map(|(at, change)| delta(at, change)),
        (0..3_usize).prop_map(ended),
        Just(json!({"type": "ping"})),
    ]
}

proptest! {
    #[test]
    fn any_events_make_a_response(mut events in prop::collection::vec(event(), 0..12)) {
        events.extend([stop("end_turn"), json!({"type": "message_stop"})]);
        let mut reader = MessagesReader::new(1 << 20);
        let mut out = VecDeque::new();
        for event in &events {
            reader.read(Event::of(&event.to_string()), &mut out).unwrap();
        }
        prop_assert!(reader.is_complete());
        complete_response(&out);
    }

    #[test]
    fn arbitrary_text_does_not_panic(kind in "(content_block_(start|delta|stop)|message_(start|delta)|error)?", data in ".{0,64}") {
        let mut out = VecDeque::new();
        let _ = MessagesReader::new(64).read(Event { name: Some(kind.as_str()), data: &data }, &mut out);
        let _ = MessagesReader::new(64).whole(data.as_bytes(), &mut out);
    }
}
