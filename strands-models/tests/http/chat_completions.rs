//! Wire format of Chat Completions, and the differences from the reference client that all its servers share.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use strands_core::models::{Model, ModelRequest, Turn};
use strands_testkit::provider::wire::each_value;
use strands_testkit::provider::{BrokenOff, Sent, SentCall, SentResult, ask, turn};
use strands_testkit::{Response, Server};

pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// Returns a stream of these chunks, with its end mark.
pub(crate) fn stream(chunks: &[Value]) -> Bytes {
    (pieces(chunks) + DONE).into()
}

/// Returns a stream of these chunks, without an end mark.
pub(crate) fn pieces(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

pub(crate) fn delta(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

pub(crate) fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

pub(crate) fn call(id: &str, name: Option<&str>, arguments: &str) -> Value {
    let mut function = json!({"arguments": arguments});
    if let Some(name) = name {
        function["name"] = json!(name);
    }
    delta(&json!({"tool_calls": [{"index": 0, "id": id, "function": function}]}))
}

/// Returns the streams that end with these errors.
pub(crate) fn broken_off(errors: &[(&'static str, Value, &'static str)]) -> Vec<BrokenOff> {
    let half = delta(&json!({"content": "half"}));
    let breaks = |(kind, event, says): &(&'static str, Value, &'static str)| BrokenOff {
        kind,
        says,
        stream: stream(&[half.clone(), event.clone()]),
    };
    errors.iter().map(breaks).collect()
}

/// Returns the turn that a model reads from a stream of these chunks.
pub(crate) async fn read_turn(model: impl Fn(&str) -> Arc<dyn Model>, chunks: &[Value]) -> Turn {
    let server = Server::repeat(Response::sse(stream(chunks))).await;
    let messages = ask("hi");
    turn(&*model(&server.url()), ModelRequest::new(&messages)).await.unwrap()
}

/// Returns the body that a model sends.
pub(crate) async fn body(model: impl Fn(&str) -> Arc<dyn Model>, request: ModelRequest<'_>) -> Value {
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": "fine."}, "finish_reason": "stop"}]});
    let server = Server::repeat(Response::sse(stream(&[chunk]))).await;
    turn(&*model(&server.url()), request).await.unwrap();
    server.requests()[0].json()
}

/// Reads the calls and results in a body.
pub(crate) fn sent(body: &Value) -> Sent {
    let mut sent = Sent::default();
    for message in body["messages"].as_array().into_iter().flatten() {
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        sent.calls.extend(calls.map(|call| sent_call(&call["id"], &call["function"])));
        if message["role"] == "tool" {
            sent.results.push(sent_result(&message["tool_call_id"], &message["content"]));
        }
        sent.kept
            .extend(text(&message["reasoning_content"]).filter(|reasoning| !reasoning.is_empty()).map(Value::from));
    }
    sent
}

pub(crate) fn sent_call(id: &Value, function: &Value) -> SentCall {
    let input = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    SentCall { id: text(id), name: text(&function["name"]).unwrap(), input }
}

pub(crate) fn sent_result(id: &Value, content: &Value) -> SentResult {
    let parts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    SentResult { id: text(id), text: text(content).unwrap_or_else(|| parts.collect()) }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Replaces content of one text part by the text.
pub(crate) fn plain_text(_: &str, request: &mut Value) -> bool {
    let messages = request["body"].get_mut("messages").and_then(Value::as_array_mut);
    let mut changed = false;
    for content in messages.into_iter().flatten().filter_map(|message| message.get_mut("content")) {
        let text = match content.as_array().map(Vec::as_slice) {
            Some([part]) if part["type"] == "text" => part["text"].clone(),
            _ => continue,
        };
        *content = text;
        changed = true;
    }
    changed
}

/// Minifies every text in a body that is JSON, or whose last line is.
pub(crate) fn compact_json(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each_value(&mut request["body"], &mut |value| {
        if let Value::String(text) = value {
            let lines = text.split('\n').map(|line| match serde_json::from_str::<Value>(line) {
                Ok(json @ (Value::Object(_) | Value::Array(_))) => json.to_string(),
                _ => line.to_owned(),
            });
            let compact = lines.collect::<Vec<_>>().join("\n");
            changed |= compact != *text;
            *text = compact;
        }
    });
    changed
}

/// Removes a field that no server knows.
pub(crate) fn image_format(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each_value(&mut request["body"], &mut |value| {
        if let Some(image) = value.get_mut("image_url").and_then(Value::as_object_mut) {
            changed |= image.shift_remove("format").is_some();
        }
    });
    changed
}

/// Applies to cases with streaming off.
pub(crate) fn in_one_piece(case: &str, request: &mut Value) -> bool {
    let body = &mut request["body"];
    let differs = case == "30_non_streaming" && body["stream"] == true;
    if differs {
        body["stream"] = json!(false);
        body.as_object_mut().unwrap().shift_remove("stream_options");
    }
    differs
}

/// Returns the notes for media that are stored elsewhere.
pub(crate) fn elsewhere() -> [Value; 2] {
    ["An image", "A document"]
        .map(|medium| json!({"type": "text", "text": format!("[{medium} that can't be shown to this model: it is stored elsewhere.]")}))
}

/// Returns the schema in a body.
pub(crate) fn schema(body: &Value) -> Option<Value> {
    body.pointer("/response_format/json_schema/schema").cloned()
}

/// Returns a complete stream with a text in these deltas.
pub(crate) fn says(pieces: &[&str]) -> Bytes {
    let pieces = pieces.iter().map(|piece| delta(&json!({"content": piece})));
    stream(&pieces.chain([finish("stop")]).collect::<Vec<_>>())
}

/// Returns a complete stream that calls a tool with arguments in these deltas.
pub(crate) fn calls(id: &str, tool: &str, pieces: &[&str]) -> Bytes {
    let pieces = pieces.iter().map(|piece| call(id, None, piece));
    let chunks = [call(id, Some(tool), "")].into_iter().chain(pieces).chain([finish("tool_calls")]);
    stream(&chunks.collect::<Vec<_>>())
}
