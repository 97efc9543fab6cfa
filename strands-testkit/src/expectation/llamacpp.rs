//! Expected content of a response of llama.cpp's server: Chat Completions with timings next to the usage, and errors
//! whose code is their status.

#![allow(clippy::indexing_slicing, reason = "indexing a missing JSON value gives null")]

use serde_json::Value;

use super::{Expectation, openai, sse_data};
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
    with_timings(openai::of_chat(&body), &body)
}

/// Reads the complete events at the beginning of a stream.
pub fn of_stream(stream: &str) -> Expectation {
    let chunks = sse_data(stream).filter_map(|data| serde_json::from_str::<Value>(data).ok());
    chunks.fold(openai::of_chat_stream(stream), |expected, chunk| with_timings(expected, &chunk))
}

fn with_timings(mut expected: Expectation, body: &Value) -> Expectation {
    if let (Some(usage), true) = (&mut expected.usage, body["timings"].is_object()) {
        usage.raw["timings"] = body["timings"].clone();
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::recordings;

    #[test]
    fn reads_every_recording() {
        for recording in recordings("llamacpp").into_iter().flatten() {
            for exchange in &recording.exchanges {
                let expected = of(exchange);
                assert_eq!(expected.error.is_some(), expected.stop_reason.is_none(), "{}", recording.name);
                let timed = expected.usage.is_none_or(|usage| usage.raw["timings"].is_object());
                assert!(timed, "{}", recording.name);
            }
        }
    }
}
