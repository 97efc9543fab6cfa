//! Expected content of a response of OpenAI's two protocols, computed from its bytes without the code under test.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "indexing a missing JSON value gives null, and tests slice their own text"
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Arguments, Call, Expectation, Usage, array, sse_data, string};
use crate::recording::Exchange;

/// Reads a recorded response. Panics if it is malformed.
pub fn of(exchange: &Exchange) -> Expectation {
    let response = &exchange.response;
    let text = std::str::from_utf8(&response.body).unwrap_or_else(|error| panic!("{error}"));
    let responses = exchange.request.path.ends_with("/responses");
    if response.content_type.contains("event-stream") {
        return if responses { of_responses_stream(text) } else { of_chat_stream(text) };
    }
    let body: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    if response.status >= 400 {
        let word = |name: &str| body["error"][name].as_str();
        return Expectation::refused(response.status, word("code"), word("message").unwrap_or_default());
    }
    if responses { of_response(&body) } else { of_chat(&body) }
}

/// Reads the complete events at the beginning of a stream of Chat Completions.
pub fn of_chat_stream(stream: &str) -> Expectation {
    let mut expected = Expectation::default();
    let mut calls: BTreeMap<u64, (String, String, String)> = BTreeMap::new();
    let mut refused = false;
    let mut finish = None;
    for data in sse_data(stream) {
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            continue;
        };
        if chunk["usage"].is_object() {
            expected.usage = usage(&chunk["usage"]);
        }
        let choice = &chunk["choices"][0];
        if choice["index"].as_u64() != Some(0) {
            continue;
        }
        refused |= chat_words(&mut expected, &choice["delta"]);
        for piece in array(&choice["delta"]["tool_calls"]) {
            let (name, id, arguments) = calls.entry(piece["index"].as_u64().unwrap_or_default()).or_default();
            *name += piece["function"]["name"].as_str().unwrap_or_default();
            *id += piece["id"].as_str().unwrap_or_default();
            *arguments += piece["function"]["arguments"].as_str().unwrap_or_default();
        }
        finish = choice["finish_reason"].as_str().or(finish.as_deref()).map(str::to_owned);
    }
    let calls = calls.into_values();
    expected.calls =
        calls.map(|(name, id, text)| Call { name, id: Some(id), arguments: Arguments::Text(text) }).collect();
    expected.stop_reason = finish.map(|finish| chat_stop(&finish, refused));
    expected
}

/// Reads a document of Chat Completions.
pub fn of_chat(body: &Value) -> Expectation {
    let mut expected = Expectation { usage: usage(&body["usage"]), ..Expectation::default() };
    let message = &body["choices"][0]["message"];
    let refused = chat_words(&mut expected, message);
    expected.calls = array(&message["tool_calls"])
        .map(|call| call_of(&call["function"]["name"], &call["id"], &call["function"]["arguments"]))
        .collect();
    expected.stop_reason = body["choices"][0]["finish_reason"].as_str().map(|finish| chat_stop(finish, refused));
    expected
}

