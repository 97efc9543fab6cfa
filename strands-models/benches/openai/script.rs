//! Scripted responses: complete HTTP responses with chunks of Chat Completions, created before the measurement.

use serde_json::{Value, json};

pub(crate) const PROMPT: &str = "Will it be dry in Oslo this week, and if not, where is it?";
pub(crate) const SYSTEM_PROMPT: &str = "You are a travel assistant. Look the weather up before you recommend a place, \
    name the source of what you say, and answer in the language of the question.";
/// Final text of the model, also used in every turn of a long conversation.
pub(crate) const ANSWER: &str = "It is dry in Bergen.";

/// The responses to the requests of one prompt, in order.
pub(crate) type Responses = Vec<Vec<u8>>;

/// Distribution of a response's events over the chunks of its HTTP body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    /// Each event in its own chunk, as a provider sends them while the model generates.
    EventByEvent,
    /// As many events in a chunk as fit into 16 KiB, as a buffering proxy sends them.
    Gathered,
}

/// Returns `cycles` responses with one tool call each, and then a short text.
pub(crate) fn tool_cycles(cycles: usize) -> Responses {
    let cities = ["Oslo", "Bergen", "Trondheim", "Tromsø", "Stavanger"].into_iter().cycle();
    let calls = cities.take(cycles).enumerate().map(|(at, city)| tool_call(at, city));
    calls.chain([short_text()]).map(|events| response(&events, Framing::EventByEvent)).collect()
}

/// Returns one short text.
pub(crate) fn turn() -> Responses {
    vec![response(&short_text(), Framing::EventByEvent)]
}

/// Returns one response with this many text deltas of 4 bytes each.
pub(crate) fn text_deltas(deltas: usize, framing: Framing) -> Responses {
    let words = ["sun ", "and ", "sea ", "with", " an ", "ice,"].into_iter().cycle();
    vec![response(&text(words.take(deltas)), framing)]
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

fn response(events: &[Value], framing: Framing) -> Vec<u8> {
    let most = match framing {
        Framing::EventByEvent => 0,
        Framing::Gathered => 16 * 1024,
    };
    let mut out = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
        x-request-id: req_5f1c\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec();
    let mut chunk = String::new();
    let mut send = |chunk: &mut String| {
        out.extend_from_slice(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
        chunk.clear();
    };
    for event in events.iter().map(Value::to_string).chain(["[DONE]".to_owned()]) {
        let event = format!("data: {event}\n\n");
        if !chunk.is_empty() && chunk.len() + event.len() > most {
            send(&mut chunk);
        }
        chunk.push_str(&event);
    }
    send(&mut chunk);
    out.extend_from_slice(b"0\r\n\r\n");
    out
}
