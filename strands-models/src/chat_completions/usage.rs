//! Usage of a response, in the fields of both protocols.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{StopReason, StreamEvent};

use crate::http::tolerant;

/// Token counts. Each has a name in Chat Completions, and another one in Responses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(deserialize_with = "tolerant::number")]
    prompt_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    completion_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    output_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    total_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::object")]
    prompt_tokens_details: InputDetails,
    #[serde(deserialize_with = "tolerant::object")]
    input_tokens_details: InputDetails,
    /// DeepSeek.
    #[serde(deserialize_with = "tolerant::number")]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    #[serde(deserialize_with = "tolerant::number")]
    cached_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    cache_write_tokens: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    audio_tokens: Option<u64>,
}

/// Reads usage. The provider includes cached tokens in the input tokens; [`Usage`] has them apart.
pub(crate) fn usage(raw: &RawValue) -> Usage {
    let counts: Counts = tolerant::counts(raw);
    let mut input = counts.prompt_tokens.or(counts.input_tokens).unwrap_or_default();
    let output = counts.completion_tokens.or(counts.output_tokens).unwrap_or_default();
    let total = counts.total_tokens;
    let (chat, responses) = (counts.prompt_tokens_details, counts.input_tokens_details);
    // Mistral counts audio apart from the rest of the input, and includes it in the total.
    if let Some(audio) = chat.audio_tokens
        && total == Some(input.saturating_add(output).saturating_add(audio))
    {
        input = input.saturating_add(audio);
    }
    let read = chat.cached_tokens.or(responses.cached_tokens).or(counts.prompt_cache_hit_tokens);
    let write = chat.cache_write_tokens.or(responses.cache_write_tokens);
    let ordinary = input.saturating_sub(read.unwrap_or_default()).saturating_sub(write.unwrap_or_default());
    Usage::new(ordinary, output)
        .with_cache(read, write)
        .with_total(total.unwrap_or_else(|| input.saturating_add(output)))
}

/// Returns the event of a response's usage, with the provider's own counts.
pub(crate) fn cost(raw: Box<RawValue>) -> StreamEvent {
    StreamEvent::metadata(usage(&raw), ModelMetrics::default()).with_provider_usage(raw)
}

/// Returns the last events of a response.
pub(crate) fn last_events(stop_reason: StopReason, raw: Option<Box<RawValue>>) -> impl Iterator<Item = StreamEvent> {
    std::iter::once(StreamEvent::stop(stop_reason)).chain(raw.map(cost))
}

/// Adds the timings of llama.cpp to usage that is an object.
pub(super) fn with_timings(raw: Box<RawValue>, timings: &RawValue) -> Box<RawValue> {
    let with = |raw: &RawValue| {
        let mut counts: serde_json::Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
        counts.insert("timings".to_owned(), serde_json::from_str(timings.get()).ok()?);
        serde_json::value::to_raw_value(&counts).ok()
    };
    with(&raw).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(counts: &Value) -> Usage {
        super::usage(&serde_json::value::to_raw_value(counts).unwrap())
    }

    #[test]
    fn counts_cached_tokens_apart() {
        let chat = json!({"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10}});
        assert_eq!(usage(&chat), Usage::new(30, 7).with_cache(Some(60), Some(10)).with_total(107));
        let responses = json!({"input_tokens": 5, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 0}});
        assert_eq!(usage(&responses), Usage::new(5, 2).with_cache(Some(0), None));
        assert_eq!(usage(&json!({})), Usage::default());
    }

    #[test]
    fn reads_counts_of_any_type() {
        let odd = json!({"prompt_tokens": "100", "completion_tokens": 7.0, "total_tokens": null, "input_tokens": [5],
            "prompt_tokens_details": [{"cached_tokens": 1}], "input_tokens_details": {"cached_tokens": 60, "x": {}}});
        assert_eq!(usage(&odd), Usage::new(40, 7).with_cache(Some(60), None).with_total(107));
        for none in [json!(null), json!(7), json!("many"), json!([1]), json!({"prompt_tokens_details": null})] {
            assert_eq!(usage(&none), Usage::default(), "{none}");
        }
        let twice = RawValue::from_string(r#"{"prompt_tokens": 1, "prompt_tokens": 2}"#.to_owned()).unwrap();
        assert_eq!(super::usage(&twice), Usage::new(2, 0));
    }

    #[test]
    fn adds_timings_to_usage() {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        let timings = raw(r#"{"cache_n":3}"#);
        assert_eq!(with_timings(raw(r#"{"a":1}"#), &timings).get(), r#"{"a":1,"timings":{"cache_n":3}}"#);
        assert_eq!(with_timings(raw("7"), &timings).get(), "7");
    }

    #[test]
    fn counts_audio_as_input() {
        let beside = json!({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401,
            "prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}});
        assert_eq!(usage(&beside), Usage::new(377, 15).with_cache(Some(9), None).with_total(401));
        let within = json!({"prompt_tokens": 386, "completion_tokens": 15, "total_tokens": 401,
            "prompt_tokens_details": {"audio_tokens": 375}});
        assert_eq!(usage(&within), Usage::new(386, 15));
    }
}
