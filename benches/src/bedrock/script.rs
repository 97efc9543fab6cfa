//! Scripted responses: ConverseStream, with the padding that Bedrock adds to its events.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};

use crate::script::{ANSWER, DELTAS, cities, words};
use crate::serve::{Pace, Response, Scenario};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
    x-amzn-requestid: 8a1b2c3d-0000-4000-8000-1234567890ab\r\ntransfer-encoding: chunked\r\n\r\n";
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ";

/// Returns the scenarios of this protocol.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let calls = cities().take(50).enumerate().map(|(at, city)| tool_call(at, city));
    let cycles = calls.chain([text(ANSWER.split_inclusive(' '))]).collect();
    let deltas = || vec![text(words().take(DELTAS))];
    let mut scenarios = vec![
        Scenario::new("bedrock-cycles-50", Pace::EventByEvent, cycles),
        Scenario::new("bedrock-turn", Pace::EventByEvent, vec![text(ANSWER.split_inclusive(' '))]),
        Scenario::new("bedrock-deltas", Pace::EventByEvent, deltas()),
        Scenario::new("bedrock-deltas-gathered", Pace::Gathered, deltas()),
    ];
    scenarios.extend(crate::streams::scenarios("bedrock", || text(words().take(crate::streams::DELTAS))));
    scenarios
}

fn text<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Response {
    response(Vec::new(), pieces.into_iter().map(|piece| json!({"text": piece})), "end_turn")
}

/// Returns a call with streamed arguments, as Claude sends them.
fn tool_call(at: usize, city: &str) -> Response {
    let start = json!({"toolUse": {"toolUseId": format!("tooluse_{at:022}"), "name": "forecast"}});
    let start = event("contentBlockStart", json!({"contentBlockIndex": 0, "start": start}));
    let pieces = ["", r#"{"city""#, r#": ""#, city, r#"", "da"#, r#"ys": 5"#, "}"];
    response(vec![start], pieces.into_iter().map(|piece| json!({"toolUse": {"input": piece}})), "tool_use")
}

fn response(start: Vec<Vec<u8>>, deltas: impl Iterator<Item = Value>, stop_reason: &str) -> Response {
    let mut events = vec![event("messageStart", json!({"role": "assistant"}))];
    events.extend(start);
    events.extend(deltas.map(|delta| event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}))));
    events.push(event("contentBlockStop", json!({"contentBlockIndex": 0})));
    events.push(event("messageStop", json!({"stopReason": stop_reason})));
    let usage = json!({"inputTokens": 200, "outputTokens": 20, "totalTokens": 220, "serverToolUsage": {}});
    events.push(event("metadata", json!({"usage": usage, "metrics": {"latencyMs": 612}})));
    Response { head: HEAD, events }
}

/// Encodes an event as a frame.
fn event(event_type: &'static str, mut payload: Value) -> Vec<u8> {
    payload["p"] = PADDING.into();
    let header = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload.to_string())
        .add_header(header(":event-type", event_type))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", "event"));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).unwrap();
    frame
}
