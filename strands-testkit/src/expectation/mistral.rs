//! Expected content of a response of Mistral's: Chat Completions with errors that are not wrapped in an object.

#![allow(clippy::indexing_slicing, reason = "indexing a missing JSON value gives null")]

use serde_json::Value;

use super::{Expectation, openai};
use crate::recording::Exchange;

/// Reads a recorded response. Panics if it is malformed.
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
    fn reads_every_recording() {
        for recording in recordings("mistral").into_iter().flatten() {
            for exchange in &recording.exchanges {
                let expected = of(exchange);
                assert_eq!(expected.error.is_some(), expected.stop_reason.is_none(), "{}", recording.name);
            }
        }
    }
}
