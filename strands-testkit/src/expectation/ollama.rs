//! Expected content of a response of Ollama's chat, computed from its bytes without the code under test.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "indexing a missing JSON value gives null, and tests slice their own text"
)]

use serde_json::Value;

use super::{Arguments, Call, Expectation, Kind, Usage, array, string};
use crate::recording::Exchange;

/// Reads a recorded response. Panics if it is not text.
pub fn of(exchange: &Exchange) -> Expectation {
    let response = &exchange.response;
    let text = std::str::from_utf8(&response.body).unwrap_or_else(|error| panic!("{error}"));
    if response.status >= 400 {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        return Expectation::refused(response.status, None, body["error"].as_str().unwrap_or(text));
    }
    of_lines(text)
}

/// Reads the complete documents at the beginning of a response: one on each line, or a single one.
pub fn of_lines(answer: &str) -> Expectation {
    let mut expected = Expectation { order: Some(Vec::new()), ..Expectation::default() };
    for line in answer.lines() {
        let Ok(document) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        take(&mut expected, &document);
    }
    if !expected.reasoning.is_empty() {
        expected.kept.push(Value::String(expected.reasoning.clone()));
    }
    expected
}

fn take(expected: &mut Expectation, document: &Value) {
    let message = &document["message"];
    for (name, kind) in [("thinking", Kind::Reasoning), ("content", Kind::Text)] {
        let words = message[name].as_str().unwrap_or_default();
        if !words.is_empty() {
            expected.goes_on(kind);
            let said = if kind == Kind::Text { &mut expected.text } else { &mut expected.reasoning };
            said.push_str(words);
        }
    }
    for call in array(&message["tool_calls"]) {
        expected.goes_on(Kind::Call);
        expected.calls.push(Call {
            name: string(&call["function"]["name"]),
            id: call["id"].as_str().map(str::to_owned),
            arguments: Arguments::Json(call["function"]["arguments"].clone()),
        });
    }
    if document["done"] == true {
        expected.stop_reason = Some(match document["done_reason"].as_str() {
            Some("length") => "max_tokens",
            _ if !expected.calls.is_empty() => "tool_use",
            _ => "end_turn",
        });
        expected.usage = usage(document);
    }
}

fn usage(document: &Value) -> Option<Usage> {
    let mut raw = document.clone();
    raw.as_object_mut()?.retain(|_, count| count.is_number());
    let count = |name: &str| document[name].as_u64().unwrap_or_default();
    let (input, output) = (count("prompt_eval_count"), count("eval_count"));
    Some(Usage { input, output, total: input + output, raw, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::recording::recordings;

    #[test]
    fn reads_a_stream() {
        let stream = concat!(
            "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n",
            "{\"message\":{\"content\":\"It is \"},\"done\":false}\n",
            "{\"message\":{\"content\":\"sunny.\",\"tool_calls\":[{\"id\":\"call_1\",\"function\":{\"name\":\"look\",\"arguments\":{}}}]}}\n",
            "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":2,\"model\":\"m\"}\n",
        );
        let expected = of_lines(stream);
        assert_eq!((expected.text.as_str(), expected.reasoning.as_str()), ("It is sunny.", "hm"));
        assert_eq!(expected.order, Some(vec![Kind::Reasoning, Kind::Text, Kind::Call]));
        assert_eq!(expected.stop_reason, Some("tool_use"));
        let usage = Usage { output: 2, total: 2, raw: json!({"eval_count": 2}), ..Usage::default() };
        assert_eq!(expected.usage, Some(usage));
        let cut = of_lines(&stream[..stream.len() - 20]);
        assert_eq!((cut.text.as_str(), cut.stop_reason), ("It is sunny.", None));
    }

    #[test]
    fn reads_every_recording() {
        for recording in recordings("ollama").into_iter().flatten() {
            for exchange in &recording.exchanges {
                let expected = of(exchange);
                assert_eq!(expected.error.is_some(), exchange.response.status >= 400, "{}", recording.name);
                assert!(expected.error.is_some() || expected.stop_reason.is_some(), "{}", recording.name);
            }
        }
    }
}
