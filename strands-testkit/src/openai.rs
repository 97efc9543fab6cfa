//! What an answer of OpenAI's two protocols means, computed from its bytes without the code under test.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a JSON value that is not there is null, and tests cut text of their own"
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::recording::Exchange;

/// What a correct client makes of an answer, whole or broken off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// All text, refusals included, in order.
    pub text: String,
    /// All thoughts that can be read, in order, an empty line between the parts of a summary.
    pub thoughts: String,
    /// The tools asked for, in order.
    pub calls: Vec<Call>,
    /// What the provider wants back with the next request: items of thought with an encrypted part, or the details of
    /// thoughts.
    pub kept: Vec<Value>,
    /// The stop reason in our words; `None` if the answer ended before it.
    pub stop_reason: Option<&'static str>,
    /// Usage as the provider spells it.
    pub usage: Option<Value>,
    /// The error, if the answer is one.
    pub error: Option<ErrorBody>,
}

/// A request to call a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Name of the tool.
    pub name: String,
    /// Id that the result must carry.
    pub id: String,
    /// Arguments as text, as they came.
    pub arguments: String,
}

impl Call {
    /// The arguments, `{}` if there were none; the text itself if it is not JSON.
    pub fn input(&self) -> Value {
        match self.arguments.trim() {
            "" | "null" => json!({}),
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(self.arguments.clone())),
        }
    }
}

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// HTTP status.
    pub status: u16,
    /// Its code.
    pub code: String,
    /// What the provider says.
    pub message: String,
}

impl Expectation {
    /// What a recorded answer means. Panics if it is broken in itself.
    pub fn of(exchange: &Exchange) -> Self {
        let response = &exchange.response;
        let text = std::str::from_utf8(&response.body).unwrap_or_else(|error| panic!("{error}"));
        let responses = exchange.request.path.ends_with("/responses");
        if response.content_type.contains("event-stream") {
            return if responses { Self::of_responses_stream(text) } else { Self::of_chat_stream(text) };
        }
        let body: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        if response.status >= 400 {
            let word = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
            let error = ErrorBody { status: response.status, code: word("code"), message: word("message") };
            return Self { error: Some(error), ..Self::default() };
        }
        if responses { Self::of_response(&body) } else { Self::of_chat(&body) }
    }

    /// What the whole events at the beginning of a stream of Chat Completions mean.
    pub fn of_chat_stream(stream: &str) -> Self {
        let mut expected = Self::default();
        let mut calls: BTreeMap<u64, Call> = BTreeMap::new();
        let mut refused = false;
        let mut finish = None;
        for data in events(stream) {
            let Ok(chunk) = serde_json::from_str::<Value>(data) else {
                continue;
            };
            if chunk["usage"].is_object() {
                expected.usage = Some(chunk["usage"].clone());
            }
            let choice = &chunk["choices"][0];
            if choice["index"].as_u64() != Some(0) {
                continue;
            }
            refused |= expected.chat_words(&choice["delta"]);
            for piece in array(&choice["delta"]["tool_calls"]) {
                let call = calls.entry(piece["index"].as_u64().unwrap_or_default()).or_default();
                call.id += piece["id"].as_str().unwrap_or_default();
                call.name += piece["function"]["name"].as_str().unwrap_or_default();
                call.arguments += piece["function"]["arguments"].as_str().unwrap_or_default();
            }
            finish = choice["finish_reason"].as_str().or(finish.as_deref()).map(str::to_owned);
        }
        expected.calls = calls.into_values().collect();
        expected.stop_reason = finish.map(|finish| chat_stop(&finish, refused));
        expected
    }

    /// What a document of Chat Completions means.
    pub fn of_chat(body: &Value) -> Self {
        let mut expected = Self { usage: body.get("usage").cloned(), ..Self::default() };
        let message = &body["choices"][0]["message"];
        let refused = expected.chat_words(message);
        expected.calls = array(&message["tool_calls"])
            .map(|call| Call {
                name: string(&call["function"]["name"]),
                id: string(&call["id"]),
                arguments: string(&call["function"]["arguments"]),
            })
            .collect();
        expected.stop_reason = body["choices"][0]["finish_reason"].as_str().map(|finish| chat_stop(finish, refused));
        expected
    }