/// Reads the text of a message or a delta; true if it is a refusal.
fn chat_words(expected: &mut Expectation, said: &Value) -> bool {
    expected.text += said["content"].as_str().unwrap_or_default();
    for part in array(&said["content"]) {
        match part["type"].as_str() {
            Some("text") => expected.text += &string(&part["text"]),
            Some("thinking") => {
                for piece in array(&part["thinking"]) {
                    expected.reasoning += &string(&piece["text"]);
                }
            }
            _ => {}
        }
    }
    expected.text += said["refusal"].as_str().unwrap_or_default();
    expected.reasoning += said["reasoning_content"].as_str().or(said["reasoning"].as_str()).unwrap_or_default();
    for piece in array(&said["reasoning_details"]) {
        let known = expected.kept.iter_mut().find(|known| {
            known["index"] == piece["index"] && known["type"] == piece["type"] && piece["index"].is_u64()
        });
        match known {
            None => expected.kept.push(piece.clone()),
            Some(known) => join(known, piece),
        }
    }
    said["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty())
}

/// Reads a stream of Responses. Its last event contains everything; before it, only the text is known.
pub fn of_responses_stream(stream: &str) -> Expectation {
    let mut expected = Expectation::default();
    for data in sse_data(stream) {
        let event = serde_json::from_str::<Value>(data).unwrap_or_default();
        let kind = event["type"].as_str().unwrap_or_default();
        match (kind, event["response"]["status"].as_str()) {
            ("response.output_text.delta" | "response.refusal.delta", _) => expected.text += &string(&event["delta"]),
            (_, Some("completed" | "incomplete" | "failed")) => return of_response(&event["response"]),
            _ => {}
        }
    }
    expected
}

/// Reads a document of Responses.
pub fn of_response(response: &Value) -> Expectation {
    let mut expected = Expectation { usage: usage(&response["usage"]), ..Expectation::default() };
    let mut refused = false;
    for item in array(&response["output"]) {
        match item["type"].as_str() {
            Some("message") => {
                for part in array(&item["content"]) {
                    expected.text += part["text"].as_str().or(part["refusal"].as_str()).unwrap_or_default();
                    refused |= part["refusal"].is_string();
                }
            }
            Some("reasoning") => {
                let parts = array(&item["summary"]).filter_map(|part| part["text"].as_str());
                expected.reasoning += &parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
                if item["encrypted_content"].is_string() {
                    expected.kept.push(item.clone());
                }
            }
            Some("function_call") => {
                expected.calls.push(call_of(&item["name"], &item["call_id"], &item["arguments"]));
            }
            _ => {}
        }
    }
    expected.stop_reason = match response["status"].as_str() {
        Some("completed") if !expected.calls.is_empty() => Some("tool_use"),
        Some("completed") if refused => Some("content_filtered"),
        Some("completed") => Some("end_turn"),
        Some("incomplete") if response["incomplete_details"]["reason"] == "content_filter" => Some("content_filtered"),
        Some("incomplete") => Some("max_tokens"),
        _ => None,
    };
    expected
}

fn call_of(name: &Value, id: &Value, arguments: &Value) -> Call {
    Call { name: string(name), id: Some(string(id)), arguments: Arguments::Text(string(arguments)) }
}

/// Reads the token counts of either protocol: both include cached tokens in the input.
fn usage(raw: &Value) -> Option<Usage> {
    let count = |names: [&str; 2]| names.iter().find_map(|name| raw[*name].as_u64());
    let (input, output) = (count(["prompt_tokens", "input_tokens"])?, count(["completion_tokens", "output_tokens"])?);
    let detail = |name: &str| {
        let details = ["prompt_tokens_details", "input_tokens_details"].map(|details| raw[details][name].as_u64());
        details[0].or(details[1]).unwrap_or_default()
    };
    let (cache_read, cache_write) = (detail("cached_tokens"), detail("cache_write_tokens"));
    let total = raw["total_tokens"].as_u64().unwrap_or(input + output);
    // Mistral counts audio separately from the other input.
    let audio = detail("audio_tokens");
    let input = if total == input + output + audio { input + audio } else { input };
    let input = input - cache_read - cache_write;
    Some(Usage { input, output, total, cache_read, cache_write, raw: raw.clone() })
}

fn chat_stop(finish: &str, refused: bool) -> &'static str {
    match finish {
        "tool_calls" => "tool_use",
        "length" | "model_length" => "max_tokens",
        "content_filter" => "content_filtered",
        _ if refused => "content_filtered",
        _ => "end_turn",
    }
}

/// Merges a delta into a detail: texts are appended, everything else is replaced.
fn join(known: &mut Value, piece: &Value) {
    for (name, value) in piece.as_object().into_iter().flatten() {
        let before = known[name].as_str().unwrap_or_default().to_owned();
        match value.as_str() {
            Some(more) if ["text", "summary", "data"].contains(&name.as_str()) => known[name] = json!(before + more),
            _ if !value.is_null() => known[name] = value.clone(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::recordings;

    #[test]
    fn reads_a_stream() {
        let stream = concat!(
            ": hello\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"It is \"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"never\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"sunny.\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\n",
            "data: [DONE]\n\n",
        );
        let expected = of_chat_stream(stream);
        assert_eq!(expected.text, "It is sunny.");
        assert_eq!(expected.stop_reason, Some("end_turn"));
        let usage = Usage {
            input: 3,
            output: 2,
            total: 6,
            cache_read: 1,
            raw: expected.usage.clone().unwrap().raw,
            ..Usage::default()
        };
        assert_eq!(expected.usage, Some(usage));
        let cut = of_chat_stream(&stream[..stream.len() / 2]);
        assert_eq!((cut.text.as_str(), cut.stop_reason), ("It is ", None));
    }

    #[test]
    fn reads_every_recording() {
        for provider in ["openai", "openrouter", "groq", "deepseek", "xai"] {
            for recording in recordings(provider).into_iter().flatten() {
                for exchange in &recording.exchanges {
                    let expected = of(exchange);
                    let name = &recording.name;
                    assert_eq!(expected.error.is_some(), exchange.response.status >= 400, "{name}");
                    if expected.error.is_none() {
                        assert!(expected.stop_reason.is_some(), "{name}: no stop reason");
                    }
                }
            }
        }
    }
}
