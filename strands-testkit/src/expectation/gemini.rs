//! Expected content of a response of Gemini's, computed from its bytes without the code under test.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "indexing a missing JSON value gives null, and tests slice their own text"
)]

use serde_json::{Value, json};

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
        let error = &body["error"];
        return Expectation::refused(response.status, error["status"].as_str(), &string(&error["message"]));
    }
    of_document(&body)
}

/// Reads the complete events at the beginning of a stream.
pub fn of_stream(stream: &str) -> Expectation {
    of_chunks(sse_data(stream).filter_map(|data| serde_json::from_str::<Value>(data).ok()))
}

/// Reads a document: the only chunk of its response.
pub fn of_document(body: &Value) -> Expectation {
    of_chunks([body.clone()])
}

/// Returns the fields of a part that have to be sent back: signatures, on the part that carried them, and content that
/// only Gemini understands.
pub fn kept(part: &Value) -> Option<Value> {
    let signature = &part["thoughtSignature"];
    if part["functionCall"].is_object() {
        return signature
            .is_string()
            .then(|| json!({"functionCall": part["functionCall"]["name"], "thoughtSignature": signature}));
    }
    if part["text"].is_string() {
        let thought = part["thought"].as_bool().unwrap_or(false);
        return signature
            .is_string()
            .then(|| json!({"text": part["text"], "thought": thought, "thoughtSignature": signature}));
    }
    part.as_object().is_some_and(|part| !part.is_empty()).then(|| part.clone())
}

fn of_chunks(chunks: impl IntoIterator<Item = Value>) -> Expectation {
    let mut expected = Expectation { order: Some(Vec::new()), ..Expectation::default() };
    let mut finish = None;
    // Text continues after a signature of its own, and after nothing else.
    let mut text_goes_on = false;
    for chunk in chunks {
        if chunk["usageMetadata"].is_object() {
            expected.usage = Some(usage(&chunk["usageMetadata"]));
        }
        let candidate = &chunk["candidates"][0];
        for part in array(&candidate["content"]["parts"]) {
            let before = text_goes_on;
            text_goes_on = take(&mut expected, part, before);
        }
        finish = candidate["finishReason"].as_str().or(finish.as_deref()).map(str::to_owned);
    }
    expected.stop_reason = finish.map(|finish| stop(&finish, !expected.calls.is_empty()));
    expected
}

/// Reads a part; true if text can continue after it.
fn take(expected: &mut Expectation, part: &Value, mut text_goes_on: bool) -> bool {
    let signed = part["thoughtSignature"].is_string();
    expected.kept.extend(kept(part));
    if part["functionCall"].is_object() {
        expected.goes_on(Kind::Call);
        let call = &part["functionCall"];
        expected.calls.push(Call {
            name: string(&call["name"]),
            id: call["id"].as_str().map(str::to_owned),
            arguments: Arguments::Json(call["args"].clone()),
        });
        return false;
    }
    let Some(text) = part["text"].as_str() else {
        expected.goes_on(Kind::Provider);
        return false;
    };
    if part["thought"] == true {
        if signed || !text.is_empty() {
            expected.goes_on(Kind::Reasoning);
            expected.reasoning.push_str(text);
            return false;
        }
        return text_goes_on;
    }
    if !text.is_empty() {
        if !text_goes_on {
            expected.goes_on(Kind::Text);
        }
        expected.text.push_str(text);
        text_goes_on = true;
    }
    if signed {
        expected.goes_on(Kind::Provider);
    }
    text_goes_on
}

/// Counts that are zero are left out. Cached tokens are included in those of the prompt.
fn usage(raw: &Value) -> Usage {
    let count = |name: &str| raw[name].as_u64().unwrap_or_default();
    let cache_read = count("cachedContentTokenCount");
    Usage {
        input: count("promptTokenCount") + count("toolUsePromptTokenCount") - cache_read,
        output: count("candidatesTokenCount") + count("thoughtsTokenCount"),
        total: count("totalTokenCount"),
        cache_read,
        cache_write: 0,
        raw: raw.clone(),
    }
}

fn stop(finish: &str, calls: bool) -> &'static str {
    match finish {
        "SAFETY" => "guardrail_intervened",
        "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" => "content_filtered",
        _ if calls => "tool_use",
        "MAX_TOKENS" => "max_tokens",
        _ => "end_turn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::recordings;

    #[test]
    fn reads_a_stream() {
        let parts = [
            json!([{"text": "hm", "thought": true}]),
            json!([{"text": "It is "}]),
            json!([{"text": "", "thoughtSignature": "s1"}, {"text": "sunny."}]),
            json!([{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s2"}, {"executableCode": {}}]),
        ];
        let mut stream = String::new();
        for (at, parts) in parts.iter().enumerate() {
            let chunk = json!({"candidates": [{"content": {"parts": parts}}],
                "usageMetadata": {"promptTokenCount": 4, "cachedContentTokenCount": 1, "thoughtsTokenCount": at,
                    "totalTokenCount": 9}});
            stream += &format!("data: {chunk}\r\n\r\n");
        }
        let cut = of_stream(&stream[..stream.len() - 1]);
        assert_eq!((cut.text.as_str(), cut.calls.len(), cut.stop_reason), ("It is sunny.", 0, None));
        stream += "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n";
        let whole = of_stream(&stream);
        assert_eq!((whole.reasoning.as_str(), whole.stop_reason), ("hm", Some("tool_use")));
        assert_eq!(whole.order, Some(vec![Kind::Reasoning, Kind::Text, Kind::Provider, Kind::Call, Kind::Provider]));
        let kept = [
            json!({"text": "", "thought": false, "thoughtSignature": "s1"}),
            json!({"functionCall": "f", "thoughtSignature": "s2"}),
            json!({"executableCode": {}}),
        ];
        assert_eq!(whole.kept, kept);
        let usage = whole.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.total, usage.cache_read), (3, 3, 9, 1));
    }

    #[test]
    fn reads_every_recording() {
        for recording in recordings("gemini").into_iter().flatten() {
            for exchange in &recording.exchanges {
                let expected = of(exchange);
                let name = &recording.name;
                assert_eq!(expected.error.is_some(), exchange.response.status >= 400, "{name}");
                assert!(expected.error.is_some() || expected.stop_reason.is_some(), "{name}: no stop reason");
            }
        }
    }
}
