//! Scripted responses: Chat Completions, with chunks as long as OpenAI's.

use serde_json::{Value, json};

use crate::script::{ANSWER, DELTAS, cities, words};
use crate::serve::{Pace, Response, Scenario};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
    x-request-id: req_5f1c\r\ntransfer-encoding: chunked\r\n\r\n";

/// Returns the scenarios of this protocol.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let cycles = |cycles| {
        let calls = cities().take(cycles).enumerate().map(|(at, city)| tool_call(at, city));
        calls.chain([short_text()]).map(|events| response(&events)).collect()
    };
    let deltas = |count| vec![response(&text(words().take(count)))];
    let mut scenarios = vec![
        Scenario::new("openai-cycles-50", Pace::EventByEvent, cycles(50)),
        Scenario::new("openai-cycles-200", Pace::EventByEvent, cycles(200)),
        Scenario::new("openai-turn", Pace::EventByEvent, vec![response(&short_text())]),
        Scenario::new("openai-deltas", Pace::EventByEvent, deltas(DELTAS)),
        Scenario::new("openai-deltas-gathered", Pace::Gathered, deltas(DELTAS)),
    ];
    scenarios.extend(crate::streams::scenarios("openai", || response(&text(words().take(crate::streams::DELTAS)))));
    scenarios
}

fn short_text() -> Vec<Value> {
    text(ANSWER.split_inclusive(' '))
}

fn text<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let mut deltas = vec![json!({"role": "assistant", "content": "", "refusal": null})];
    deltas.extend(pieces.into_iter().map(|piece| json!({"content": piece})));
    chunks(deltas, "stop")
}

/// Returns a call with streamed arguments, as OpenAI's models send them.
fn tool_call(at: usize, city: &str) -> Vec<Value> {
    let begun = json!({"index": 0, "id": format!("call_{at:024}"), "type": "function",
        "function": {"name": "forecast", "arguments": ""}});
    let mut deltas = vec![json!({"role": "assistant", "content": null, "tool_calls": [begun], "refusal": null})];
    for piece in [r#"{""#, "city", r#"":""#, city, r#"",""#, "days", r#"":"#, "5", "}"] {
        deltas.push(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}));
    }
    chunks(deltas, "tool_calls")
}

/// Wraps these deltas in chunks with all the fields that OpenAI sends.
fn chunks(deltas: Vec<Value>, finish_reason: &str) -> Vec<Value> {
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "chatcmpl-CdWlK3FgXbN0eXeE2WkT1n7kYQz5a", "object": "chat.completion.chunk", "created": 1_763_800_000,
            "model": "gpt-4o-2024-08-06", "service_tier": "default", "system_fingerprint": "fp_cbf1785567",
            "choices": choices, "usage": usage,
        })
    };
    let choice = |delta: Value, reason: Value| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]), Value::Null)
    };
    let mut chunks: Vec<Value> = deltas.into_iter().map(|delta| choice(delta, Value::Null)).collect();
    chunks.push(choice(json!({}), json!(finish_reason)));
    let usage = json!({"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}});
    chunks.push(chunk(json!([]), usage));
    chunks
}

fn response(chunks: &[Value]) -> Response {
    let events = chunks.iter().map(Value::to_string).chain(["[DONE]".to_owned()]);
    Response { head: HEAD, events: events.map(|event| format!("data: {event}\n\n").into_bytes()).collect() }
}