    /// Takes in the words of a message or a piece of one; true if they refuse.
    fn chat_words(&mut self, said: &Value) -> bool {
        self.text += said["content"].as_str().unwrap_or_default();
        self.text += said["refusal"].as_str().unwrap_or_default();
        self.thoughts += said["reasoning_content"].as_str().or(said["reasoning"].as_str()).unwrap_or_default();
        for piece in array(&said["reasoning_details"]) {
            let known = self.kept.iter_mut().find(|known| {
                known["index"] == piece["index"] && known["type"] == piece["type"] && piece["index"].is_u64()
            });
            match known {
                None => self.kept.push(piece.clone()),
                Some(known) => join(known, piece),
            }
        }
        said["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty())
    }

    /// What a stream of Responses means: its last event has everything in it.
    pub fn of_responses_stream(stream: &str) -> Self {
        let last = events(stream).filter_map(|data| serde_json::from_str::<Value>(data).ok()).last();
        match last {
            Some(last) if last["response"]["status"] != "in_progress" => Self::of_response(&last["response"]),
            _ => Self::default(),
        }
    }

    /// What a document of Responses means.
    pub fn of_response(response: &Value) -> Self {
        let mut expected = Self { usage: response.get("usage").cloned(), ..Self::default() };
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
                    expected.thoughts += &parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
                    if item["encrypted_content"].is_string() {
                        expected.kept.push(item.clone());
                    }
                }
                Some("function_call") => expected.calls.push(Call {
                    name: string(&item["name"]),
                    id: string(&item["call_id"]),
                    arguments: string(&item["arguments"]),
                }),
                _ => {}
            }
        }
        expected.stop_reason = match response["status"].as_str() {
            Some("completed") if !expected.calls.is_empty() => Some("tool_use"),
            Some("completed") if refused => Some("content_filtered"),
            Some("completed") => Some("end_turn"),
            Some("incomplete") if response["incomplete_details"]["reason"] == "content_filter" => {
                Some("content_filtered")
            }
            Some("incomplete") => Some("max_tokens"),
            _ => None,
        };
        expected
    }
}

fn chat_stop(finish: &str, refused: bool) -> &'static str {
    match finish {
        "tool_calls" => "tool_use",
        "length" => "max_tokens",
        "content_filter" => "content_filtered",
        _ if refused => "content_filtered",
        _ => "end_turn",
    }
}

/// The data of the events that are whole.
fn events(stream: &str) -> impl Iterator<Item = &str> {
    let whole = stream.rfind("\n\n").map_or("", |end| stream.get(..end).unwrap_or_default());
    whole.split('\n').filter_map(|line| Some(line.strip_prefix("data:")?.trim()))
}

/// Adds a piece of a detail to what was there: its texts go on, everything else is replaced.
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

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::recordings;

    #[test]
    fn a_stream_means_what_is_in_it() {
        let stream = concat!(
            ": hello\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"It is \"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"never\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"sunny.\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n",
            "data: [DONE]\n\n",
        );
        let expected = Expectation::of_chat_stream(stream);
        assert_eq!(expected.text, "It is sunny.");
        assert_eq!(expected.stop_reason, Some("end_turn"));
        assert_eq!(expected.usage, Some(json!({"prompt_tokens": 1})));
        let cut = Expectation::of_chat_stream(&stream[..stream.len() / 2]);
        assert_eq!((cut.text.as_str(), cut.stop_reason), ("It is ", None));
    }

    #[test]
    fn every_recording_has_a_meaning() {
        for provider in ["openai", "openrouter", "groq", "deepseek", "xai"] {
            for recording in recordings(provider).into_iter().flatten() {
                for exchange in &recording.exchanges {
                    let expected = Expectation::of(exchange);
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
