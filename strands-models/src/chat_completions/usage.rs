//! Usage of a response, in the fields of both protocols.

use serde_json::Value;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{StopReason, StreamEvent};

use crate::http::tolerant;

/// Reads usage. The provider includes cached tokens in the input tokens; [`Usage`] has them apart.
pub(crate) fn usage(raw: &Value) -> Usage {
    // JSON pointers would be parsed and copied for every response.
    let count = |names: &[&[&str]]| {
        names.iter().find_map(|path| tolerant::count(path.iter().try_fold(raw, |value, name| value.get(name))?))
    };
    let mut input = count(&[&["prompt_tokens"], &["input_tokens"]]).unwrap_or_default();
    let output = count(&[&["completion_tokens"], &["output_tokens"]]).unwrap_or_default();
    let total = count(&[&["total_tokens"]]);
    // Mistral counts audio apart from the rest of the input, and includes it in the total.
    if let Some(audio) = count(&[&["prompt_tokens_details", "audio_tokens"]])
        && total == Some(input.saturating_add(output).saturating_add(audio))
    {
        input = input.saturating_add(audio);
    }
    let read = count(&[
        &["prompt_tokens_details", "cached_tokens"],
        &["input_tokens_details", "cached_tokens"],
        &["prompt_cache_hit_tokens"],
    ]);
    let write =
        count(&[&["prompt_tokens_details", "cache_write_tokens"], &["input_tokens_details", "cache_write_tokens"]]);
    let ordinary = input.saturating_sub(read.unwrap_or_default()).saturating_sub(write.unwrap_or_default());
    Usage::new(ordinary, output)
        .with_cache(read, write)
        .with_total(total.unwrap_or_else(|| input.saturating_add(output)))
}

/// Returns the event of a response's usage, with the provider's own counts.
pub(crate) fn cost(raw: Value) -> StreamEvent {
    StreamEvent::metadata(usage(&raw), ModelMetrics::default()).with_provider_usage(raw)
}

/// Returns the last events of a response.
pub(crate) fn last_events(stop_reason: StopReason, raw: Option<Value>) -> impl Iterator<Item = StreamEvent> {
    std::iter::once(StreamEvent::stop(stop_reason)).chain(raw.map(cost))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn counts_audio_as_input() {
        let beside = json!({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401,
            "prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}});
        assert_eq!(usage(&beside), Usage::new(377, 15).with_cache(Some(9), None).with_total(401));
        let within = json!({"prompt_tokens": 386, "completion_tokens": 15, "total_tokens": 401,
            "prompt_tokens_details": {"audio_tokens": 375}});
        assert_eq!(usage(&within), Usage::new(386, 15));
    }
}
