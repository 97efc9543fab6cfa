//! Expected content of a response of Anthropic's Messages, computed from its bytes without the code under test.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "indexing a missing JSON value gives null, and tests slice their own text"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Arguments, Call, Expectation, Kind, Usage, array, sse_data, string};
use crate::recording::Exchange;

/// Reads a recorded response. Panics if it is malformed.
pub fn of(exchange: &Exchange) -> Expectation {
    let response = &exchange.response;
    let text = std::str::from_utf8(&response.body).unwrap_or_else(|error| panic!("{error}"));
    if response.content_type.contains("event-stream") {
        return of_stream(text);
    }
    let body: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    if response.status >= 400 {
        let word = |name: &str| body["error"][name].as_str();
        return Expectation::refused(response.status, word("type"), word("message").unwrap_or_default());
    }
    of_document(&body)
}

/// Reads the complete events at the beginning of a stream.
pub fn of_stream(stream: &str) -> Expectation {
    let (mut blocks, mut usage, mut stop_reason): (Vec<(u64, Value)>, _, _) = (Vec::new(), Map::new(), None);
    for data in sse_data(stream) {
        let event = serde_json::from_str::<Value>(data).unwrap_or_default();
        let index = event["index"].as_u64().unwrap_or_default();
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => merge(&mut usage, &event["message"]["usage"]),
            "content_block_start" => blocks.push((index, event["content_block"].clone())),
            "content_block_delta" => {
                let block = blocks.iter_mut().rev().find(|(at, _)| *at == index);
                let (_, block) = block.unwrap_or_else(|| panic!("no block began at {index}"));
                grow(block, &event["delta"]);
            }
            "message_delta" => {
                merge(&mut usage, &event["usage"]);
                stop_reason = event["delta"]["stop_reason"].as_str().map(stop);
            }
            _ => {}
        }
    }
    let mut expected = Expectation { stop_reason, usage: counted(usage), ..Expectation::default() };
    for (_, block) in blocks {
        take(&mut expected, block);
    }
    expected
}

/// Reads a response in one document.
pub fn of_document(body: &Value) -> Expectation {
    let mut usage = Map::new();
    merge(&mut usage, &body["usage"]);
    let stop_reason = body["stop_reason"].as_str().map(stop);
    let mut expected = Expectation { stop_reason, usage: counted(usage), ..Expectation::default() };
    for block in array(&body["content"]) {
        take(&mut expected, block.clone());
    }
    expected
}

/// True for a block that is sent back to the provider unchanged: all but text and tool calls.
pub fn is_kept(block: &Value) -> bool {
    !["text", "tool_use", "tool_result", "image", "document"].map(Value::from).contains(&block["type"])
}

/// Adds a delta to its block. Deltas of arguments are collected as text.
fn grow(block: &mut Value, piece: &Value) {
    let field = match piece["type"].as_str().unwrap_or_default() {
        "text_delta" => "text",
        "thinking_delta" => "thinking",
        "signature_delta" => "signature",
        "input_json_delta" => "partial_json",
        _ => return,
    };
    block[field] = (string(&block[field]) + &string(&piece[field])).into();
}

fn take(expected: &mut Expectation, mut block: Value) {
    match block["type"].as_str().unwrap_or_default() {
        "text" if string(&block["text"]).is_empty() => {}
        "text" => {
            expected.text += &string(&block["text"]);
            expected.goes_on(Kind::Text);
        }
        "tool_use" => {
            let arguments = match block["partial_json"].as_str() {
                Some(text) => Arguments::Text(text.to_owned()),
                None if block["input"] == Value::Object(Map::new()) => Arguments::Text(String::new()),
                None => Arguments::Text(block["input"].to_string()),
            };
            let (name, id) = (string(&block["name"]), Some(string(&block["id"])));
            expected.calls.push(Call { name, id, arguments });
            expected.goes_on(Kind::Call);
        }
        "thinking" => {
            expected.reasoning += &string(&block["thinking"]);
            expected.goes_on(Kind::Reasoning);
            expected.kept.push(block);
        }
        "redacted_thinking" => {
            // In recordings, encrypted data is replaced by other text.
            let data = string(&block["data"]);
            let encrypted = STANDARD.decode(&data).is_ok_and(|bytes| STANDARD.encode(bytes) == data);
            expected.goes_on(if encrypted { Kind::Reasoning } else { Kind::Provider });
            expected.kept.push(block);
        }
        _ => {
            let fields = block.as_object_mut().unwrap_or_else(|| panic!("a block that is no object"));
            if let Some(text) = fields.remove("partial_json") {
                let input = serde_json::from_str(text.as_str().unwrap_or_default()).unwrap_or_default();
                fields.insert("input".to_owned(), input);
            }
            expected.goes_on(Kind::Provider);
            expected.kept.push(block);
        }
    }
}

fn merge(usage: &mut Map<String, Value>, later: &Value) {
    for (name, value) in later.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        usage.insert(name.clone(), value.clone());
    }
}

/// Tokens read from or written to the cache are counted separately, and the protocol has no field for the sum.
fn counted(raw: Map<String, Value>) -> Option<Usage> {
    let count = |name: &str| raw.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (input, output) = (count("input_tokens"), count("output_tokens"));
    let (cache_read, cache_write) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let total = input + output + cache_read + cache_write;
    (!raw.is_empty()).then(|| Usage { input, output, total, cache_read, cache_write, raw: Value::Object(raw) })
}

fn stop(reason: &str) -> &'static str {
    match reason {
        "end_turn" => "end_turn",
        "tool_use" => "tool_use",
        "max_tokens" => "max_tokens",
        "stop_sequence" => "stop_sequence",
        "refusal" => "content_filtered",
        "pause_turn" => "pause_turn",
        other => panic!("the stop reason `{other}` has no meaning here"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::recording::recordings;

    #[test]
    fn reads_a_stream() {
        let stream = concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"s\"}}\n\n",
            "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"It is so.\"}}\n\n",
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n",
        );
        let expected = of_stream(stream);
        assert_eq!((expected.text.as_str(), expected.reasoning.as_str()), ("It is so.", "hm"));
        assert_eq!(expected.kept, [json!({"type": "thinking", "thinking": "hm", "signature": "s"})]);
        assert_eq!(expected.order, Some(vec![Kind::Reasoning, Kind::Text]));
        let usage = expected.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.total), (3, 9, 12));
        let cut = of_stream(&stream[..stream.len() - 3]);
        assert_eq!((cut.text.as_str(), cut.stop_reason), ("It is so.", None));
    }

    #[test]
    fn reads_every_recording() {
        for recording in recordings("anthropic").into_iter().flatten() {
            for exchange in &recording.exchanges {
                let expected = of(exchange);
                let name = &recording.name;
                assert_eq!(expected.error.is_some(), exchange.response.status >= 400, "{name}");
                if expected.error.is_none() {
                    assert!(expected.stop_reason.is_some(), "{name}: no stop reason");
                    assert!(expected.usage.is_some(), "{name}: no usage");
                }
            }
        }
    }
}
