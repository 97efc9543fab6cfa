//! What an answer of Mistral's means: Chat Completions with errors that are no object in another.

#![allow(clippy::indexing_slicing, reason = "a JSON value that is not there is null")]

use serde_json::Value;

use super::{Expectation, openai};
use crate::recording::Exchange;

/// What a recorded answer means. Panics if it is broken in itself.
pub fn of(exchange: &Exchange) -> Expectation {
    if exchange.response.status < 400 {
        return openai::of(exchange);
    }
    let body: Value = serde_json::from_slice(&exchange.response.body).unwrap_or_else(|error| panic!("{error}"));
    let code = body["code"].as_str().or(body["type"].as_str());
    Expectation::refused(exchange.response.status, code, body["message"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::recordings;

    #[test]
    fn every_recording_has_a_meaning() {
        for recording in recordings("mistral").into_iter().flatten() {
            for exchange in &recording.exchanges {
                let expected = of(exchange);
                assert_eq!(expected.error.is_some(), expected.stop_reason.is_none(), "{}", recording.name);
            }
        }
    }
}
